package program

import (
	"fmt"
	"reflect"

	"driftless/kernels/conv"
	"driftless/kernels/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// This file lowers Gorgonia's operations on images [batch, channels, height, width]: what its
// convolutions and pooling are made of, and its normalizations, which are of channels, too.

// planes reads how an operation's window goes over images of a shape; down and across are the names of its
// paddings.
func planes(n *G.Node, shape tensor.Shape, down, across string) (p conv.Planes, ok bool) {
	if len(shape) != 4 {
		return p, false
	}
	p = conv.Planes{Channels: shape[1], Height: shape[2], Width: shape[3], Kernel: [2]int{intOf(n, "h"), intOf(n, "w")},
		Pad: [2]int{intOf(n, down), intOf(n, across)}, Stride: [2]int{intOf(n, "strideH"), intOf(n, "strideW")}, Dilation: [2]int{1, 1}}
	if field(n, "dilationH").IsValid() {
		p.Dilation = [2]int{intOf(n, "dilationH"), intOf(n, "dilationW")}
	}
	return p, p.Check() == nil
}

// lowerPlanePatches lowers Im2Col, which Conv2d multiplies by its filters, or its gradient.
func (c *compiler) lowerPlanePatches(n *G.Node, op Op, images, patches *G.Node) (value, bool, error) {
	p, ok := planes(n, images.Shape(), "padH", "padW")
	rows, cols := dims(patches.Shape())
	if !ok || rows != images.Shape()[0]*p.Windows() || cols != p.Patch() {
		return value{}, false, nil
	}
	t, err := c.whole(Children(n)[0])
	if err != nil {
		return value{}, true, err
	}
	out := c.flat(n.Shape(), Label(n))
	c.emit(&Instr{Op: op, Planes: p, In: []*Tensor{t}, Out: []*Tensor{out}, Nodes: []string{Label(n)}})
	return value{t: out}, true, nil
}

// lowerPlanePool lowers MaxPool2D and its gradient, which finds the largest again.
func (c *compiler) lowerPlanePool(n *G.Node) (value, bool, error) {
	ch := Children(n)
	x, grad := ch[0], len(ch) == 3
	p, ok := planes(n, x.Shape(), "padNorth", "padWest")
	small := n // has an element for each window
	if grad {
		small = ch[2]
	}
	if !ok || small.Shape().TotalSize() != x.Shape()[0]*p.Channels*p.Windows() {
		return value{}, false, nil
	}
	count := x.Shape()[0] * p.Channels
	out := c.flat(n.Shape(), Label(n))
	t, err := c.whole(x)
	if err != nil {
		return value{}, true, err
	}
	in := &Instr{Op: OpPlaneMaxPool, Planes: p, In: []*Tensor{View(t, count, p.Height*p.Width)}, Out: []*Tensor{View(out, count, out.Len()/count)}, Nodes: []string{Label(n)}}
	if grad {
		g, err := c.whole(small)
		if err != nil {
			return value{}, true, err
		}
		in.Op, in.In = OpPlaneMaxPoolGrad, append(in.In, View(g, count, p.Windows()))
	}
	c.emit(in)
	return value{t: out}, true, nil
}

// normOf names a batch or group normalization: one operation may be applied to several nodes.
type normOf struct {
	op G.Op
	x  *G.Node
}

// channels are what a normalization standardizes: so many channels of each of some images, of so many
// elements. A batch normalization updates running statistics, or in evaluation takes those.
type channels struct {
	dtype                  DType
	images, channels, size int
	eps                    float64
	batch                  *G.BatchNormOp
	center, invStd, weight *Tensor
}

// channelsOf recognises a batch or group normalization, or the operation of its gradient, which
// holds a pointer to it.
func (c *compiler) channelsOf(n *G.Node) (ch *channels, forward *G.Node) {
	op := n.Op()
	v := reflect.ValueOf(op)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, nil
	}
	for _, name := range []string{"BatchNormOp", "GroupNormOp"} {
		if f := v.Elem().FieldByName(name); f.IsValid() && f.CanInterface() && v.Elem().NumField() == 1 {
			op, _ = f.Interface().(G.Op)
		}
	}
	if op == nil {
		return nil, nil
	}
	if op == n.Op() {
		forward = n
	} else {
		forward = c.norms[normOf{op, Children(n)[0]}]
	}
	if forward == nil {
		return nil, nil
	}
	x := Children(forward)[0]
	dt, _ := dtypeOf(x.Dtype())
	if dt != Float32 && dt != Float64 || x.Dims() < 2 || !field(forward, "epsilon").IsValid() {
		return nil, nil
	}
	shape := x.Shape()
	ch = &channels{dtype: dt, images: shape[0], channels: shape[1], size: shape[2:].TotalSize(), eps: field(forward, "epsilon").Float()}
	switch op := op.(type) {
	case *G.BatchNormOp:
		ch.batch = op
	case *G.GroupNormOp:
		groups := intOf(forward, "numGroups")
		if groups < 1 || shape[1]%groups != 0 {
			return nil, nil
		}
		ch.images, ch.channels, ch.size = 1, shape[0]*groups, shape.TotalSize()/(shape[0]*groups)
	default:
		return nil, nil
	}
	if ch.size < 1 || ch.channels < 1 || ch.images < 1 {
		return nil, nil
	}
	return ch, forward
}

