package benchmarks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"driftless/internal/atomicfile"
	"driftless/models/norm"

	"go.yaml.in/yaml/v3"
)

// record is a configuration as config.yaml keeps it: with the defaults filled in that it stands
// on, so that ReadConfig gives back what trains to the same bits.
type record struct {
	Config `yaml:",inline"`
	Arms   []recordedArm `yaml:"arms"`
	Ran    ran           `yaml:"ran"`
}

// recordedArm is an arm with all its settings, and of its recipe what its name gives.
type recordedArm struct {
	Arm      string    `yaml:"arm"` // its name
	Settings yaml.Node `yaml:"settings,omitempty"`
}

// ran says what a configuration was run by. It is for readers: of it ReadConfig takes the command
// line and the device, as what is recorded.
type ran struct {
	Version string `yaml:"version"` // with the commit of a build that knows it
	Device  string `yaml:"device"`
	Command string `yaml:"command,omitempty"`
}

// Resolved returns the configuration for config.yaml: every arm with the
// settings that apply to it, the optimizer's constants, and the device that runs.
func (c Config) Resolved(device string) (any, error) {
	arms, err := c.Arms()
	if err != nil {
		return nil, err
	}
	r := record{Config: c, Ran: ran{Version(), device, c.Command}}
	r.Grad, r.Settings = "", nil
	r.Precision = c.reduced()
	if r.Net != "" && c.convolves() == "" {
		r.Net, r.Hidden = "", c.sizes()
	}
	r.constants(arms)
	for _, a := range arms {
		arm := recordedArm{Arm: a.Name}
		for _, s := range norm.Settings(a.Method) {
			var key, value yaml.Node
			key.SetString(s.Key)
			if err := value.Encode(s.Value()); err != nil {
				return nil, err
			}
			arm.Settings.Kind = yaml.MappingNode
			arm.Settings.Content = append(arm.Settings.Content, &key, &value)
		}
		r.Arms = append(r.Arms, arm)
	}
	return r, nil
}

// constants fills in those of the optimizer, unless they would reach an arm that has another.
func (r *record) constants(arms []Spec) {
	for _, a := range arms {
		if slices.Contains(a.given, "optimizer") {
			return
		}
	}
	o, _, err := r.rule(r.Steps, nil)
	if err != nil {
		return // which Config.Arms says
	}
	for _, c := range constants {
		c.keep(&o, &r.Recipe)
	}
}

// mostConfig bounds a configuration file.
const mostConfig = 1 << 20

// ReadConfig reads a configuration file, such as the config.yaml of a run, over the values of
// base: keys that are not there keep them. Keys are the names of the flags of driftless
// compare. Besides, settings are those of normalizations, for all arms that have them, and arms is
// a list of arms, each by its name or, as config.yaml has it, as {arm: name, settings: {key:
// value}}.
//
// It is strict: an unknown key, one that stands twice, and a value of another type are errors
// that name the file and the line. What can work together Config.Validate says.
func ReadConfig(path string, base Config) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return base, fmt.Errorf("cannot read %s: %w", path, atomicfile.Cause(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostConfig+1))
	if err != nil {
		return base, fmt.Errorf("cannot read %s: %w", path, atomicfile.Cause(err))
	}
	if len(data) > mostConfig {
		return base, fmt.Errorf("%s has more than %d bytes: it is no configuration", path, mostConfig)
	}
	c, err := parseConfig(data, base)
	if err != nil {
		return base, &UsageError{fmt.Errorf("%s: %w", path, err)}
	}
	return c, nil
}

// keyArms and keyRan are keys of a configuration file that are no field of Config.
const keyArms, keyRan = "arms", "ran"

