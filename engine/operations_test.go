package engine_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

var update = flag.Bool("update", false, "write OPERATIONS.md anew; read what changed")

const operationsHead = `# Gorgonia's operations on this engine

What computes each constructor of Gorgonia v0.9.18, in float32 and in float64. ` + "`go test ./engine -run TestConstructors -update`" + `
writes this file from what the compiler makes of the graphs that TestDerivatives checks.

- **kernel**: instructions of the engine ([optable.go](program/optable.go)), in Go on the CPU, many with vectors.
- **loop**: a plain loop of the engine, on the host.
- **op.Do**: Gorgonia's own code, on the host, one instruction for each. What is after it says for which
  operands; for the others there are kernels.
- **CUDA** computes in float32; what it says there is copied to the host and done by the CPU's kernel.
  Loops and op.Do are, too.

` + "`VM.Program`" + ` lists what runs for a graph at hand. What is refused, and which gradients
differ from Gorgonia's on purpose: [doc.go](doc.go).

| constructor | result | gradient | CUDA |
|---|---|---|---|
`

// TestProgram reads in a machine's listing what runs by Gorgonia's own code.
func TestProgram(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("x"))
	G.Must(G.Neg(G.Must(G.DiagFlat(x))))
	m := engine.NewTapeMachine(g)
	if _, err := m.Program(); err == nil || !strings.Contains(err.Error(), `"x" has no value`) {
		t.Errorf("without a value: error %v", err)
	}
	m = engine.NewTapeMachine(g)
	defer m.Close()
	if err := G.Let(x, program.NewValue(tensor.Shape{2}, []float64{1, 2})); err != nil {
		t.Fatal(err)
	}
	p, err := m.Program()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"host by op.Do", "DiagFlat(x)", "unary neg"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("the listing lacks %q:\n%s", want, p)
		}
	}
	if err := m.RunAll(); err != nil {
		t.Error(err)
	}
}

