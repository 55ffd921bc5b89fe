package report

import (
	"math"
	"strconv"
)

// axis maps values to [0, 1] and knows where its ticks are.
type axis struct {
	min, max float64
	log      bool
	ticks    []tick
}

type tick struct {
	at    float64
	label string
}

// tickStyle says how the ticks of a linear axis are written.
type tickStyle int

const (
	plainTicks   tickStyle = iota
	percentTicks           // fractions as per cent
	countTicks             // steps: "5,000", "50k"
)

// norm returns where v lies between the ends of the axis, 0 to 1.
func (a axis) norm(v float64) float64 {
	if a.log {
		return (math.Log(v) - math.Log(a.min)) / (math.Log(a.max) - math.Log(a.min))
	}
	return (v - a.min) / (a.max - a.min)
}

// linearAxis covers [lo, hi] with a little room. With fixed ends it covers exactly
// that range.
func linearAxis(lo, hi float64, style tickStyle, fixed bool) axis {
	if hi-lo <= max(1e-9*max(math.Abs(lo), math.Abs(hi)), smallestDrawn) {
		half := 0.1 * math.Abs(lo)
		if half < smallestDrawn {
			half = 0.5
		}
		lo, hi, fixed = lo-half, hi+half, false
	}
	if !fixed {
		room := 0.04 * (hi - lo)
		lo, hi = lo-room, hi+room
	}
	if style == percentTicks {
		lo, hi = max(lo, 0), min(hi, 1)
	}
	a := axis{min: lo, max: hi}
	a.ticks = linearTicks(lo, hi, style)
	return a
}

func linearTicks(lo, hi float64, style tickStyle) []tick {
	unit := 1.0
	if style == percentTicks {
		unit = 100
	}
	step := niceStep((hi - lo) * unit / 6)
	if style == countTicks {
		step = max(step, 1)
	}
	var ticks []tick
	for k := math.Ceil(lo * unit / step); k*step <= hi*unit*(1+1e-12) && len(ticks) < 20; k++ {
		ticks = append(ticks, tick{k * step / unit, linearLabel(k*step, step, max(math.Abs(lo), math.Abs(hi)), style)})
	}
	return ticks
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(x float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*base >= x*(1-1e-9) {
			return m * base
		}
	}
	return 10 * base
}

func linearLabel(v, step, largest float64, style tickStyle) string {
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	switch {
	case v == 0 && style != percentTicks:
		return "0"
	case style == percentTicks:
		return strconv.FormatFloat(v, 'f', decimals, 64) + " %"
	case style == countTicks && largest >= 10000 && step >= 100:
		return strconv.FormatFloat(v/1000, 'f', -1, 64) + "k"
	case largest >= 1e5 || largest < 1e-3:
		return shortExponent(strconv.FormatFloat(v, 'e', 1, 64))
	case decimals == 0:
		return groupDigits(strconv.FormatFloat(v, 'f', 0, 64))
	default:
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
}

// logAxis covers [lo, hi], both at least smallestDrawn, on a logarithmic scale:
// ticks at powers of ten, thinned to six; over a short range at 1, 2 and 5 times
// these; over a shorter one as on a linear axis.
func logAxis(lo, hi float64) axis {
	if !(hi > lo*(1+1e-9)) {
		lo, hi = lo/2, hi*2
	}
	room := math.Pow(hi/lo, 0.04)
	lo, hi = lo/room, hi*room
	a := axis{min: lo, max: hi, log: true}
	first, last := int(math.Ceil(math.Log10(lo))), int(math.Floor(math.Log10(hi)))
	switch decades := last - first + 1; {
	case decades >= 3:
		stride := (decades + 5) / 6
		// Count from 1 = 10^0, so that panels of similar range agree.
		for e := first; e <= last; e++ {
			if e%stride == 0 {
				a.ticks = append(a.ticks, logTick(1, e))
			}
		}
	case math.Log10(hi/lo) >= 0.7:
		for e := first - 1; e <= last+1; e++ {
			for _, m := range []int{1, 2, 5} {
				if t := logTick(m, e); t.at >= lo && t.at <= hi {
					a.ticks = append(a.ticks, t)
				}
			}
		}
	default:
		a.ticks = linearTicks(lo, hi, plainTicks)
	}
	return a
}

func logTick(m, e int) tick {
	// Parsing gives the nearest float64, which multiplying by a power does not.
	at, _ := strconv.ParseFloat(strconv.Itoa(m)+"e"+strconv.Itoa(e), 64)
	if e >= -3 && e < 5 {
		return tick{at, groupWhole(strconv.FormatFloat(at, 'f', -1, 64))}
	}
	return tick{at, strconv.Itoa(m) + "e" + strconv.Itoa(e)}
}

// groupWhole groups the digits of a whole number and leaves others alone.
func groupWhole(s string) string {
	for i := range len(s) {
		if s[i] == '.' {
			return s
		}
	}
	return groupDigits(s)
}