// parseConfig reads a configuration's text over base.
func parseConfig(data []byte, base Config) (Config, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return base, errors.New("it is empty")
	} else if err != nil {
		return base, oneLine(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return base, errors.New("it holds more than one YAML document")
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return base, fmt.Errorf("line %d: a configuration is a list of keys with their values, such as \"lr: 0.1\"", top.Line)
	}
	c := base
	fields := fieldsOf(&c)
	fields[keyArms], fields[keyRan] = reflect.Value{}, reflect.Value{}
	seen := map[string]bool{}
	for i := 0; i < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		at := func(err error) error { return fmt.Errorf("line %d: %w", key.Line, err) }
		to, known := fields[key.Value]
		switch {
		case key.Value == "norm" || key.Value == "norms":
			return base, at(fmt.Errorf("%s is a flag: the file lists arms under %s, such as \"arms: [none, batchnorm]\"", key.Value, keyArms))
		case !known && ofPreset(top):
			return base, errors.New("it is of a preset, which driftless compare --preset runs again; the folder of each of its parts has a config.yaml of its own")
		case !known:
			return base, at(norm.Unknown("key", key.Value, slices.Sorted(maps.Keys(fields))))
		case seen[key.Value]:
			return base, at(fmt.Errorf("%s stands there twice", key.Value))
		case key.Value == keyRan:
			var r ran
			_ = value.Decode(&r) // it is for readers, who may change it
			c.Command, c.RanOn = r.Command, r.Device
		case key.Value == keyArms:
			arms, err := parseArms(value)
			if err != nil {
				return base, err
			}
			c.Norms = arms
		default:
			fresh := reflect.New(to.Type()) // so that a list or a map is not added to
			whole := to.CanInt()            // the library would cut off what follows the point
			if value.Tag == "!!null" || whole && value.Tag != "!!int" || value.Decode(fresh.Interface()) != nil {
				return base, at(fmt.Errorf("%s is not %s", key.Value, typeText(to.Type())))
			}
			to.Set(fresh.Elem())
		}
		seen[key.Value] = true
	}
	switch {
	case seen["net"] && seen["hidden"]:
		return base, errors.New("net and hidden both say what the network is: give one of them")
	case seen["net"]:
		c.Hidden = nil
	case seen["hidden"]:
		c.Net = ""
	}
	return c, nil
}

// ofPreset reports whether a mapping is the record of a preset (package presets).
func ofPreset(top *yaml.Node) bool {
	for i := 0; i < len(top.Content); i += 2 {
		if top.Content[i].Value == "parts" {
			return true
		}
	}
	return false
}

// fieldsOf returns the fields of a configuration by their keys.
func fieldsOf(c *Config) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if key := yamlKey(v.Type().Field(i)); key != "" && key != "-" {
			out[key] = v.Field(i)
		}
	}
	for _, k := range c.keys() {
		out[k.key] = k.value
	}
	return out
}

// typeText says what a key's value is to be.
func typeText(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeText(t.Elem())
	case reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "a list of keys with their values"
	}
	return "a text"
}

// parseArms reads the arms of a configuration file.
func parseArms(list *yaml.Node) ([]string, error) {
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: arms is not a list of arms, such as [none, batchnorm]", list.Line)
	}
	var out []string
	for _, n := range list.Content {
		name, err := parseArm(n)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		out = append(out, name)
	}
	return out, nil
}

// parseArm returns an arm's name with all its settings.
func parseArm(n *yaml.Node) (string, error) {
	if n.Kind == yaml.ScalarNode {
		return n.Value, nil
	}
	var arm struct {
		Arm      string
		Settings map[string]yaml.Node
	}
	if n.Kind != yaml.MappingNode {
		return "", errors.New("an arm is a name, or has the keys arm and settings")
	}
	for i := 0; i < len(n.Content); i += 2 {
		if k := n.Content[i].Value; k != "arm" && k != "settings" {
			return "", norm.Unknown("key of an arm", k, []string{"arm", "settings"})
		}
	}
	if err := n.Decode(&arm); err != nil {
		return "", oneLine(err)
	}
	if arm.Arm == "" {
		return "", errors.New("an arm without its name: give it as arm: batchnorm")
	}
	a, err := norm.Parse(arm.Arm, norm.Graph, recipeKeys...)
	if err != nil {
		return "", err
	}
	for _, key := range slices.Sorted(maps.Keys(arm.Settings)) {
		value := arm.Settings[key]
		if value.Kind != yaml.ScalarNode {
			return "", fmt.Errorf("%s of %s is not one value", key, arm.Arm)
		}
		text := value.Value
		if value.Tag == "!!bool" {
			var on bool
			if err := value.Decode(&on); err != nil {
				return "", oneLine(err)
			}
			text = onOff(on)
		}
		if err := norm.Set(a.Method, key, text); err != nil {
			return "", err
		}
	}
	full := []string{a.Method.Name()}
	for _, s := range norm.Settings(a.Method) {
		full = append(full, s.Text())
	}
	for _, key := range recipeKeys {
		if text, ok := a.Rest[key]; ok {
			full = append(full, key+"="+text)
		}
	}
	return strings.Join(full, ":"), nil
}

// oneLine gives an error of the YAML library as one line.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
}
