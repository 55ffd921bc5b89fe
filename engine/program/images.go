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
	eps, momentum          float64
	batch                  *G.BatchNormOp
	training               func() bool // as Instr.Training
	center, invStd         *Tensor
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
		training, momentum := field(forward, "training"), field(forward, "momentum")
		mean, variance := op.Stats()
		if training.Kind() != reflect.Bool || !momentum.CanFloat() || !isRoom(mean, dt, shape[1]) || !isRoom(variance, dt, shape[1]) {
			return nil, nil
		}
		ch.batch, ch.momentum = op, momentum.Float()
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
	ch.center, ch.invStd = c.vector(ch.channels, "center"), c.vector(ch.channels, "invStd")
	ch.center.DType, ch.invStd.DType = ch.dtype, ch.dtype
	out := []*Tensor{ch.center, ch.invStd}
	if ch.batch != nil && !(c.spec.Held && trainsBatchNorm(forward)) {
		ch.training = field(forward, "training").Bool // a machine sets the mode
		running, err := c.running(ch.batch, ch.dtype, ch.training)
		if err != nil {
			return value{}, true, err
		}
		out = append(out, running...)
	}
	c.channelsDo(ch, OpChannelNorm, name, []*Tensor{x}, out...)
	y := c.flat(n.Shape(), name)
	y.DType = ch.dtype
	c.channelsDo(ch, OpChannelsBy, name, []*Tensor{x, ch.center, ch.invStd}, ch.rows(y))
	c.channels[n] = ch
	return value{t: y}, true, nil
}

// running returns the running statistics of a batch normalization, mean and variance, which are states of its own.
func (c *compiler) running(op *G.BatchNormOp, dt DType, training func() bool) (ts []*Tensor, err error) {
	states := c.l.of[op]
	if states == nil {
		mean, variance := op.Stats()
		for i, v := range []tensor.Tensor{mean, variance} {
			s := State{Name: fmt.Sprintf("batchnorm.%d.%s", len(c.l.of), [...]string{"mean", "variance"}[i]), DType: dt,
				Rows: 1, Cols: v.Shape().TotalSize(), Shape: v.Shape().Clone(), Mirror: &Mirror{Room(v), training}, owner: byOperation}
			if !c.spec.Blank {
				s.Init = s.Mirror.Data
			}
			st, err := c.l.Add(s)
			if err != nil {
				return nil, err
			}
			states = append(states, st)
		}
		c.l.of[op] = states
	}
	for _, st := range states {
		ts = append(ts, stateTensor(st))
	}
	return ts, nil
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
	c.channelsDo(ch, OpChannelsGrad, Label(n), []*Tensor{in[0], in[1], ch.center, ch.invStd}, ch.rows(out))
	return value{t: out}, nil
}

// isRoom reports whether a value is memory of n elements of a type.
func isRoom(v G.Value, dt DType, n int) bool {
	room := reflect.ValueOf(Room(v))
	return room.Kind() == reflect.Slice && room.Type().Elem() == dt.Dtype().Type && room.Len() == n
}

// channelsDo emits an instruction on channels. In the float type that the Program does not compute in, the host
// runs its kernel.
func (c *compiler) channelsDo(ch *channels, op Op, name string, in []*Tensor, out ...*Tensor) {
	i := &Instr{Op: op, In: in, Out: out, Eps: ch.eps, Alpha: ch.momentum, Training: ch.training, Nodes: []string{name}}
	if ch.dtype != c.l.DType {
		h := *i
		i.Op, i.Host = OpHost, channelsHost{&h, ch}
		if op == OpChannelNorm {
			i.In = append(in[:1:1], out[2:]...) // running statistics
		}
	}
	c.emit(i)
}

// channelsHost is an instruction on channels that the host runs.
type channelsHost struct {
	in *Instr
	*channels
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
	switch n, c, s := h.images, h.channels.channels, h.size; h.in.Op {
	case OpChannelNorm:
		r := norm.Running[T]{Momentum: T(h.momentum), Training: h.in.StatsWeight() > 0}
		if len(x) > 1 {
			r.Mean, r.Variance = y[2], y[3]
			copy(r.Mean, x[1])
			copy(r.Variance, x[2])
		}
		norm.ChannelNorm(n, c, s, 0, c, x[0], h.eps, r, y[0], y[1])
	case OpChannelsBy:
		norm.RowsBy(c, 0, n*c, s, x[0], x[1], x[2], y[0])
	case OpChannelsGrad:
		norm.PlaneStandardizeGrad(n, c, s, 0, c, x[0], x[2], x[3], T(h.in.StatsWeight()), x[1], y[0])
	}
}

// StatsWeight is 1 where channels are standardized by their own statistics now, 0 where by constants.
func (in *Instr) StatsWeight() float64 {
	if in.Training == nil || in.Training() {
		return 1
	}
	return 0
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
	channels := in.In[len(in.In)-1]
	if in.Op == OpChannelNorm {
		channels = in.Out[0]
		if k := len(in.Out); k != 2 && k != 4 {
			return fmt.Errorf("%d running statistics, where there are two or none", k-2)
		}
	}
	if x := in.In[0]; channels.Len() == 0 || x.Rows%channels.Len() != 0 {
		return fmt.Errorf("%d rows are no images of %d channels", x.Rows, channels.Len())
	}
	return checkPlain(in)
}
