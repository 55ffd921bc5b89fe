package dataset

import (
	"math/bits"
	"math/rand/v2"
)

const (
	syntheticName  = "synthetic"
	syntheticTrain = 6000
	syntheticTest  = 1000
)

// Synthetic draws a set of 6,000 training and 1,000 test images of 28×28
// pixels that look like handwritten digits, for tests and for a first run
// without data files. Every class has the same number of images in each split,
// in random order.
//
// Each image is one of a few hand-made outlines of its digit, warped, scaled,
// slanted, turned and shifted at random, drawn with a pen of random width and
// strength, with smooth edges and a few stray specks.
//
// The bytes are a function of seed alone: the arithmetic is on integers, so
// they are the same on every platform. Other seeds give other images of the
// same kind. It takes a fraction of a second.
func Synthetic(seed uint64) *Set {
	r := rng{rand.NewPCG(seed, 0x6469676974730a)} // any fixed second half
	return &Set{
		Name:      syntheticName,
		Train:     r.split(syntheticTrain),
		Test:      r.split(syntheticTest),
		Classes:   digits,
		Synthetic: true,
	}
}

// rng draws from PCG, whose sequence is fixed, by rules of its own: those of
// rand.Rand may change between Go releases.
type rng struct{ *rand.PCG }

// in returns a number from lo to hi, both included.
func (r rng) in(lo, hi int64) int64 {
	n, _ := bits.Mul64(r.Uint64(), uint64(hi-lo+1))
	return lo + int64(n)
}

// around returns a number from -spread to spread, more often near 0.
func (r rng) around(spread int64) int64 {
	return (r.in(-spread, spread) + r.in(-spread, spread)) / 2
}

// split draws n images, n/digits of each class in random order.
func (r rng) split(n int) Split {
	s := Split{
		Images: make([]uint8, n*side*side),
		Labels: make([]int, n),
		N:      n, Rows: side, Cols: side, Channels: 1,
	}
	for i := range s.Labels {
		j := r.in(0, int64(i))
		s.Labels[i] = s.Labels[j]
		s.Labels[j] = i % digits
	}
	for i, class := range s.Labels {
		ways := glyphs[class]
		r.draw(s.Images[i*side*side:][:side*side], ways[r.in(0, int64(len(ways)-1))])
	}
	return s
}

// Positions on the canvas are in 1/256 pixel; factors are in 1/4096.
const (
	pixel = 256
	unity = 4096
)

// Ranges of the random changes to a glyph, chosen so that the ten classes are
// learnable but overlap for a linear classifier.
const (
	boxToCanvas = 51            // a box of 100 units is 20 pixels: 51/256 pixel a unit
	warpBy      = 9             // units by which the warp moves a grid point
	scaleLow    = unity * 3 / 4 // each axis on its own
	scaleHigh   = unity * 9 / 8
	slantBy     = unity * 3 / 8 // horizontal shift per unit of height
	turnBy      = unity * 3 / 8 // radians: ±21 degrees
	shiftBy     = pixel * 7 / 2
	penThin     = pixel * 8 / 10 // radius
	penThick    = pixel * 15 / 10
	curveSteps  = 7 // line segments for each piece of a curve
	specks      = 8
)

// draw draws one random rendering of g on an empty canvas.
func (r rng) draw(canvas []uint8, g glyph) {
	move := r.movement()
	pen := r.in(penThin, penThick)
	ink := r.in(170, 255)
	for _, s := range g {
		points := make([]point, len(s.points))
		for i, p := range s.points {
			points[i] = move(p)
		}
		if s.curved {
			points = flatten(points)
		}
		for i := range points[1:] {
			segment(canvas, points[i], points[i+1], pen, ink)
		}
	}
	for range r.in(0, specks) {
		canvas[r.in(0, side*side-1)] = uint8(r.in(0, 255))
	}
}

