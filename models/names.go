package models

import (
	"fmt"
	"strings"
)

func unknownNorm(name string) error { return unknown("norm", name, Names()) }

// unknown is the error for a name that is none of a list: it gives the list, and
// the nearest name where one is near.
func unknown(what, name string, names []string) error {
	best, dist := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(name), n); d < dist {
			best, dist = n, d
		}
	}
	hint := ""
	if best != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", best)
	}
	return fmt.Errorf("unknown %s %q%s: choose one of %s", what, name, hint, strings.Join(names, ", "))
}

// distance is the edit distance of two names.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur := make([]int, len(b)+1)
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
		}
		prev = cur
	}
	return prev[len(b)]
}

// Parse reads an arm such as "center:naive", "batchnorm" or
// "standardize:graph:affine": a method, then in any order how the gradient treats
// the statistics (naive or graph; grad where unset) and affine or noaffine. The
// settings are the method's defaults.
func Parse(arm string, grad Grad) (Norm, error) {
	parts := strings.Split(strings.TrimSpace(arm), ":")
	var forms []Norm
	for _, f := range Forms() {
		if f.Method == parts[0] {
			forms = append(forms, f)
		}
	}
	if len(forms) == 0 {
		return Norm{}, unknownNorm(parts[0])
	}
	var affine *bool
	explicit := false
	for _, p := range parts[1:] {
		switch p {
		case string(Naive), string(Graph):
			grad, explicit = Grad(p), true
		case "affine", "noaffine":
			v := p == "affine"
			affine = &v
		default:
			return Norm{}, fmt.Errorf("arm %q: %q is none of naive, graph, affine, noaffine", arm, p)
		}
	}
	n := forms[0]
	if len(forms) == 1 {
		if explicit && n.Grad != grad {
			return n, oneForm(arm, n)
		}
	} else {
		found := false
		for _, f := range forms {
			if f.Grad == grad {
				n, found = f, true
			}
		}
		if !found {
			return n, fmt.Errorf("arm %q: say how the gradient treats the statistics, %s:naive or %s:graph", arm, n.Method, n.Method)
		}
	}
	if affine != nil {
		if n.Method == None.Method {
			return n, fmt.Errorf("arm %q: without a normalization there is no gamma and beta", arm)
		}
		n.Affine = *affine
	}
	return n, nil
}

func oneForm(arm string, n Norm) error {
	switch n.Method {
	case BatchNorm.Method:
		return fmt.Errorf("arm %q: batchnorm is differentiated in the graph by definition: use standardize:naive:affine", arm)
	case WhitenNaive.Method:
		return fmt.Errorf("arm %q: whiten has no gradient through its statistics: use whiten:naive", arm)
	}
	return fmt.Errorf("arm %q: %s has no statistics to differentiate", arm, n.Method)
}

// SetsAffine tells whether an arm's name says affine or noaffine itself.
func SetsAffine(arm string) bool {
	for _, p := range strings.Split(arm, ":")[1:] {
		if p == "affine" || p == "noaffine" {
			return true
		}
	}
	return false
}
