package program

import (
	"maps"
	"reflect"
	"slices"

	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
)

// Inner returns the nodes among those that Gorgonia's constructors make on the way to the one that they return: the
// patches and products of Conv2d, the comparison of Rectify, what BatchNorm and GroupNorm scale, sizes and
// the repetitions of a broadcast; and derivatives that nothing reads and no node has for its own: those of
// these, of inputs for which nobody asked, and of what has none.
func Inner(nodes []*G.Node) map[*G.Node]bool {
	s, inner := stock(), map[*G.Node]bool{}
	stands := func(n *G.Node) bool { return operandsStand(n) == nil }
	for _, n := range nodes {
		ch := Children(n)
		if !stands(n) || slices.ContainsFunc(ch, func(k *G.Node) bool { return !stands(k) }) {
			continue
		}
		switch {
		case is(n, s.batchNorm), is(n, s.groupNorm), is(n, s.repeat), is(n, s.size):
			inner[n] = true
		case is(n, s.transpose):
			if p, ok := ints(field(n, "pattern")); !ok || !slices.Equal(p, []int{0, 3, 1, 2}) || !is(ch[0], s.reshape) {
				break
			}
			product := Children(ch[0])[0]
			if !is(product, s.linAlg) {
				break
			}
			if rows := Children(product)[0]; is(rows, s.reshape) && is(Children(rows)[0], s.patches) {
				inner[ch[0]], inner[product], inner[rows], inner[Children(rows)[0]] = true, true, true, true
			}
		case s.isBinary(n, elem.Mul) && len(ch) == 2:
			if zero, ok := comparedWith(s, ch[1], ch[0]); ok && zero == 0 {
				inner[ch[1]] = true
			}
		}
	}
	read := map[*G.Node]bool{}
	for _, n := range nodes {
		for _, k := range Children(n) {
			read[k] = true
		}
	}
	maps.DeleteFunc(inner, func(n *G.Node, _ bool) bool { return !read[n] })
	for n := range maps.Clone(inner) {
		if d := n.Deriv(); d != nil && !read[d] {
			inner[d] = true
		}
	}
	for _, n := range nodes {
		if !read[n] && len(n.DerivOf()) == 0 && slices.Contains(s.clusters, clusterOf(n)) {
			inner[n] = true
		}
	}
	return inner
}

// clusterOf is the name of the group that a node is drawn in; Gorgonia has some for what Grad makes.
func clusterOf(n *G.Node) string {
	if f := reflect.ValueOf(n).Elem().FieldByName("group"); f.IsValid() && f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}

// comparedWith reports whether a node is x ≥ a constant.
func comparedWith(s *stockOps, n, x *G.Node) (float64, bool) {
	if !s.isBinary(n, elem.Gte) || Children(n)[0] != x {
		return 0, false
	}
	return s.scalarConst(Children(n)[1])
}
