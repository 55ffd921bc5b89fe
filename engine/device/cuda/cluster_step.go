//go:build gpu

package cuda

import (
	"slices"
	"strings"

	"driftless/engine/program"
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/cluster"
	"driftless/kernels/cuda/fused"
)

// form says what an operation does with its operands, which go by their numbers, beside what
// all do: take the block's columns of them.
type form struct {
	whole  []int    // every block has all of these
	brings []int    // other blocks' columns of these are read
	ints   []string // Step.Ints, by the names that the kernel has for them
}

var forms = map[string]form{
	"batch":              {whole: []int{0, 1}},
	"gemm_nn":            {brings: []int{0}},
	"gemm_nt":            {brings: []int{0, 1}},
	"gemm_tn":            {brings: []int{0}},
	"cross_entropy_both": {brings: []int{0}, whole: []int{1, 2, 3}, ints: []string{"scales"}},
	"mean":               {whole: []int{0, 1}},
	"tick":               {whole: []int{0}},
	"beta_power":         {whole: []int{0}},
	"learning_rate":      {whole: []int{0, 1}, ints: []string{"curve", "warm", "span"}},
	"clip_scale":         {brings: []int{0}, whole: []int{1}},
	"adam":               {whole: []int{1}},
	"binary":             {ints: []string{"op", "scalars"}},
	"renorm_scale":       {whole: []int{2}},
	"renorm_shift":       {whole: []int{3}},
	"transpose":          {brings: []int{0}},
}

// step adds the operation of an action.
func (l *clusterer) step(a *action) error {
	launch := a.launches[0]
	name := kernels.Untiled(launch.kernel.Name)
	if !cluster.Operation(launch.kernel.Name) {
		return misfitf("%v is no operation of clusters", a.in.Op)
	}
	op := fused.Op{Kernel: &launch.kernel.Kernel, Ints: launch.ints}
	s := clusterStep{Step: cluster.Step{Kernel: name, M: op.Rows(), N: op.Cols(), K: launch.int("k"), Act: launch.int("act"),
		Numbers: launch.floats, Singles: len(strings.Fields(launch.kernel.Floats))}}
	for i, name := range forms[name].ints {
		s.Ints[i] = launch.int(name)
	}
	operands := slices.Clone(launch.operands[1:])
	for i, name := range launch.kernel.Tensors()[1:] {
		if name == "scratch" || operands[i].word > 0 { // which the kernel does not need, or has
			operands[i] = operand{}
		}
	}
	switch name {
	case "gemm_nn", "gemm_nt":
		if operands[4].tensor != nil {
			return misfitf("a product %s with a step of SGD is no operation of clusters", name)
		}
	case "gemm_tn":
		if operands[2].tensor != nil || a.in.Act != 0 {
			return misfitf("a product %s with a bias or an activation is no operation of clusters", name)
		}
	case "mean":
		s.N = s.M * s.N
	case "tick":
		operands = operands[:1]
	case "learning_rate":
		if l.ticked {
			return misfitf("a learning rate that the end of a step sets is no operation of clusters")
		}
	case "transpose":
		if launch.int("block") != s.M {
			return misfitf("a transpose of %d blocks below one another is no operation of clusters", s.M/launch.int("block"))
		}
	case "binary", "copy":
		s.Whole = !slices.ContainsFunc(operands, func(o operand) bool { return o.tensor != nil && o.tensor.Len() != 1 })
	case "clip_scale":
		return l.clip(s, operands)
	}
	if s.K > 1024 {
		return misfitf("a product over %d, of more than 1024, has sums of several parts", s.K)
	}
	return l.add(s, operands)
}

// isRate reports whether a tensor is the learning rate.
func isRate(t *program.Tensor) bool {
	return t.Name == program.StateLR && t.Space == program.SpaceReplica
}

// add places the operands of an operation. The learning rate is read from where it is, but
// for one that a schedule sets.
func (l *clusterer) add(s clusterStep, operands []operand) error {
	for i := range s.At {
		s.At[i] = cluster.Missing
	}
	f := forms[s.Kernel]
	for i := range operands {
		o := &operands[i]
		if o.tensor == nil {
			continue
		}
		rate := isRate(o.tensor)
		if rate && !l.scheduled {
			o.settle(nil)
			s.global[0] = o
			continue
		}
		whole := s.Whole || rate || slices.Contains(f.whole, i) || s.Kernel == "binary" && s.Ints[1]>>i&1 != 0
		if l.inputs != nil && keyOf(o.tensor) == keyOf(l.inputs) {
			if s.Kernel != "gemm_nn" && s.Kernel != "gemm_tn" || i != 0 {
				return misfitf("%s takes the inputs of the batch, which only layers may", s.Kernel)
			}
			s.Bytes, s.global[1], s.At[0], s.Ints[0] = true, l.data, l.places[keyOf(l.rows)].at, l.pixels
			continue
		}
		p, err := l.place(o.tensor, !whole, s.Kernel)
		if err != nil {
			return err
		}
		s.At[i], s.LD[i] = p.at, p.ld
		if slices.Contains(f.brings, i) {
			s.brings = append(s.brings, p)
		}
		if o.write {
			p.written = true
			s.writes = append(s.writes, p)
		}
	}
	l.steps = append(l.steps, s)
	return nil
}

// clip adds the scale of the gradients, an operation for each part of the squares, which lie
// where the sums that make them left them.
func (l *clusterer) clip(s clusterStep, operands []operand) error {
	squares := operands[0].tensor
	var parts []*place
	for _, p := range l.ordered {
		if p.tensor.Base() == squares.Base() {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b *place) int { return a.tensor.Skip() - b.tensor.Skip() })
	have := 0
	for i, p := range parts {
		if p.tensor.Skip() != 4*have {
			break
		}
		have += p.cols
		s.N, s.Ints[0] = p.cols, 0
		if i == 0 {
			s.Ints[0] = cluster.FirstPart
		}
		if i == len(parts)-1 {
			s.Ints[0] |= cluster.LastPart
		}
		operands[0].tensor = p.tensor
		if err := l.add(s, slices.Clone(operands)); err != nil {
			return err
		}
	}
	if have != squares.Len() {
		return misfitf("the squares of %d numbers are in parts that are not known", squares.Len())
	}
	return nil
}