// TestConstructors holds OPERATIONS.md to what the compiler does.
func TestConstructors(t *testing.T) {
	if testing.Short() {
		t.Skip("random graphs run on the same machine")
	}
	log.SetOutput(io.Discard) // gorgonia's GroupNorm prints
	defer log.SetOutput(os.Stderr)
	hosted := cudaHosted(t)
	rows := map[string]*operationRow{}
	for _, d := range append(slices.Clone(derivatives), undifferentiated...) {
		name := constructorOf(d.name)
		if rows[name] == nil {
			rows[name] = &operationRow{cuda: map[string]bool{}}
		}
		rows[name].add(t, d, hosted)
	}
	public := constructors(t)
	var missing []string
	for name := range public {
		if rows[name] == nil {
			missing = append(missing, name)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		t.Errorf("constructors of Gorgonia without a case in the tables of derivatives_table_test.go: %v", missing)
	}
	var w bytes.Buffer
	w.WriteString(operationsHead)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if r := rows[name]; public[name] {
			fmt.Fprintf(&w, "| %s | %s | %s | %s |\n", name, r.of(0), r.of(1), r.onCUDA())
		}
	}
	const path = "OPERATIONS.md"
	if *update {
		if err := os.WriteFile(path, w.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	is, want := strings.Split(string(got), "\n"), strings.Split(w.String(), "\n")
	for i := range max(len(is), len(want)) {
		if i >= len(is) || i >= len(want) || is[i] != want[i] {
			t.Fatalf("%s is not what the compiler does, from line %d on: -update writes it anew", path, i+1)
		}
	}
}

// An operationRow gathers what computes a constructor's result (0) and gradient (1).
type operationRow struct {
	cases [2][]operationCase
	cuda  map[string]bool // instructions that CUDA leaves to the host
}

type operationCase struct {
	what string // "axes of shapes"
	rank int    // of the largest operand
	how  string
}

// add compiles a case in both float types, which must agree.
func (r *operationRow) add(t *testing.T, d derivative, hosted map[program.Op]bool) {
	var hows [2][2]string
	for i, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		value, both, err := d.programs(dt, false)
		if err != nil {
			t.Errorf("%s: %v", d.name, err)
			return
		}
		if value == nil {
			return // doc.go says what is refused
		}
		hows[i][0], hows[i][1] = how(value, nil), "none"
		if both != nil {
			hows[i][1] = how(both, value)
		}
		for _, p := range []*program.Program{value, both} {
			for in := range instrs(p) {
				if hosted[in.Op] && in.Op != program.OpHost {
					r.cuda[in.Title()] = true
				}
			}
		}
	}
	if hows[0] != hows[1] {
		t.Errorf("%s: %v in float32, %v in float64", d.name, hows[0], hows[1])
	}
	c := operationCase{what: strings.TrimSpace(strings.TrimPrefix(d.name, constructorOf(d.name)))}
	for _, a := range d.args {
		c.rank = max(c.rank, len(a.shape))
	}
	for k, how := range hows[0] {
		c.how = how
		r.cases[k] = append(r.cases[k], c)
	}
}

// of describes what computes the result or the gradient.
func (r *operationRow) of(k int) string {
	by := map[string][]operationCase{}
	for _, c := range r.cases[k] {
		by[c.how] = append(by[c.how], c)
	}
	if len(by) == 0 {
		return "refused"
	}
	var parts []string
	for _, how := range []string{"kernel", "loop", "op.Do", "none"} {
		cases := by[how]
		switch {
		case len(cases) == 0:
		case how == "kernel" || len(by) == 1:
			parts = append(parts, how)
		default:
			parts = append(parts, how+": "+r.where(k, cases))
		}
	}
	return strings.Join(parts, "; ")
}

// where says what tells these cases from the others: ranks, or else the cases, which have
// arguments and shapes, or how many they are.
func (r *operationRow) where(k int, cases []operationCase) string {
	here, all := map[int]int{}, map[int]int{}
	for _, c := range cases {
		here[c.rank]++
	}
	for _, c := range r.cases[k] {
		all[c.rank]++
	}
	var ranks, rest []string
	for _, rank := range slices.Sorted(maps.Keys(here)) {
		if here[rank] == all[rank] {
			ranks = append(ranks, fmt.Sprint(rank))
		}
	}
	for _, c := range cases {
		if here[c.rank] < all[c.rank] && !slices.Contains(rest, c.what) {
			rest = append(rest, c.what)
		}
	}
	if len(rest) > 4 {
		rest = []string{fmt.Sprintf("%d of %d cases", len(cases), len(r.cases[k]))}
	} else if len(ranks) > 0 {
		rest = append([]string{"rank " + strings.Join(ranks, ", ")}, rest...)
	}
	return strings.Join(rest, ", ")
}

func (r *operationRow) onCUDA() string {
	if len(r.cuda) == 0 {
		return "the same"
	}
	return "host: " + strings.Join(slices.Sorted(maps.Keys(r.cuda)), ", ")
}

// instrs yields the instructions of a Program, which may be nil.
func instrs(p *program.Program) func(yield func(*program.Instr) bool) {
	return func(yield func(*program.Instr) bool) {
		if p == nil {
			return
		}
		for _, b := range p.Blocks {
			for _, in := range b.Instrs {
				if !yield(in) {
					return
				}
			}
		}
	}
}

// how says by what the instructions of p run that are not in less.
func how(p, less *program.Program) string {
	counts := func(p *program.Program, is func(in *program.Instr) bool) (n int) {
		for in := range instrs(p) {
			if is(in) {
				n++
			}
		}
		return n
	}
	host := func(in *program.Instr) bool { return in.Op == program.OpHost }
	switch {
	case counts(p, (*program.Instr).ByDo) > counts(less, (*program.Instr).ByDo):
		return "op.Do"
	case counts(p, host) > counts(less, host):
		return "loop"
	}
	return "kernel"
}

// programs compiles the result, and the result with its gradients where it has any. Both are nil
// where the compiler refuses the result. With stock Gorgonia's own code computes them.
func (d derivative) programs(dt tensor.Dtype, stock bool) (value, both *program.Program, err error) {
	p, err := d.result(dt, rand.New(rand.NewPCG(7, 8)))
	if err != nil {
		return nil, nil, err
	}
	var grads G.Nodes
	if d.refused == "" && !d.alone {
		if p, err = d.at(dt); err != nil {
			return nil, nil, err
		}
		var wrt []*G.Node
		for i, n := range p.in {
			if d.args[i].ints == nil {
				wrt = append(wrt, n)
			}
		}
		if grads, err = G.Grad(p.loss, wrt...); err != nil {
			return nil, nil, err
		}
	}
	dtype := map[tensor.Dtype]program.DType{tensor.Float32: program.Float32, tensor.Float64: program.Float64}[dt]
	compile := func(nodes ...*G.Node) (*program.Program, error) {
		spec := program.Spec{Name: "graph", Graph: p.g, Stock: stock, Derives: true}
		for i, n := range nodes {
			if !n.IsVar() {
				spec.Outputs = append(spec.Outputs, program.Output{Node: n, Name: fmt.Sprintf("value.%d", i)})
			}
		}
		return program.Compile(program.NewLayout(dtype), spec)
	}
	if value, err = compile(p.y); err != nil {
		if d.refused != "" && strings.Contains(err.Error(), d.refused) {
			err = nil
		}
		return nil, nil, err
	}
	if grads != nil {
		both, err = compile(append(grads, p.y)...)
	}
	return value, both, err
}

// undifferentiated are cases that TestDerivatives does not try: they draw random numbers, or have no
// derivative at all.
var undifferentiated = func() (t table) {
	t.add("Dropout 0.5", func(n nodes) (*G.Node, error) { return G.Dropout(n[0], 0.5) }, normal(3, 4))
	t.add("DiagFlat", of1(G.DiagFlat), normal(3))
	t.add("ConvType", func(n nodes) (*G.Node, error) { return G.ConvType(n[0], n[0].Dtype(), tensor.Int) }, normal(3, 4))
	t.add("YOLOv3", func(n nodes) (*G.Node, error) {
		return G.YOLOv3(n[0], []float32{10, 13, 16, 30, 33, 23}, []int{0, 1, 2}, 64, 2, 0.7) // which Gorgonia can run in float32 alone
	}, normal(1, 21, 2, 2))
	t.add("SizeOf 1", func(n nodes) (*G.Node, error) { return G.SizeOf(1, n[0]) }, normal(3, 4))
	type compare = func(a, b *G.Node, same bool) (*G.Node, error)
	for name, f := range map[string]compare{"Gt": G.Gt, "Gte": G.Gte, "Lt": G.Lt, "Lte": G.Lte, "Eq": G.Eq, "Ne": G.Ne} {
		for _, s := range []shape{{4}, {3, 4}, {2, 3, 4}} {
			t.add(name, func(n nodes) (*G.Node, error) { return f(n[0], n[1], true) }, normal(s...), normal(s...))
			t.add(name, func(n nodes) (*G.Node, error) { return f(n[0], n[1], true) }, normal(s...), normal())
		}
	}
	for name, f := range map[string]func(a, b *G.Node, same bool, l, r []byte) (*G.Node, error){"BroadcastGt": G.BroadcastGt, "BroadcastGte": G.BroadcastGte,
		"BroadcastLt": G.BroadcastLt, "BroadcastLte": G.BroadcastLte, "BroadcastEq": G.BroadcastEq, "BroadcastNe": G.BroadcastNe} {
		t.add(name, func(n nodes) (*G.Node, error) { return f(n[0], n[1], true, nil, []byte{0}) }, normal(3, 4), normal(4))
		t.add(name, func(n nodes) (*G.Node, error) { return f(n[0], n[1], true, nil, []byte{0}) }, normal(2, 3, 4), normal(3, 4))
	}
	for i := range t {
		t[i].alone = true
	}
	return t
}()

var exported = regexp.MustCompile(`^[A-Z][A-Za-z]*([0-9][A-Za-z]*)?`)

// constructorOf is the constructor that a case's name begins with.
func constructorOf(name string) string { return exported.FindString(name) }

// constructors are the functions of Gorgonia that make a node that computes something of nodes.
func constructors(t *testing.T) map[string]bool {
	none := map[string]bool{}
	for _, name := range []string{ // which are about graphs, or apply the caller's function
		"ApplyOp", "ApplyOpWithName", "Backpropagate", "Grad", "Broadcast", "Must", "Read", "Set", "NewUniqueNode", "Auto", "KeepDims",
	} {
		none[name] = true
	}
	pkg, err := build.Import("gorgonia.org/gorgonia", ".", 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range pkg.GoFiles {
		inspect(t, filepath.Join(pkg.Dir, file), func(n ast.Node) {
			fn, ok := n.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.IsExported() && !none[fn.Name.Name] && mentionsNode(fn.Type.Params) && mentionsNode(fn.Type.Results) {
				found[fn.Name.Name] = true
			}
		})
	}
	return found
}

// mentionsNode reports whether one of the fields is a *Node, some of them, or Nodes.
func mentionsNode(l *ast.FieldList) bool {
	if l == nil {
		return false
	}
	return slices.ContainsFunc(l.List, func(f *ast.Field) bool {
		e := f.Type
		if many, ok := e.(*ast.Ellipsis); ok {
			e = many.Elt
		}
		if p, ok := e.(*ast.StarExpr); ok {
			e = p.X
		}
		id, ok := e.(*ast.Ident)
		return ok && (id.Name == "Node" || id.Name == "Nodes")
	})
}

// cudaHosted are the instructions that have no CUDA kernel, as the source of that package says,
// which is not part of every build.
func cudaHosted(t *testing.T) map[program.Op]bool {
	ops := map[string]program.Op{}
	inspect(t, "program/optable.go", func(n ast.Node) {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for i, s := range d.Specs {
				ops[s.(*ast.ValueSpec).Names[0].Name] = program.Op(i)
			}
		}
	})
	hosted := map[program.Op]bool{}
	inspect(t, "device/cuda/instr.go", func(n ast.Node) {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			key, isOp := kv.Key.(*ast.SelectorExpr)
			if v, ok := kv.Value.(*ast.Ident); ok && isOp && v.Name == "onHost" {
				hosted[ops[key.Sel.Name]] = true
			}
		}
	})
	if len(hosted) < 2 || !hosted[program.OpHost] || hosted[program.OpGEMM] {
		t.Fatalf("the bindings of CUDA were not understood: %v", hosted)
	}
	return hosted
}

// inspect visits the syntax of a file.
func inspect(t *testing.T, path string, visit func(n ast.Node)) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool { visit(n); return true })
}
