package vec

import "iter"

// turn hands over to the next of the chains that are being interleaved.
var turn = func() {}

// Interleave emits n independent chains of operations in turns, one of each after
// the other: a processor's scheduler holds too few instructions to find the next
// chain behind a long one. Chains have no labels.
func Interleave(n int, chain func(i int)) {
	type next = func() (struct{}, bool)
	var chains []next
	for i := range n {
		run, _ := iter.Pull(func(yield func(struct{}) bool) {
			turn = func() { yield(struct{}{}) }
			yield(struct{}{})
			chain(i)
		})
		chains = append(chains, run)
	}
	hand := make([]func(), n)
	for i, run := range chains {
		run()
		hand[i] = turn
	}
	for alive := n; alive > 0; {
		for i, run := range chains {
			if run == nil {
				continue
			}
			turn = hand[i]
			if _, more := run(); !more {
				chains[i] = nil
				alive--
			}
		}
	}
	turn = func() {}
}
