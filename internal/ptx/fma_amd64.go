//go:build !noasm

package ptx

import "golang.org/x/sys/cpu"

var hasFMA = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// fmaVector sets d to a·b + c in all lanes, as fmaLoop. It needs hasFMA.
//
//go:noescape
func fmaVector(d, a, b, c *words)
