package probe

import "math"

// Multipliers are those of the learning rate at which the loss's landscape is looked at along
// the gradient, 0.5 to 4.1.
func Multipliers() []float64 {
	out := make([]float64, 13)
	for i := range out {
		out[i] = 0.5 + 0.3*float64(i)
	}
	return out
}

// Stop is a point on the way along the gradient.
type Stop struct {
	Loss     float64
	Change   float64 // ‖gradient there − gradient here‖
	Distance float64 // of the parameters from here
}

// Walk is the way from a view along its gradient, lr times each multiplier far, with at giving
// the view at a times the gradient.
func Walk(now *View, lr float64, at func(a float64) (*View, error)) ([]Stop, error) {
	size := 0.0
	for _, p := range now.Params {
		size += dot(p.Grad, p.Grad)
	}
	var out []Stop
	for _, k := range Multipliers() {
		v, err := at(k * lr)
		if err != nil {
			return nil, err
		}
		change := 0.0
		for i, p := range v.Params {
			d := minus(p.Grad, now.Params[i].Grad)
			change += dot(d, d)
		}
		out = append(out, Stop{v.Loss, math.Sqrt(change), k * lr * math.Sqrt(size)})
	}
	return out, nil
}

// held is the suffix of the keys of what is measured with statistics held.
const held = "_held"

// walked measures along the gradient, with statistics refreshed at every point, and for a
// naive arm with those held that its gradient takes for constants.
func walked(lab Lab, key string, f func(into Values, key string, stops []Stop)) (Values, error) {
	out := Values{}
	for _, way := range []struct {
		key       string
		refreshed bool
	}{{key, true}, {key + held, false}} {
		if !way.refreshed && !lab.Arm().Naive {
			continue
		}
		stops, err := lab.Walk(way.refreshed)
		if err != nil {
			return nil, err
		}
		f(out, way.key, stops)
	}
	return out, nil
}

// span is the least, the median and the largest of what f gives of the stops.
func span(stops []Stop, f func(s Stop) float64) (lo, mid, hi float64) {
	x := make([]float64, len(stops))
	for i, s := range stops {
		if x[i] = f(s); math.IsNaN(x[i]) {
			return x[i], x[i], x[i]
		}
	}
	return quantile(x, 0), quantile(x, 0.5), quantile(x, 1)
}

const alongText = " at 13 points along the gradient of the step's batch, 0.5 to 4.1 times the learning rate far, statistics refreshed at each; of a naive arm also with statistics held, as its gradient sees it."
