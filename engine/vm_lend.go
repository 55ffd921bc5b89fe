package engine

import (
	"fmt"

	"driftless/engine/device"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

// leastLent is the number of elements from which on an input is worth reading in place.
const leastLent = 1024

// lending is the inputs that a run reads where their Values lie: large ones of which operations take
// small parts, as rows of an embedding. Other inputs are copied in, since values on demand are computed
// from them later, when a solver may have changed them; of those that are lent, the parts are kept.
type lending struct {
	tables map[*G.Node]bool
	parts  []program.Output // of nodes that take parts
}

// lend finds out what a machine's inputs are lent to.
func (m *VM) lend(s *survey) lending {
	l := lending{tables: map[*G.Node]bool{}}
	if _, ok := m.dev.(device.HostDevice); !ok || m.options.stock {
		return l
	}
	taken, takes := map[*G.Node]int{}, map[*G.Node]*G.Node{} // elements of an input; node → whose part it takes
	for _, n := range m.nodes {
		if n.IsVar() {
			if size := n.Shape().TotalSize(); size >= leastLent && s.labels[n] == 0 {
				l.tables[n] = true
			}
			continue
		}
		if state := program.Bound(n); state != nil {
			delete(l.tables, state)
		}
		for i, c := range program.Children(n) {
			if !l.tables[c] || program.IsStatement(n) && !program.IsSet(n) {
				continue
			}
			switch size, ok := program.Takes(n, i); {
			case !ok || program.IsSet(n):
				delete(l.tables, c)
			case size > 0:
				taken[c] += size
				takes[n] = c
			}
		}
	}
	for n := range l.tables {
		if taken[n] > n.Shape().TotalSize()/4 {
			delete(l.tables, n)
		}
	}
	for _, n := range m.nodes {
		if l.tables[takes[n]] {
			l.parts = append(l.parts, program.Output{Node: n, Name: fmt.Sprintf("part.%d", n.ID()), Copy: true})
		}
	}
	return l
}

// states are those of the parts.
func (l lending) states() map[*G.Node]string {
	all := map[*G.Node]string{}
	for _, p := range l.parts {
		all[p.Node] = p.Name
	}
	return all
}
