package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"driftless/engine/device/cuda"
	"driftless/engine/optim"
	"driftless/models/norm"
)

// ncuLaunches is how many launches Nsight Compute looks at.
const ncuLaunches = 24

// ncu has Nsight Compute look at the launches of some steps. It checks nothing: where it
// is missing, or may not read the device's counters, it is left out. What it prints is in
// a file beside the report.
func ncu(ctx context.Context, o options, t *teller) error {
	path := findNCU()
	switch {
	case o.virtual():
		t.leave("the virtual device has no counters")
		return nil
	case path == "":
		t.leave(noNCU)
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := os.Create(o.file("ncu.csv"))
	if err != nil {
		return err
	}
	defer file.Close()
	args := []string{"--csv", "--page", "details", "--section", "SpeedOfLight", "--section", "LaunchStats", "--section", "MemoryWorkloadAnalysis",
		"--clock-control", "none", "--launch-count", fmt.Sprint(ncuLaunches), self}
	cmd := command(ctx, path, append(args, o.args("launches", o.time)...)...)
	errs := &tail{}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(file, errs), errs
	runErr := cmd.Run()
	rows, err := readNCU(file.Name())
	if ctx.Err() != nil && len(rows) == 0 {
		t.note("The time was up before ncu told anything.")
		return ctx.Err()
	}
	if len(rows) == 0 {
		for _, e := range []error{runErr, err} {
			if e != nil {
				t.leave("ncu found nothing: %v\n%s", e, lastLines(errs.String(), 5))
				return nil
			}
		}
		t.leave("ncu found nothing\n%s", lastLines(errs.String(), 5))
		return nil
	}
	nets := o.launchedNets()
	t.note("%s: %d launches, of a step of %s and one of %s, the clocks left as they are. All that it printed is in %s.",
		path, len(rows), nets[0].name, nets[1].name, filepath.Base(file.Name()))
	t.table(append([]string{"kernel", "grid", "block"}, ncuMetrics...)...)
	for _, r := range rows {
		cells := []any{r.kernel, r.grid, r.block}
		for _, m := range ncuMetrics {
			cells = append(cells, r.metrics[m])
		}
		t.row(cells...)
	}
	return ctx.Err()
}

// ncuMetrics are the columns of the report.
var ncuMetrics = []string{"Duration", "Compute (SM) Throughput", "Memory Throughput", "L2 Hit Rate", "Registers Per Thread", "Waves Per SM"}

// launched is what ncu tells of a launch. A metric's value has its unit.
type launched struct {
	id, kernel, grid, block string
	metrics                 map[string]string
}

// readNCU reads what ncu printed with --csv: a line a metric, below a line with the
// columns' names; lines before that are other programs'.
func readNCU(path string) (out []*launched, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, table, ok := strings.Cut("\n"+string(data), "\n\"ID\",")
	if !ok {
		return nil, fmt.Errorf("%s has no table", filepath.Base(path))
	}
	r := csv.NewReader(strings.NewReader("\"ID\"," + table))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	head, err := r.Read()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	for {
		record, err := r.Read()
		if err != nil { // or the end
			return out, nil
		}
		cell := func(name string) string {
			if i, ok := column[name]; ok && i < len(record) {
				return record[i]
			}
			return ""
		}
		metric := cell("Metric Name")
		if metric == "" {
			continue
		}
		if len(out) == 0 || out[len(out)-1].id != cell("ID") {
			kernel, _, _ := strings.Cut(cell("Kernel Name"), "(")
			out = append(out, &launched{id: cell("ID"), kernel: kernel, grid: cell("Grid Size"), block: cell("Block Size"), metrics: map[string]string{}})
		}
		l := out[len(out)-1]
		if _, ok := l.metrics[metric]; !ok { // SpeedOfLight's share of the peak comes before the bytes a second
			l.metrics[metric] = strings.TrimSpace(cell("Metric Value") + " " + cell("Metric Unit"))
		}
	}
}

// launchedNets are the networks of someLaunches. The second is as the wide one, but for a
// layer, so that the launches suffice for each of its products.
func (o options) launchedNets() []shape {
	paper, _ := o.shapes()
	if o.quick {
		return []shape{paper, broad}
	}
	return []shape{paper, {"784-1024-1024-10", wide.hidden[:2], wide.batch, wide.rows}}
}

// someLaunches is what ncu looks at: a step of each network, kernel by kernel.
func someLaunches(ctx context.Context, o options, t *teller) error {
	dev, err := openDevice(o.device, cuda.PlainLaunches())
	if err != nil {
		return err
	}
	for _, sh := range o.launchedNets() {
		sh.rows = min(sh.rows, 2*sh.batch)
		net, err := sh.compile(kind{norm.Must("none"), optim.SGD(benchLR)}, synthetic())
		if err != nil {
			return err
		}
		s, err := net.open(dev, 1)
		if err != nil {
			return err
		}
		err = runSteps(ctx, s, net.train, 1)
		d := counters(s)
		if e := s.Close(); err == nil {
			err = e
		}
		if err != nil {
			return fmt.Errorf("%s: %w", sh.name, err)
		}
		t.note("%s: %d launches", sh.name, d.Launches)
	}
	return nil
}
