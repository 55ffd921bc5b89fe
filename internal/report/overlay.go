package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Overlay puts runs, as Read returns them, into one whose arms are theirs, so that a page
// compares them. dirs are the runs' directories, each once. An arm's name says what differs
// between the runs: the keys of their configurations that do not have one value ("batchnorm ·
// lr=0.5"), or the directory where there are none or they do not tell the runs apart. Of the
// header stays what is common. Results and findings are those of the arm in its own run.
func Overlay(dirs []string, runs []Run) (Run, error) {
	configs := make([]*yaml.Node, len(runs))
	for i := range runs {
		var err error
		if configs[i], err = mapping(runs[i].Config); err != nil {
			return Run{}, fmt.Errorf("the configuration of %s: %w", dirs[i], err)
		}
	}
	labels := runLabels(dirs, configs)
	first := &runs[0]
	out := Run{Title: fmt.Sprintf("%s of %d runs", plural(armCount(runs), "arm"), len(runs)),
		Version: common(runs, func(r *Run) string { return r.Version }), Device: common(runs, func(r *Run) string { return r.Device }),
		Data: common(runs, func(r *Run) string { return r.Data }), Net: common(runs, func(r *Run) string { return r.Net }),
		Classes: common(runs, func(r *Run) int { return r.Classes }), Batch: common(runs, func(r *Run) int { return r.Batch }),
		Steps: common(runs, func(r *Run) int { return r.Steps }), EvalEvery: common(runs, func(r *Run) int { return r.EvalEvery }),
		LR: common(runs, func(r *Run) float64 { return r.LR }), Optimizer: common(runs, func(r *Run) string { return r.Optimizer }),
		Schedule:       common(runs, func(r *Run) string { return r.Schedule }),
		PercentileUnit: first.PercentileUnit, PercentileRows: first.PercentileRows}
	config := &yaml.Node{Kind: yaml.MappingNode}
	for i := range runs {
		r := &runs[i]
		out.Synthetic, out.Interrupted = out.Synthetic || r.Synthetic, out.Interrupted || r.Interrupted
		if r.PercentileUnit != first.PercentileUnit || r.PercentileRows != first.PercentileRows {
			out.PercentileUnit = noUnit
		}
		for _, in := range r.Instruments {
			if !slices.ContainsFunc(out.Instruments, func(have Instrument) bool { return have.Title == in.Title }) {
				out.Instruments = append(out.Instruments, in)
			}
		}
		names := map[string]string{}
		for _, arm := range r.Arms {
			name := arm.Name + " · " + labels[i]
			if own := ofOthers(arm.Name, labels[i]); !slices.ContainsFunc(out.Arms, func(a Arm) bool { return a.Name == own }) {
				name = own
			}
			names[arm.Name] = name
			arm.Name, arm.LR, arm.of = name, r.lrOf(&arm), r
			out.Arms = append(out.Arms, arm)
		}
		for _, p := range r.Points {
			if name, ok := names[p.Arm]; ok {
				p.Arm = name
				out.Points = append(out.Points, p)
			}
		}
		key := &yaml.Node{}
		key.SetString(dirs[i])
		config.Content = append(config.Content, key, configs[i])
	}
	out.Config = config
	return out, nil
}

// ofOthers is an arm's name with a label of its run, less what the name gives for itself; all of
// the label where nothing else is in it.
func ofOthers(arm, label string) string {
	parts := slices.DeleteFunc(strings.Split(label, ", "), func(part string) bool {
		key, _, pair := strings.Cut(part, "=")
		return pair && strings.Contains(arm, ":"+key+"=")
	})
	if len(parts) == 0 {
		parts = []string{label}
	}
	return arm + " · " + strings.Join(parts, ", ")
}

// noUnit is the unit of runs that follow different ones.
const noUnit = -1

func armCount(runs []Run) int {
	n := 0
	for i := range runs {
		n += len(runs[i].Arms)
	}
	return n
}

// common is what all runs have, zero where they differ.
func common[T comparable](runs []Run, of func(*Run) T) T {
	v := of(&runs[0])
	for i := range runs {
		if of(&runs[i]) != v {
			var none T
			return none
		}
	}
	return v
}

// mapping returns a configuration as a YAML mapping.
func mapping(config any) (*yaml.Node, error) {
	text, err := encodeYAML(config)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	return doc.Content[0], nil
}

// runLabels says of each run what it has otherwise than the rest.
func runLabels(dirs []string, configs []*yaml.Node) []string {
	var keys []string
	values := make([]map[string]string, len(configs))
	for i, c := range configs {
		values[i] = map[string]string{}
		for k := 0; k+1 < len(c.Content); k += 2 {
			key, value := c.Content[k].Value, c.Content[k+1]
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
			values[i][key] = valueText(value)
		}
	}
	labels := make([]string, len(configs))
	for i := range labels {
		var parts []string
		for _, key := range keys {
			if slices.Contains([]string{"arms", "ran", "device", "checkpoint-every"}, key) || !slices.ContainsFunc(values, func(v map[string]string) bool { return v[key] != values[0][key] }) {
				continue
			}
			parts = append(parts, key+"="+oneLine(cmp.Or(values[i][key], "none"), longestValue))
		}
		labels[i] = strings.Join(parts, ", ")
	}
	out := slices.Clone(labels)
	for i, l := range labels {
		if count(labels, l) > 1 {
			out[i] = joinNonEmpty(", ", l, dirName(dirs, i))
		}
	}
	return out
}

func count(list []string, s string) int {
	n := 0
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

// longestValue is how many characters of a value a label has.
const longestValue = 24

// valueText prints a number or text, and lists of such.
func valueText(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	var parts []string
	for _, c := range n.Content {
		parts = append(parts, valueText(c))
	}
	return strings.Join(parts, "-")
}

// dirName is the last part of a directory's path, or all of it where that is another's too.
func dirName(dirs []string, i int) string {
	base := func(d string) string {
		if abs, err := filepath.Abs(d); err == nil {
			d = abs
		}
		return filepath.Base(d)
	}
	for j, d := range dirs {
		if j != i && base(d) == base(dirs[i]) {
			return dirs[i]
		}
	}
	return base(dirs[i])
}
