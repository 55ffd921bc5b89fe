package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Buckets is the number of intervals of a histogram.
const Buckets = 30

// Value is a number or a histogram under a tag, which groups by its part before a "/".
type Value struct {
	tag   string
	field protowire.Number
	kind  protowire.Type
	data  []byte
}

// Scalar is a number; it may be infinite or NaN.
func Scalar(tag string, x float64) Value {
	return Value{tag, 2, protowire.Fixed32Type, protowire.AppendFixed32(nil, math.Float32bits(float32(x)))}
}

// Histogram is the distribution of numbers, of those that are finite.
func Histogram(tag string, xs []float32) Value {
	return Value{tag, 5, protowire.BytesType, protowire.AppendBytes(nil, histogram(xs))}
}

// Writer adds events to a file. It keeps no file open.
type Writer struct{ path string }

// Create makes a folder with its parents, and in it an event file of that time, which must
// not be there yet.
func Create(folder string, now time.Time) (*Writer, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create the folder of an event file: %w", err)
	}
	w := &Writer{filepath.Join(folder, fmt.Sprintf("events.out.tfevents.%010d.driftless", now.Unix()))}
	first := timed(now)
	first = protowire.AppendString(protowire.AppendTag(first, 3, protowire.BytesType), "brain.Event:2")
	return w, w.add(os.O_EXCL, first)
}

// Add writes values of a step, as one record.
func (w *Writer) Add(step int, now time.Time, values ...Value) error {
	var summary []byte
	for _, v := range values {
		var m []byte
		m = protowire.AppendString(protowire.AppendTag(m, 1, protowire.BytesType), v.tag)
		m = append(protowire.AppendTag(m, v.field, v.kind), v.data...)
		summary = protowire.AppendBytes(protowire.AppendTag(summary, 1, protowire.BytesType), m)
	}
	event := timed(now)
	event = protowire.AppendVarint(protowire.AppendTag(event, 2, protowire.VarintType), uint64(step))
	event = protowire.AppendBytes(protowire.AppendTag(event, 5, protowire.BytesType), summary)
	return w.add(0, event)
}

// timed is an Event with its time, in seconds.
func timed(now time.Time) []byte {
	return double(nil, 1, float64(now.UnixNano())/1e9)
}

func double(m []byte, field protowire.Number, x float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(m, field, protowire.Fixed64Type), math.Float64bits(x))
}

// add appends a record.
func (w *Writer) add(flags int, event []byte) error {
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|flags, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write an event file: %w", err)
	}
	_, err = f.Write(record(event))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("cannot write an event file: %w", err)
	}
	return nil
}

func record(data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	out = binary.LittleEndian.AppendUint32(out, masked(out))
	out = append(out, data...)
	return binary.LittleEndian.AppendUint32(out, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// histogram encodes a HistogramProto: least, largest, count, sum, sum of squares, the upper
// limits of the buckets and their counts.
func histogram(xs []float32) []byte {
	least, largest := math.Inf(1), math.Inf(-1)
	n, sum, squares := 0, 0.0, 0.0
	for _, x := range xs {
		f := float64(x)
		if f-f != 0 {
			continue
		}
		least, largest = min(least, f), max(largest, f)
		n, sum, squares = n+1, sum+f, squares+f*f
	}
	if n == 0 {
		least, largest = 0, 0
	}
	var counts [Buckets]float64
	width := (largest - least) / Buckets
	for _, x := range xs {
		f := float64(x)
		if f-f != 0 {
			continue
		}
		at := Buckets - 1 // where all are equal the last, whose limit they are
		if width > 0 {
			at = min(int((f-least)/width), Buckets-1)
		}
		counts[at]++
	}
	var limits, buckets []byte
	for i, c := range counts {
		limit := least + width*float64(i+1)
		if i == Buckets-1 {
			limit = largest
		}
		limits = protowire.AppendFixed64(limits, math.Float64bits(limit))
		buckets = protowire.AppendFixed64(buckets, math.Float64bits(c))
	}
	var m []byte
	for i, x := range []float64{least, largest, float64(n), sum, squares} {
		m = double(m, protowire.Number(i+1), x)
	}
	m = protowire.AppendBytes(protowire.AppendTag(m, 6, protowire.BytesType), limits)
	return protowire.AppendBytes(protowire.AppendTag(m, 7, protowire.BytesType), buckets)
}
