package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"driftless/dataset"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	driver "driftless/internal/cuda"
	"driftless/kernels/order"
	"driftless/models/norm"
)

type dataSet = dataset.Set

//go:embed pytorch_cuda.py
var torchScript []byte

// torch is a process of pytorch_cuda.py, which answers requests line by line.
type torch struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	errs  *tail
	impls []string
	about string
	dir   string
	ended error
}

var errTorchEnded = errors.New("the process of PyTorch has ended")

// answer is what the process says.
type answer struct {
	Error   string
	Torch   string   // its version
	Device  string   // its name
	Impls   []string // ways of running
	Loss    float64
	How     string
	Seconds float64
}

// torchPatience is the longest that an answer may take: compiling takes a minute.
const torchPatience = 3 * time.Minute

// torchOrder are PyTorch's ways of running, the most telling first.
var torchOrder = []string{"graph50", "compile-graph50", "eager", "compile-graph50+tf32", "graph", "compile"}

// torchRounds is how often a row is timed, each time beside ours.
const torchRounds = 3

// pytorch times steps of PyTorch beside ours. Each row is in the report as soon as it has
// been timed.
func pytorch(ctx context.Context, o options, t *teller) error {
	if find(o.python) == "" {
		t.leave("%s, which would have PyTorch, is not on the PATH: -python names another interpreter", o.python)
		return nil
	}
	if taken(o) {
		t.leave("the device is for one process at a time, and so PyTorch's cannot have it beside ours")
		return nil
	}
	set, groups := load(o, t), o.groups()
	processes := map[string]*torch{} // by network
	defer func() {
		for _, p := range processes {
			p.close()
		}
	}()
	process := func(g group) (*torch, error) {
		if p := processes[g.name]; p != nil {
			return p, nil
		}
		most := 0
		for _, other := range groups {
			if other.name == g.name {
				most = max(most, other.replicas)
			}
		}
		p, err := startTorch(ctx, o, g.shape, set, most)
		if err == nil {
			processes[g.name] = p
		}
		return p, err
	}
	p, err := process(groups[0])
	if err != nil {
		if ctx.Err() == nil {
			t.leave("PyTorch does not start: %s", lastLines(err.Error(), 1))
			return nil
		}
		return err
	}
	t.note("%s. It has the same images, initial weights and order of rows. "+
		"Several networks are batched products with a dimension for the network. "+
		"graph50 is fifty steps in a CUDA graph; products are in float32 but in +tf32.", p.about)
	compiler := findCompiler()
	if compiler == "" {
		t.note("torch.compile is left out: it builds with a C compiler, and there is none.")
	}
	b := newBenchmark(o, t, set)
	defer b.close()
	for _, impl := range torchOrder {
		if !slices.Contains(p.impls, impl) || compiler == "" && strings.HasPrefix(impl, "compile") {
			continue
		}
		for i, g := range groups {
			err := b.beside(ctx, g, impl, process)
			if ctx.Err() != nil {
				t.note("The time was up in %s: not timed with it: %s.", impl, words(groups[i:]))
				return ctx.Err()
			}
			if err != nil {
				t.note("PyTorch, %s, %v does not run: %s", impl, g, lastLines(err.Error(), 1))
			}
		}
	}
	return nil
}

// taken reports whether the device serves one process at a time: while this one runs, PyTorch
// cannot use it.
func taken(o options) bool {
	n, ok := ordinal(o.device)
	if !ok { // the virtual device has to be chosen before the driver is asked
		return false
	}
	info, err := driver.Status()
	return err == nil && n < len(info.Devices) && info.Devices[n].Mode == driver.Exclusive
}

// beside times one of PyTorch's ways of running a group beside ours.
func (b *benchmark) beside(ctx context.Context, g group, impl string, process func(group) (*torch, error)) error {
	p, err := process(g)
	if err != nil {
		return err
	}
	if b.find(g, implGraphs) == nil {
		if err := b.own(ctx, g, implGraphs, implClusters); err != nil {
			return err
		}
	}
	ours := b.find(g, implGraphs)
	c, err := p.open(ctx, g, impl, b.least)
	if err != nil {
		return err
	}
	b.all = append(b.all, c)
	b.warm(ctx, c)
	for range torchRounds {
		b.sample(ctx, ours)
		if clusters := b.find(g, implClusters); clusters != nil {
			b.sample(ctx, clusters)
		}
		b.sample(ctx, c)
	}
	for _, row := range b.all { // whose times are told against ours, which has been timed again
		if row.group.String() == g.String() {
			b.tell(row)
		}
	}
	if c.failed != "" {
		return errors.New(c.failed)
	}
	if ours.failed == "" && !near(c.loss, ours.loss) {
		b.t.note("**%s, %v comes to another loss than Driftless**: %v and %v: its time is not that of the same training.", c.impl, g, c.loss, ours.loss)
	}
	return nil
}

// near reports whether two losses agree up to rounding, that of TF32 included.
func near(x, y float64) bool { return x-y < 0.01*y && y-x < 0.01*y }