// movement chooses a random map from a glyph's box to the canvas: a warp that
// moves the points of a 3×3 grid and all between them in proportion (after the
// elastic distortions of Simard, Steinkraus & Platt, 2003), then scaling,
// slanting, turning and shifting.
func (r rng) movement() func(point) point {
	var warp [3][3]point
	for i := range warp {
		for j := range warp[i] {
			warp[i][j] = point{r.in(-warpBy, warpBy), r.in(-warpBy, warpBy)}
		}
	}
	scaleX, scaleY := r.in(scaleLow, scaleHigh), r.in(scaleLow, scaleHigh)
	slant := r.around(slantBy)
	turn := r.around(turnBy)
	shift := point{side*pixel/2 + r.around(shiftBy), side*pixel/2 + r.around(shiftBy)}

	// Taylor series; the error at the largest angle is below 0.001.
	turn2 := turn * turn / unity
	sin := turn - turn*turn2/unity/6
	cos := unity - turn2/2 + turn2*turn2/unity/24

	return func(p point) point {
		// The grid cell of p, and where p lies in it, from 0 to 50; points
		// outside the box continue the nearest cell.
		i, j := min(max(p.y/50, 0), 1), min(max(p.x/50, 0), 1)
		v, u := p.y-50*i, p.x-50*j
		blend := func(a, b, c, d int64) int64 {
			return ((a*(50-u)+b*u)*(50-v) + (c*(50-u)+d*u)*v) * boxToCanvas / (50 * 50)
		}
		a, b, c, d := warp[i][j], warp[i][j+1], warp[i+1][j], warp[i+1][j+1]
		x := (p.x-50)*boxToCanvas + blend(a.x, b.x, c.x, d.x)
		y := (p.y-50)*boxToCanvas + blend(a.y, b.y, c.y, d.y)

		x, y = x*scaleX/unity, y*scaleY/unity
		x -= y * slant / unity
		return point{(x*cos-y*sin)/unity + shift.x, (x*sin+y*cos)/unity + shift.y}
	}
}

// flatten turns the control points of a quadratic B-spline into a polyline.
func flatten(control []point) []point {
	polyline := []point{control[0]}
	from := control[0]
	for i := 1; i+1 < len(control); i++ {
		c, to := control[i], control[i+1]
		if i+2 < len(control) {
			to = point{(c.x + to.x) / 2, (c.y + to.y) / 2}
		}
		for t := int64(1); t <= curveSteps; t++ {
			s := curveSteps - t
			polyline = append(polyline, point{
				(from.x*s*s + 2*c.x*s*t + to.x*t*t) / (curveSteps * curveSteps),
				(from.y*s*s + 2*c.y*s*t + to.y*t*t) / (curveSteps * curveSteps),
			})
		}
		from = to
	}
	return polyline
}

// segment draws the line from a to b with a round pen: a pixel gets the full
// ink where its centre is well inside, none well outside, and over the pixel's
// width around the edge a value between.
func segment(canvas []uint8, a, b point, pen, ink int64) {
	reach := pen + pixel/2
	inner, outer := (pen-pixel/2)*(pen-pixel/2), reach*reach
	dx, dy := b.x-a.x, b.y-a.y
	length2 := dx*dx + dy*dy

	row, lastRow := span(a.y, b.y, reach)
	for ; row <= lastRow; row++ {
		col, lastCol := span(a.x, b.x, reach)
		for ; col <= lastCol; col++ {
			px, py := col*pixel+pixel/2-a.x, row*pixel+pixel/2-a.y
			// The squared distance from the pixel's centre to the segment.
			dist2 := px*px + py*py
			if along := px*dx + py*dy; along >= length2 {
				qx, qy := px-dx, py-dy
				dist2 = qx*qx + qy*qy
			} else if along > 0 {
				cross := px*dy - py*dx
				dist2 = cross * cross / length2
			}
			if dist2 >= outer {
				continue
			}
			value := ink
			if dist2 > inner {
				value = ink * (outer - dist2) / (outer - inner)
			}
			at := row*side + col
			canvas[at] = max(canvas[at], uint8(value))
		}
	}
}

// span returns the first and the last pixel row or column within reach of the
// positions a to b, cut off at the canvas.
func span(a, b, reach int64) (first, last int64) {
	return max((min(a, b)-reach)/pixel, 0), min((max(a, b)+reach)/pixel, side-1)
}
