package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// The sums over a channel have four accumulators, a vector of AVX2. Vectors of AVX-512 would hold those of
// two channels and be no faster: two units work on them, and three on these.

// quads emits a loop over images, in each of which body does four elements of each channel; at is where
// they lie from the pointers to the channels on, in bytes.
func quads(v vec.V, body func(at vec.GP)) {
	images, n, at, left := vec.Arg("images"), vec.Arg("quads"), GP64(), GP64()
	XORQ(at, at)
	Label("image")
	MOVQ(n, left)
	Label("quad")
	body(at)
	ADDQ(Imm(uint64(4*v.Size)), at)
	DECQ(left)
	JNZ(LabelRef("quad"))
	ADDQ(vec.Step("gap"), at)
	DECQ(images)
	JNZ(LabelRef("image"))
}

// channels are pointers to n channels of the matrix named.
func channels(name string, n int) []vec.GP {
	step, p := vec.Arg("step"), []vec.GP{vec.Arg(name)}
	for i := 1; i < n; i++ {
		next := GP64()
		LEAQ(Mem{Base: p[i-1], Index: step, Scale: 1}, next)
		p = append(p, next)
	}
	return p
}

// wide loads four elements as float64.
func wide(v vec.V, from Mem) vec.Reg {
	if v.Double() {
		return v.Load(from)
	}
	return v.WidenHalf(from)
}

// planeSums writes the sums of channels, for AVX2 in either type.
func planeSums(v vec.V) {
	element := func(p, at vec.GP) Mem { return Mem{Base: p, Index: at, Scale: 1} }
	acc := func(p vec.GP, i int) Mem { return Mem{Base: p, Disp: 32 * i} }
	load := func(p vec.GP, n int) (sum []vec.Reg) {
		for i := range n {
			sum = append(sum, v.Load(acc(p, i)))
		}
		return sum
	}
	store := func(sum []vec.Reg, p vec.GP) {
		for i, x := range sum {
			v.Store(x, acc(p, i))
		}
		vec.End()
	}

	const four = 4
	vec.Text("planeSums"+v.Name, v.Signature("func(images, quads int, x *T, step, gap int, acc *float64)"),
		"planeSums"+v.Name+" adds four channels' elements, four of each at a time, to as many accumulators of each. Channels are step bytes",
		"apart, and gap lies between those of an image and the next's.")
	x, p := channels("x", four), vec.Arg("acc")
	sum := load(p, four)
	quads(v, func(at vec.GP) {
		for i := range sum {
			v.Float64().AddTo(wide(v, element(x[i], at)), sum[i])
		}
	})
	store(sum, p)

	vec.Text("planeSquares"+v.Name, v.Signature("func(images, quads int, x *T, step, gap int, center, acc *float64)"),
		"planeSquares"+v.Name+" adds (x − center)² likewise, where each channel has its center.")
	x, p = channels("x", four), vec.Arg("acc")
	sum = load(p, four)
	at0 := vec.Arg("center")
	var center []vec.Reg
	for i := range sum {
		center = append(center, v.Broadcast64(Mem{Base: at0, Disp: 8 * i}))
	}
	quads(v, func(at vec.GP) {
		for i := range sum {
			dev := v.Sub64(wide(v, element(x[i], at)), center[i])
			v.Float64().AddTo(v.Mul64(dev, dev), sum[i])
		}
	})
	store(sum, p)

	vec.Text("planeGradSums"+v.Name, v.Signature("func(images, quads int, x, up *T, step, gap int, mean, invStd *T, acc *float64)"),
		"planeGradSums"+v.Name+" adds up, and then up·(x − mean)·invStd, of two channels likewise.")
	x, up, p := channels("x", 2), channels("up", 2), vec.Arg("acc")
	sum = load(p, 4)
	mean, invStd := vec.Arg("mean"), vec.Arg("invStd")
	var mu, inv []vec.Reg
	for i := range x {
		mu = append(mu, v.Broadcast(Mem{Base: mean, Disp: v.Size * i}))
		inv = append(inv, v.Broadcast(Mem{Base: invStd, Disp: v.Size * i}))
	}
	quads(v, func(at vec.GP) {
		for i := range x {
			g := wide(v, element(up[i], at))
			v.Float64().AddTo(g, sum[i])
			if v.Double() {
				v.AddTo(v.Mul(g, v.Mul(v.Sub(v.Load(element(x[i], at)), mu[i]), inv[i])), sum[2+i])
				continue
			}
			xhat := XMM()
			VMOVUPS(element(x[i], at), xhat)
			VSUBPS(mu[i].AsX(), xhat, xhat)
			VMULPS(inv[i].AsX(), xhat, xhat)
			y := v.New()
			VCVTPS2PD(xhat, y)
			v.AddFMA64(g, y, sum[2+i]) // the product is exact
		}
	})
	store(sum, p)
}

// planeRows writes what is done to each element of channels by itself.
func planeRows(v vec.V) {
	vec.Text("rowsBy"+v.Name, v.Signature("func(m, d int, x *T, step int, mean, invStd, y *T)"),
		"rowsBy"+v.Name+" sets rows to (x − mean)·invStd, where each has a mean and an invStd. Rows are step bytes apart.")
	m, cols := vec.Arg("m"), v.Columns(vec.Arg("d"))
	x, y, mean, invStd := vec.Arg("x"), vec.Arg("y"), vec.Arg("mean"), vec.Arg("invStd")
	next := Imm(uint64(v.Size))
	vec.Rows(m, []vec.Row{{At: x, Step: vec.Step("step")}, {At: y, Step: vec.Step("step")}, {At: mean, Step: next}, {At: invStd, Step: next}}, func() {
		mu, inv := v.Broadcast(Mem{Base: mean}), v.Broadcast(Mem{Base: invStd})
		cols.EachBy(4, func(s vec.Span) { s.Store(v.Mul(v.Sub(s.Load(x), mu), inv), y) })
	})
	vec.End()

	vec.Text("planeGrad"+v.Name, v.Signature("func(m, d int, x, up *T, step int, c, dx *T)"),
		"planeGrad"+v.Name+" sets rows to ((up − c2) − (x − c0)·c1·c3)·c1. Rows are step bytes apart.")
	m, cols = vec.Arg("m"), v.Columns(vec.Arg("d"))
	x, up, dx, c := vec.Arg("x"), vec.Arg("up"), vec.Arg("dx"), vec.Arg("c")
	var k [4]vec.Reg
	for i := range k {
		k[i] = v.Broadcast(Mem{Base: c, Disp: v.Size * i})
	}
	step := vec.Step("step")
	vec.Rows(m, []vec.Row{{At: x, Step: step}, {At: up, Step: step}, {At: dx, Step: step}}, func() {
		cols.EachBy(2, func(s vec.Span) {
			xhat := v.Mul(v.Sub(s.Load(x), k[0]), k[1])
			s.Store(v.Mul(v.Sub(v.Sub(s.Load(up), k[2]), v.Mul(xhat, k[3])), k[1]), dx)
		})
	})
	vec.End()
}
