// Package device is the seam between compiled Programs and what runs them.
//
// A Device opens Sessions. A Session holds the state of one Layout for R
// replicas: R sets of parameters, seeds and data orders of one graph, which
// train side by side (what vmap over seeds is to JAX). Its entry point is
// Run(program, nSteps): everything that changes between steps (the step count
// and with it the batch, the learning rate, losses) is state on the device, so
// that a device may replay many steps without meeting the host.
//
// The host reads and writes state by name, as copies. Nothing outside a device
// sees its memory, but for what a Hander hands over, nor does it see the host's, but for what that lends it.
//
// To add a device, write one package that implements Device and passes the
// conformance suite in devicetest.
package device

import (
	"context"

	"driftless/engine/program"
	"driftless/kernels/gemm"
)

// Device runs Programs.
type Device interface {
	// Name identifies the device and what its bits depend on, such as "cpu/go".
	Name() string

	// Open makes the state of a Layout, every replica initialised alike, with
	// its initial content. The Layout must not grow afterwards.
	Open(l *program.Layout, replicas int) (Session, error)
}

// Session is the state of a Layout on a device. One goroutine uses it at a time.
type Session interface {
	// Replicas returns the number of replicas.
	Replicas() int

	// Run runs n steps of the Program on every replica. A Program that counts steps (one
	// with a loss) does all of them; another ends early when the context does, between
	// rounds, with the context's error, and what it was to compute is not there. A
	// replica whose loss is not finite ends with that step, its update included, notes
	// it in the state program.StateNonFinite, and runs nothing from then on; so does one
	// in which an operation fails on numbers that are not finite. A replica's bits depend
	// neither on the others nor on how many steps each Run asks for.
	Run(ctx context.Context, p *program.Program, n int) error

	// Read copies a state tensor of a replica into dst, a slice of the state's
	// element type and number of elements.
	Read(name string, replica int, dst any) error

	// Write copies src, a slice of the state's element type and number of
	// elements, into a state tensor of a replica.
	Write(name string, replica int, src any) error

	// Close frees the state.
	Close() error
}

// HostDevice is a Device whose sessions lie in memory of the host and are Handers. Layouts of
// others have no states apart (program.State.Apart).
type HostDevice interface {
	Device
	InHostMemory()
}

// Hander is a Session that hands states apart over, and borrows others.
type Hander interface {
	// Hand returns the elements of a state apart of a replica, in place, for the host to keep. The
	// session makes new memory for the state's next content.
	Hand(name string, replica int) (any, error)

	// View returns the elements of a state apart of a replica, in place, for the host to read until the next Run.
	View(name string, replica int) (any, error)

	// Lend has a replica read a state apart, which no Program may write, in the memory of data, a slice of the
	// state's element type and number of elements: until it is written, lent other memory, or the session is closed.
	Lend(name string, replica int, data any) error
}

// Rounder is a Device that can round the operands of matrix products, to be faster with fewer
// bits than other devices have.
type Rounder interface {
	Device
	// Precision returns to what it rounds them: gemm.Float32 if it does not.
	Precision() gemm.Precision
}

// PrecisionOf returns a device's, which is gemm.Float32 if it is no Rounder.
func PrecisionOf(d Device) gemm.Precision {
	if r, ok := d.(Rounder); ok {
		return r.Precision()
	}
	return gemm.Float32
}

// Profiler is a Session that can tell how it runs a Program, and where a step's time
// goes.
type Profiler interface {
	// Profile runs some steps of the Program to warm up, then n steps, on the first
	// replica, which they train, and times the parts of a step. A device whose times
	// say nothing runs and times none.
	Profile(p *program.Program, n int) (program.Plan, error)
}