// lowerChannelNorm lowers a normalization, or has its gradient lowered.
func (c *compiler) lowerChannelNorm(n *G.Node) (value, bool, error) {
	ch, forward := c.channelsOf(n)
	if ch == nil {
		return value{}, false, nil
	}
	if forward != n {
		v, err := c.lowerChannelNormGrad(n, forward)
		return v, true, err
	}
	t, err := c.whole(Children(n)[0])
	if err != nil {
		return value{}, true, err
	}
	name, x := Label(n), ch.rows(t)
	vector := func(n int, name string) *Tensor {
		t := c.vector(n, name)
		t.DType = ch.dtype
		return t
	}
	mean, variance := vector(ch.channels, "mean"), vector(ch.channels, "variance")
	c.channelsDo(ch, OpChannelStats, name, []*Tensor{x}, mean, variance)
	ch.center, ch.invStd, ch.weight = vector(ch.channels, "center"), vector(ch.channels, "invStd"), vector(1, "weight")
	moves := ch.batch != nil && !(c.spec.Held && trainsBatchNorm(forward))
	c.emit(&Instr{Op: OpHost, Host: channelNorm{ch.batch, ch.eps, ch.images * ch.size, moves}, In: []*Tensor{mean, variance}, Out: []*Tensor{ch.center, ch.invStd, ch.weight},
		Serial: moves, Hidden: moves, Nodes: []string{name}})
	out := c.flat(n.Shape(), name)
	out.DType = ch.dtype
	c.channelsDo(ch, OpChannelsBy, name, []*Tensor{x, ch.center, ch.invStd}, ch.rows(out))
	c.channels[n] = ch
	return value{t: out}, true, nil
}

// lowerChannelNormGrad lowers the gradient of a normalization.
func (c *compiler) lowerChannelNormGrad(n, forward *G.Node) (value, error) {
	if _, err := c.lower(forward); err != nil {
		return value{}, err
	}
	ch := c.channels[forward]
	in := make([]*Tensor, 2)
	for i, k := range Children(n) {
		if !k.Shape().Eq(n.Shape()) || i > 1 {
			return value{}, fmt.Errorf("gradient of node %q has other operands than this version of gorgonia's", Label(forward))
		}
		t, err := c.whole(k)
		if err != nil {
			return value{}, err
		}
		in[i] = ch.rows(t)
	}
	out := c.flat(n.Shape(), Label(n))
	out.DType = ch.dtype
	c.channelsDo(ch, OpChannelsGrad, Label(n), []*Tensor{in[0], in[1], ch.center, ch.invStd, ch.weight}, ch.rows(out))
	return value{t: out}, nil
}

// channelsDo emits an instruction on channels. In the float type that the Program does not compute in, the host
// runs its kernel.
func (c *compiler) channelsDo(ch *channels, op Op, name string, in []*Tensor, out ...*Tensor) {
	i := &Instr{Op: op, In: in, Out: out, Nodes: []string{name}}
	if ch.dtype != c.l.DType {
		i.Op, i.Host = OpHost, channelsHost{op, ch.images, ch.channels, ch.size}
	}
	c.emit(i)
}

// channelsHost is an instruction on channels that the host runs.
type channelsHost struct {
	op                     Op
	images, channels, size int
}

// Call implements Host.
func (h channelsHost) Call(in, out []any) error {
	switch in[0].(type) {
	case []float32:
		channelsOn(h, slicesOf[float32](in), slicesOf[float32](out))
	case []float64:
		channelsOn(h, slicesOf[float64](in), slicesOf[float64](out))
	}
	return nil
}

func channelsOn[T float32 | float64](h channelsHost, x, y [][]T) {
	switch n, c, s := h.images, h.channels, h.size; h.op {
	case OpChannelStats:
		norm.PlaneStats(n, c, s, 0, c, x[0], y[0], y[1])
	case OpChannelsBy:
		norm.RowsBy(c, 0, n*c, s, x[0], x[1], x[2], y[0])
	case OpChannelsGrad:
		norm.PlaneStandardizeGrad(n, c, s, 0, c, x[0], x[2], x[3], x[4][0], x[1], y[0])
	}
}

func slicesOf[T any](xs []any) [][]T {
	out := make([][]T, len(xs))
	for i, x := range xs {
		out[i] = x.([]T)
	}
	return out
}

