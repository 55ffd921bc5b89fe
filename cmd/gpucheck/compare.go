package main

import (
	"fmt"
	"math"
	"strings"

	"driftless/engine/device"
	"driftless/engine/program"
)

// difference is how two sets of states differ.
type difference struct {
	states, elements int // compared
	differ           int // elements whose bits are not the same
	largest          float64
	num, den         float64  // of the NMSE: squares of differences, and of the first's values
	lines            []string // one for each state that differs
}

// nmse is the normalized mean square error: the squares of the differences over those
// of the values.
func (d difference) nmse() float64 {
	if d.num == 0 {
		return 0
	}
	return d.num / d.den
}

func (d difference) String() string {
	if d.differ == 0 {
		return fmt.Sprintf("%d elements of %d states have equal bits", d.elements, d.states)
	}
	return fmt.Sprintf("%d of %d elements of %d states differ, by %.3g at most, NMSE %.3g\n%s",
		d.differ, d.elements, d.states, d.largest, d.nmse(), strings.Join(d.lines, "\n"))
}

// compareStates compares every state of a layout, data sets excepted, of a replica of
// each of two sessions.
func compareStates(l *program.Layout, a device.Session, ra int, b device.Session, rb int) (difference, error) {
	var d difference
	for _, st := range l.States() {
		if st.Shared {
			continue
		}
		var err error
		switch st.DType {
		case program.Float32:
			err = compareState(&d, st, a, ra, b, rb, func(x float32) (uint64, float64) { return uint64(math.Float32bits(x)), float64(x) })
		case program.Float64:
			err = compareState(&d, st, a, ra, b, rb, func(x float64) (uint64, float64) { return math.Float64bits(x), x })
		case program.Uint8:
			err = compareState(&d, st, a, ra, b, rb, whole[uint8])
		case program.Int32:
			err = compareState(&d, st, a, ra, b, rb, whole[int32])
		case program.Int64:
			err = compareState(&d, st, a, ra, b, rb, whole[int64])
		case program.Int:
			err = compareState(&d, st, a, ra, b, rb, whole[int])
		case program.Uint64:
			err = compareState(&d, st, a, ra, b, rb, whole[uint64])
		case program.Bool:
			err = compareState(&d, st, a, ra, b, rb, func(x bool) (uint64, float64) {
				if x {
					return 1, 1
				}
				return 0, 0
			})
		default:
			err = fmt.Errorf("state %q: elements of type %v cannot be compared", st.Name, st.DType)
		}
		if err != nil {
			return d, err
		}
	}
	return d, nil
}

func whole[T uint8 | int32 | int64 | int | uint64](x T) (uint64, float64) {
	return uint64(x), float64(x)
}

// compareState adds what differs in one state. Of a NaN the kind does not count.
func compareState[T any](d *difference, st *program.State, a device.Session, ra int, b device.Session, rb int, of func(T) (uint64, float64)) error {
	x, y := make([]T, st.Len()), make([]T, st.Len())
	if err := a.Read(st.Name, ra, x); err != nil {
		return err
	}
	if err := b.Read(st.Name, rb, y); err != nil {
		return err
	}
	d.states++
	d.elements += len(x)
	count, first, largest := 0, 0, 0.0
	for i := range x {
		bx, fx := of(x[i])
		by, fy := of(y[i])
		if fx == fx {
			d.den += fx * fx
		}
		if bx == by || fx != fx && fy != fy {
			continue
		}
		if count == 0 {
			first = i
		}
		count++
		if diff := math.Abs(fx - fy); diff == diff {
			largest = max(largest, diff)
			d.num += diff * diff
		} else {
			largest, d.num = math.Inf(1), math.Inf(1) // a number and a NaN
		}
	}
	if count > 0 {
		d.lines = append(d.lines, fmt.Sprintf("%s: %d of %d elements, by %.3g at most, the first %d: %v and %v", st.Name, count, len(x), largest, first, x[first], y[first]))
	}
	d.differ, d.largest = d.differ+count, max(d.largest, largest)
	return nil
}
