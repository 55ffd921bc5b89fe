package models

import (
	"driftless/engine/program"
	"driftless/models/norm"
)

// MLP is a multi-layer perceptron, whose hidden layers all have one activation.
type MLP struct {
	Inputs     int
	Hidden     []int
	Classes    int
	Activation string // one of Activations
	InitSD     float64
	Norm       norm.Method
	DType      program.DType // Float32 or Float64
}

// Network assembles it.
func (m MLP) Network() *Network {
	n := &Network{Inputs: m.Inputs, Classes: m.Classes, InitSD: m.InitSD, Norm: m.Norm, DType: m.DType}
	for _, d := range m.Hidden {
		n.Hidden = append(n.Hidden, Layer{Width: d, Activation: m.Activation})
	}
	return n
}
