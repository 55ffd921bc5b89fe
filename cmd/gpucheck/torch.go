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
	"time"
	"unsafe"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/internal/dataset"
	"driftless/kernels/order"
	"driftless/models"
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
const torchPatience = 8 * time.Minute

// newTorch starts PyTorch with the data, weights and order of rows that Driftless has.
// Where there is none it says why and returns nil.
func newTorch(ctx context.Context, o options, sh shape, set *dataSet, tm timing, t *teller) *torch {
	p, err := startTorch(ctx, o, sh, set, tm)
	if err != nil {
		t.note("PyTorch is not in the comparison: %s", lastLines(err.Error(), 1))
		return nil
	}
	t.note("%s. It has the same images, initial weights and order of rows. "+
		"Several networks are batched products with a dimension for the network. "+
		"graph50 is fifty steps in a CUDA graph; products are in float32 but in +tf32.", p.about)
	return p
}

func startTorch(ctx context.Context, o options, sh shape, set *dataSet, tm timing) (*torch, error) {
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
	if err := writeTask(dir, sh, rows, set, tm.replicas[len(tm.replicas)-1]); err != nil {
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
		kill := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
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

// contenders opens PyTorch's ways of running, as many as there is time for.
func (p *torch) contenders(ctx context.Context, until time.Time, norm models.Norm, replicas, steps int) []*contender {
	var out []*contender
	for _, impl := range p.impls {
		c := &contender{norm: norm, replicas: replicas, impl: "PyTorch, " + impl, launches: func() string { return "" }}
		out = append(out, c)
		if time.Now().After(until) {
			c.failed = "compiling the others took half the part's time: -limit allows more"
			continue
		}
		key := fmt.Sprintf("%v/%d/%s", norm, replicas, impl)
		a, err := p.ask(ctx, map[string]any{"open": key, "norm": norm.Method, "replicas": replicas, "impl": impl, "steps": steps})
		if err != nil {
			c.failed = err.Error()
			continue
		}
		if a.How != "" {
			c.impl += " (" + a.How + ")"
		}
		c.loss = a.Loss
		c.run = func(ctx context.Context, n int) (time.Duration, error) {
			a, err := p.ask(ctx, map[string]any{"run": key, "steps": n})
			return time.Duration(a.Seconds * float64(time.Second)), err
		}
	}
	return out
}

// writeTask writes what PyTorch trains on: pixels, labels and, of each replica,
// initial weights and the rows of the first epoch in their order.
func writeTask(dir string, sh shape, rows int, set *dataSet, replicas int) error {
	net, err := sh.compile(kind{models.None, optim.SGD(benchLR)}, set)
	if err != nil {
		return err
	}
	var s device.Session
	if s, err = net.open(cpu.New(), seeds(replicas)...); err != nil {
		return err
	}
	defer s.Close()
	pixels := set.Train.Rows * set.Train.Cols
	sizes := append(append([]int{pixels}, sh.hidden...), dataset.Classes)
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
	for name, data := range map[string][]byte{"task.json": text, "images": set.Train.Images[:rows*pixels], "labels": set.Train.Labels[:rows],
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