// rows views a tensor as a row for each channel of each image.
func (ch *channels) rows(t *Tensor) *Tensor { return View(t, ch.images*ch.channels, ch.size) }

// channelNorm decides what channels are standardized by: their own statistics, which in training a batch normalization
// adds to its running ones, or in evaluation those.
type channelNorm struct {
	batch *G.BatchNormOp
	eps   float64
	count int  // elements of a channel
	moves bool // the running ones
}

// Call implements Host.
func (h channelNorm) Call(in, out []any) error {
	if h.batch == nil {
		return standardizeBy(in[0], in[1], out, h.eps, 1)
	}
	op := reflect.ValueOf(h.batch).Elem()
	mean, variance := h.batch.Stats()
	switch training := op.FieldByName("training").Bool(); {
	case training && !h.moves:
		return standardizeBy(in[0], in[1], out, h.eps, 1)
	case !training:
		return standardizeBy(mean.Data(), variance.Data(), out, h.eps, 0)
	}
	momentum, ok := op.FieldByName("momentum").Float(), false
	switch m := in[0].(type) {
	case []float32:
		ok = running(m, in[1].([]float32), mean.Data(), variance.Data(), float32(momentum), h.count)
	case []float64:
		ok = running(m, in[1].([]float64), mean.Data(), variance.Data(), momentum, h.count)
	}
	if !ok {
		return fmt.Errorf("running statistics are a %T and a %T, and the channels a %T", mean.Data(), variance.Data(), in[0])
	}
	return standardizeBy(in[0], in[1], out, h.eps, 1)
}

// running moves running statistics, of which that of the variance is of the unbiased one. It reports whether
// they are of the type.
func running[T float32 | float64](mean, variance []T, into, varInto any, momentum T, count int) bool {
	m, ok := into.([]T)
	v, also := varInto.([]T)
	if !ok || !also {
		return false
	}
	for i := range mean {
		m[i] = T(momentum*mean[i]) + T((1-momentum)*m[i])
		unbiased := variance[i] * T(count) / T(count-1)
		v[i] = T(momentum*unbiased) + T((1-momentum)*v[i])
	}
	return true
}

func standardizeBy(mean, variance any, out []any, eps float64, weight int) error {
	if !CopySlice(out[0], mean) {
		return fmt.Errorf("statistics of another type or number than the channels")
	}
	switch v := variance.(type) {
	case []float32:
		norm.InvStd(len(v), v, eps, out[1].([]float32))
		out[2].([]float32)[0] = float32(weight)
	case []float64:
		norm.InvStd(len(v), v, eps, out[1].([]float64))
		out[2].([]float64)[0] = float64(weight)
	}
	return nil
}

func checkPlanes(in *Instr) error {
	p := in.Planes
	err := p.Check()
	if pool := in.Op == OpPlaneMaxPool || in.Op == OpPlaneMaxPoolGrad; err == nil && pool && p.Dilation != [2]int{1, 1} {
		err = fmt.Errorf("pooling has no dilation")
	}
	if err != nil {
		return err
	}
	x, y := in.In[0], in.Out[0]
	cols := p.Patch()
	if in.Op == OpPlanePatchesGrad {
		x, y = y, x
	}
	images := x.Len() / (p.Channels * p.Height * p.Width)
	rows := images * p.Windows()
	switch in.Op {
	case OpPlaneMaxPoolGrad:
		y = in.In[1]
		fallthrough
	case OpPlaneMaxPool:
		rows, cols = images*p.Channels, p.Windows()
	}
	if x.Len() != images*p.Channels*p.Height*p.Width || y.Rows != rows || y.Cols != cols {
		return fmt.Errorf("%d×%d are no images, or %d×%d not their windows, of %+v", x.Rows, x.Cols, y.Rows, y.Cols, p)
	}
	return checkPlain(in)
}

// checkPlain demands that no operand or result has gaps between its rows.
func checkPlain(in *Instr) error {
	for _, ts := range [][]*Tensor{in.In, in.Out} {
		for _, t := range ts {
			if t.Rows > 1 && t.LD != t.Cols {
				return fmt.Errorf("the rows of %q lie %d elements apart and have %d: lay them out without gaps", t.Name, t.LD, t.Cols)
			}
		}
	}
	return nil
}

// checkChannels demands rows for the channels of whole images.
func checkChannels(in *Instr) error {
	channels := in.Out[0]
	if in.Op != OpChannelStats {
		if channels = in.In[len(in.In)-1]; in.Op == OpChannelsGrad {
			channels = in.In[2]
		}
	}
	if x := in.In[0]; channels.Len() == 0 || x.Rows%channels.Len() != 0 {
		return fmt.Errorf("%d rows are no images of %d channels", x.Rows, channels.Len())
	}
	return checkPlain(in)
}