// startTorch starts PyTorch with the data, weights and order of rows that Driftless has, for
// so many networks at most.
func startTorch(ctx context.Context, o options, sh shape, set *dataSet, replicas int) (*torch, error) {
	dir, err := os.MkdirTemp("", "gpucheck-torch-")
	if err != nil {
		return nil, err
	}
	p := &torch{dir: dir, errs: &tail{}, lines: make(chan string)}
	script := filepath.Join(dir, "pytorch_cuda.py")
	if err := os.WriteFile(script, torchScript, 0o644); err != nil {
		p.close()
		return nil, err
	}
	dev := o.device
	if o.virtual() {
		dev = "cpu"
	}
	rows := min(sh.rows, set.Train.N)
	if err := writeTask(dir, sh, rows, set, replicas); err != nil {
		p.close()
		return nil, err
	}
	p.cmd = command(ctx, o.python, script, "--device", dev, "--folder", dir)
	p.cmd.Stderr = p.errs
	p.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		p.close()
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.cmd = nil
		p.close()
		return nil, err
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	a, err := p.answer(ctx)
	if err != nil {
		p.close()
		return nil, err
	}
	p.impls, p.about = a.Impls, fmt.Sprintf("PyTorch %s on %s", a.Torch, a.Device)
	return p, nil
}

// close ends the process: at the end of its input it ends by itself, with the
// processes that compile for it.
func (p *torch) close() {
	if p.cmd != nil {
		_ = p.in.Close()
		kill := time.AfterFunc(patience/2, func() { _ = p.cmd.Process.Kill() })
		go func() {
			for range p.lines { // which nobody asks for any more
			}
		}()
		_ = p.cmd.Wait()
		kill.Stop()
	}
	_ = os.RemoveAll(p.dir)
}

// ask sends a request and returns the answer.
func (p *torch) ask(ctx context.Context, request any) (answer, error) {
	if p.ended != nil {
		return answer{}, p.ended
	}
	line, err := json.Marshal(request)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.ended = fmt.Errorf("%w: %s", errTorchEnded, lastLines(p.errs.String(), 3))
		return answer{}, p.ended
	}
	return p.answer(ctx)
}

func (p *torch) answer(ctx context.Context) (a answer, err error) {
	timer := time.NewTimer(torchPatience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		p.ended = ctx.Err()
	case <-timer.C:
		p.ended = fmt.Errorf("PyTorch did not answer within %v", torchPatience)
		_ = p.cmd.Process.Kill()
	case line, ok := <-p.lines:
		if !ok {
			time.Sleep(100 * time.Millisecond) // for its last words
			p.ended = fmt.Errorf("%w: %s", errTorchEnded, lastLines(p.errs.String(), 3))
			break
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return a, fmt.Errorf("PyTorch's answer: %w", err)
		}
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	}
	return a, p.ended
}

// open opens one of PyTorch's ways of running.
func (p *torch) open(ctx context.Context, g group, impl string, steps int) (*contender, error) {
	key := fmt.Sprintf("%v/%s", g, impl)
	a, err := p.ask(ctx, map[string]any{"open": key, "norm": g.norm.Name(), "replicas": g.replicas, "impl": impl, "steps": steps})
	if err != nil {
		return nil, err
	}
	c := &contender{group: g, impl: "PyTorch, " + impl, launches: func() string { return "" }, loss: a.Loss, whole: 50}
	if a.How != "" {
		c.impl += " (" + a.How + ")"
	}
	if !strings.Contains(impl, "graph") {
		c.whole = 1
	}
	c.run = func(ctx context.Context, n int) (time.Duration, error) {
		a, err := p.ask(ctx, map[string]any{"run": key, "steps": n})
		return time.Duration(a.Seconds * float64(time.Second)), err
	}
	return c, nil
}

// writeTask writes what PyTorch trains on: pixels, labels and, of each replica,
// initial weights and the rows of the first epoch in their order.
func writeTask(dir string, sh shape, rows int, set *dataSet, replicas int) error {
	net, err := sh.compile(kind{norm.Must("none"), optim.SGD(benchLR)}, set)
	if err != nil {
		return err
	}
	var s device.Session
	if s, err = net.open(cpu.New(), seeds(replicas)...); err != nil {
		return err
	}
	defer s.Close()
	pixels := set.Train.Size()
	sizes := append(append([]int{pixels}, sh.hidden...), set.Classes)
	task := map[string]any{"sizes": sizes, "batch": sh.batch, "rows": rows, "replicas": replicas, "lr": benchLR}
	var weights []byte
	for i, layer := range net.mlp.Layers() {
		for r := range replicas {
			w := make([]float32, sizes[i]*sizes[i+1]) // inputs × outputs
			if err := s.Read(layer+".weight", r, w); err != nil {
				return err
			}
			weights = append(weights, bytesOf(w)...)
		}
	}
	perEpoch := rows / sh.batch
	var rowsInOrder []byte
	for _, seed := range seeds(replicas) {
		batch := make([]int32, perEpoch*sh.batch)
		order.Fill(uint64(seed), 0, uint32(rows), 0, batch)
		for _, row := range batch {
			rowsInOrder = binary.LittleEndian.AppendUint32(rowsInOrder, uint32(row))
		}
	}
	text, err := json.Marshal(task)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"task.json": text, "images": set.Train.Images[:rows*pixels], "labels": set.Train.LabelBytes()[:rows],
		"weights": weights, "order": rowsInOrder} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bytesOf returns the bytes of floats in the machine's order, which is PyTorch's.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
