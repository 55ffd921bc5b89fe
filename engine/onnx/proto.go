package onnx

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The versions that Export writes.
const (
	IRVersion = 8
	Opset     = 17
)

// Element types and kinds of attributes, as onnx.proto numbers them.
const (
	typeFloat = 1
	typeInt64 = 7

	attributeFloat = 1
	attributeInt   = 2
	attributeInts  = 7
)

// message is an encoded protobuf message, to which its methods add fields.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(v))
}

// attributes are those of a node: int, []int or float64.
type attributes map[string]any

// nodeProto encodes a node with one result.
func nodeProto(op string, in []string, out string, as attributes) message {
	var m message
	for _, name := range in {
		m.text(1, name)
	}
	m.text(2, out)
	m.text(3, out)
	m.text(4, op)
	for _, name := range slices.Sorted(maps.Keys(as)) {
		var a message
		a.text(1, name)
		switch v := as[name].(type) {
		case float64:
			a.float(2, float32(v))
			a.int(20, attributeFloat)
		case int:
			a.int(3, int64(v))
			a.int(20, attributeInt)
		case []int:
			for _, x := range v {
				a.int(8, int64(x))
			}
			a.int(20, attributeInts)
		}
		m.bytes(5, a)
	}
	return m
}

// floatsProto and intsProto encode a tensor of the graph's own; without dimensions it is a
// scalar.
func floatsProto(name string, shape []int, values []float32) message {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return tensorProto(name, shape, typeFloat, raw)
}

func intsProto(name string, values []int) message {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return tensorProto(name, []int{len(values)}, typeInt64, raw)
}

func tensorProto(name string, shape []int, elem int64, raw []byte) message {
	var m message
	for _, d := range shape {
		m.int(1, int64(d))
	}
	m.int(2, elem)
	m.text(8, name)
	m.bytes(9, raw)
	return m
}

// valueProto encodes what the graph takes or gives: N examples of a shape.
func valueProto(name, doc string, shape []int) message {
	var dims, n message
	n.text(2, "N")
	dims.bytes(1, n)
	for _, d := range shape {
		var dim message
		dim.int(1, int64(d))
		dims.bytes(1, dim)
	}
	var tensor, typ, m message
	tensor.int(1, typeFloat)
	tensor.bytes(2, dims)
	typ.bytes(1, tensor)
	m.text(1, name)
	m.bytes(2, typ)
	m.text(3, doc)
	return m
}

// modelProto encodes a model.
func modelProto(o Options, graph message) message {
	var m, opset message
	m.int(1, IRVersion)
	m.text(2, "driftless")
	m.text(3, o.Version)
	m.text(6, o.Doc)
	m.bytes(7, graph)
	opset.text(1, "")
	opset.int(2, Opset)
	m.bytes(8, opset)
	for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		var entry message
		entry.text(1, key)
		entry.text(2, o.Metadata[key])
		m.bytes(14, entry)
	}
	return m
}
