package cuda_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"driftless/internal/ptx"
	"driftless/kernels/cuda"
	"driftless/kernels/cuda/fused"
	"driftless/kernels/gemm"
)

var update = flag.Bool("update", false, "write wavefronts.md anew; read what changed")

// accesses is what a kernel's instructions of one kind cost in a launch.
type accesses struct {
	kernel string
	ptx.SharedAccess
}

// count launches a kernel by run, and adds up its accesses to shared memory by
// instruction. The kernel's name is that of the row.
func count(row string, l *launch, run func(l *launch)) []accesses {
	if l.k.form != "" {
		name, rest, _ := strings.Cut(row, " ")
		row = name + "." + l.k.form + " " + rest
	}
	l.mem.CountShared = true
	byOp := map[string]*accesses{}
	add := func(sign int64) {
		for _, a := range l.k.code.SharedAccesses() {
			t := byOp[a.Op]
			if t == nil {
				t = &accesses{row, ptx.SharedAccess{Op: a.Op}}
				byOp[a.Op] = t
			}
			t.Requests += sign * a.Requests
			t.Passes += sign * a.Passes
			t.Wavefronts += sign * a.Wavefronts
		}
	}
	add(-1)
	run(l)
	add(1)
	var all []accesses
	for _, t := range byOp {
		if t.Requests > 0 {
			all = append(all, *t)
		}
	}
	slices.SortFunc(all, func(a, b accesses) int { return cmp.Compare(a.Op, b.Op) })
	return all
}

// countProduct counts the product of a kernel.
func countProduct(t *testing.T, p gemm.Precision, name string, c product) []accesses {
	transA, transB := strings.Contains(name, "_tn_"), strings.Contains(name, "_nt_")
	ar, ac, br, bc := c.m, c.k, c.k, c.n
	if transA {
		ar, ac = ac, ar
	}
	if transB {
		br, bc = bc, br
	}
	l := newLaunch(t, name)
	a, b := operand(l, p, ar, ac, 0, ordinary.draw), operand(l, p, br, bc, 0, ordinary.draw)
	l.null()
	out[float32](l, c.m, c.n, c.n)
	ints := []int{c.m, c.n, c.k, a.words, b.words, c.n, 0}
	if p == gemm.BF16 {
		l.null()
		ints = append(ints, 0)
	}
	l.null()
	return count(fmt.Sprintf("%s %d×%d×%d", name, c.m, c.n, c.k), l, func(l *launch) {
		l.run(c.m, c.n, ints)
	})
}

// countStrip counts a layer's product as a strip, and if it is the first layer of two the
// normalization after it, else the gradient of one.
func countStrip(t *testing.T, strip string, transB bool, c product) []accesses {
	m, n, k := c.m, c.n, c.k
	l := newLaunch(t, strip)
	a := in(l, m, k, k, ordinary.draw)
	var b *tensor[float32]
	name, then := "gemm_nn_32", "standardize_affine"
	if transB {
		name, then = "gemm_nt_32", "affine_grad"
		b = in(l, n, k, k, ordinary.draw)
	} else {
		b = in(l, k, n, n, ordinary.draw)
	}
	gamma, invStd := in(l, 1, n, n, ordinary.draw), in(l, 1, n, n, positive.draw)
	xhat := in(l, m, n, n, ordinary.draw)
	h, y := out[float32](l, m, n, n), out[float32](l, m, n, n)
	var v [3]*tensor[float32]
	for i := range v {
		v[i] = out[float32](l, 1, n, n)
	}
	ops := []fused.Op{{Kernel: entry(t, name), Tensors: []cuda.Tensor{a.at, b.at, {}, h.at, {}}, Ints: []int{m, n, k, k, b.ld, n, 0}}}
	next := fused.Op{Kernel: entry(t, then)}
	if transB {
		next.Tensors = []cuda.Tensor{xhat.at, h.at, gamma.at, invStd.at, y.at, v[0].at, v[1].at, {}}
		next.Ints = []int{m, n, n, n, n}
	} else {
		next.Tensors = []cuda.Tensor{h.at, gamma.at, gamma.at, xhat.at, v[0].at, v[1].at, v[2].at, y.at}
		next.Ints, next.Floats = []int{m, n, n, n, n}, []float64{eps}
	}
	return count(fmt.Sprintf("%s %d×%d×%d, %s", strip, m, n, k, then), l, func(l *launch) { l.table(n, append(ops, next)...) })
}

