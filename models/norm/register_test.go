package norm

import (
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
)

// odd is a method whose name and settings a test chooses.
type odd struct {
	name string
	Eps  float64 `arm:"eps" help:"added"`
}

func (o *odd) Name() string    { return o.name }
func (o *odd) Validate() error { return CheckEps(o, o.Eps) }

type twice struct {
	odd
	Again float64 `arm:"eps" help:"the same key"`
}

type wide struct {
	odd
	List []int `arm:"list" help:"no type of a setting"`
}

type hidden struct {
	odd
	size int `arm:"size" help:"no exported field"`
}

// TestRegisterSaysWhatIsWrong: each fault of a registration panics with a text that names
// the method and the fault, and leaves the registry as it was.
func TestRegisterSaysWhatIsWrong(t *testing.T) {
	before := len(registry)
	of := func(m Method) func() Method { return func() Method { return m } }
	for _, c := range []struct {
		info Info
		says string
	}{
		{Info{Name: "", Title: "x", New: of(&odd{})}, "lower-case"},
		{Info{Name: "my:norm", Title: "x", New: of(&odd{name: "my:norm"})}, "lower-case"},
		{Info{Name: "Norm", Title: "x", New: of(&odd{name: "Norm"})}, "lower-case"},
		{Info{Name: "a,b", Title: "x", New: of(&odd{name: "a,b"})}, "lower-case"},
		{Info{Name: "none", Title: "x", New: of(&odd{name: "none"})}, "taken"},
		{Info{Name: "odd", New: of(&odd{name: "odd"})}, "Title"},
		{Info{Name: "odd", Title: "x"}, "New"},
		{Info{Name: "odd", Title: "x", New: of(nil)}, "pointer"},
		{Info{Name: "odd", Title: "x", New: of(&odd{name: "even"})}, `calls itself "even"`},
		{Info{Name: "odd", Title: "x", New: of(&odd{name: "odd", Eps: -1})}, "defaults"},
		{Info{Name: "odd", Title: "x", New: of(&twice{odd: odd{name: "odd"}})}, "there twice"},
		{Info{Name: "odd", Title: "x", New: of(&wide{odd: odd{name: "odd"}})}, `"list"`},
		{Info{Name: "odd", Title: "x", New: of(&hidden{odd: odd{name: "odd"}, size: 1})}, `"size"`},
		{Info{Name: "odd", Title: "x", New: of(&odd{name: "odd"}), Treatments: []Treatment{Naive}}, "treatment"},
	} {
		func() {
			defer func() {
				text, _ := recover().(string)
				if !strings.HasPrefix(text, "norm: Register of ") || !strings.Contains(text, c.says) {
					t.Errorf("%+v: it panics with %q, want %q in it", c.info, text, c.says)
				}
			}()
			Register(c.info)
		}()
	}
	if len(registry) != before {
		t.Errorf("%d methods were registered", len(registry)-before)
	}
}

// TestOfAnUnregisteredMethod: one that is used as a value has a name and normalizes.
func TestOfAnUnregisteredMethod(t *testing.T) {
	m := &odd{name: "odd"}
	if got := String(m); got != "odd" {
		t.Errorf("its name is %q", got)
	}
	if len(Settings(m)) != 1 {
		t.Errorf("its settings are %v", Settings(m))
	}
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float32, G.WithShape(2, 3), G.WithName("x"))
	if y, err := NewScope(m, Scope{Name: "norm1", Width: 3, Graph: g, DType: G.Float32}).Normalize(x); err != nil || y != x {
		t.Errorf("it gives %v, %v", y, err)
	}
	m.Eps = -1
	if err := m.Validate(); err == nil || !strings.HasPrefix(err.Error(), "odd: eps -1") {
		t.Errorf("a wrong setting gives %v", err)
	}
}
