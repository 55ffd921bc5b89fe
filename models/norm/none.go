package norm

// None is no normalization: the arm that others are compared with.
type None struct{}

func init() {
	Register(Info{Name: "none", Title: "no normalization", New: func() Method { return &None{} }})
}

// Name implements Method.
func (*None) Name() string { return "none" }

// Validate implements Method.
func (*None) Validate() error { return nil }

// Class implements Method's class.
func (*None) Class() Class { return Plain }