// TestWavefronts counts what the hot kernels' accesses to shared memory cost. None of
// them may have a bank conflict, and the numbers are those of wavefronts.md.
func TestWavefronts(t *testing.T) {
	var all []accesses
	defer func(was int) { capability = was }(capability)
	for _, capability = range capabilities {
		for _, trans := range []string{"nn", "tn", "nt"} {
			all = append(all, countProduct(t, gemm.Float32, "gemm_"+trans+"_32", product{64, 96, 128, 0})...)
			all = append(all, countProduct(t, gemm.Float32, "gemm_"+trans+"_64", product{64, 128, 64, 0})...)
			all = append(all, countProduct(t, gemm.Float32, "gemm_"+trans+"_128", product{128, 128, 64, 0})...)
			for _, p := range []gemm.Precision{gemm.TF32, gemm.BF16} {
				for _, size := range []string{"64", "128_64", "128"} {
					if p == gemm.BF16 || size != "128_64" {
						all = append(all, countProduct(t, p, fmt.Sprintf("tensor_%v_%s_%s", p, trans, size), product{128, 128, 64, 0})...)
					}
				}
			}
		}
		for _, strip := range []string{"strip", "narrow_strip"} {
			all = append(all, countStrip(t, strip, false, product{60, 100, 784, 0})...)
			all = append(all, countStrip(t, strip, true, product{60, 100, 100, 0})...)
		}
		l := newLaunch(t, "updates")
		w := newWeight(l, "product", product{100, 100, 60, 0}, ordinary)
		all = append(all, count("updates 100×100×60", l, func(l *launch) { l.table(fused.UpdateTiles(w.m, w.n), w.ops(t)...) })...)
	}
	seen := map[string]bool{} // kernels whose form is that of an older device
	all = slices.DeleteFunc(all, func(a accesses) bool {
		again := seen[a.kernel+a.Op]
		seen[a.kernel+a.Op] = true
		return again
	})

	for _, a := range conflicts(all) {
		t.Errorf("%s: %d accesses by %s take %d wavefronts instead of %d: bank conflicts", a.kernel, a.Requests, a.Op, a.Wavefronts, a.Passes)
	}
	var b strings.Builder
	b.WriteString("# Accesses to shared memory of the matrix products\n\n" +
		"Written by go test ./kernels/cuda -run TestWavefronts -update, from launches of two\n" +
		"replicas on the virtual device. A wavefront is what the banks deliver at a time;\n" +
		"driftless/internal/ptx says how they are counted. What has a name with .sm_80 or the\n" +
		"like is the kernel's form for such devices and later ones.\n\n" +
		"| launch | instruction | by warps | wavefronts | each |\n|---|---|---:|---:|---:|\n")
	for _, a := range all {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %.2f |\n", a.kernel, a.Op, a.Requests, a.Wavefronts, float64(a.Wavefronts)/float64(a.Requests))
	}
	const file = "wavefronts.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != b.String() {
		t.Errorf("%s is out of date: see what changed with git diff after -update", file)
	}
}

// conflicts are the accesses that take more wavefronts than they must.
func conflicts(all []accesses) []accesses {
	return slices.DeleteFunc(slices.Clone(all), func(a accesses) bool { return a.Wavefronts == a.Passes })
}

// A conflict is noticed: the stores of a transposed tile of 32×32, whose rows are four
// elements longer, in the order of its rows.
func TestWavefrontsOfConflict(t *testing.T) {
	const source = `.version 6.3
.target sm_75
.address_size 64
.visible .entry transposed()
{
	.reg .b32 %r<6>; .reg .b64 %rd<4>;
	.shared .align 16 .b8 tile[4608];
	mov.u32 %r1, %tid.x;
	and.b32 %r2, %r1, 7;
	shr.u32 %r3, %r1, 3;
	mul.lo.s32 %r4, %r2, 576;
	mad.lo.s32 %r5, %r3, 4, %r4;
	cvt.u64.u32 %rd1, %r5;
	mov.u64 %rd2, tile;
	add.s64 %rd3, %rd1, %rd2;
	st.shared.u32 [%rd3], %r1;
	st.shared.u32 [%rd3+144], %r1;
	st.shared.u32 [%rd3+288], %r1;
	st.shared.u32 [%rd3+432], %r1;
	ret;
}
`
	m, err := ptx.Load("transposed.ptx", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	l := &launch{t: t, mem: ptx.NewMemory(1 << 20), k: loaded{Kernel: cuda.Kernel{Name: "transposed", Over: cuda.Single, NoControl: true}, code: m.Kernel("transposed")}}
	found := conflicts(count("transposed", l, func(l *launch) { l.run(1, 1, nil) }))
	if len(found) != 1 || found[0].Requests != 4*replicas || found[0].Wavefronts != 4*found[0].Requests {
		t.Errorf("found %+v", found)
	}
}
