package dataset

// A glyph is one way to write a digit: strokes in a box from (0,0), top left,
// to (100,100), bottom right.
type glyph []stroke

// A stroke is a pen movement along its points: straight from point to point,
// or, if curved, along the quadratic B-spline that starts at the first, ends at
// the last and is drawn towards those between.
type stroke struct {
	curved bool
	points []point
}

// A point is a position in units that depend on the context.
type point struct{ x, y int64 }

func line(p ...point) stroke  { return stroke{false, p} }
func curve(p ...point) stroke { return stroke{true, p} }

// glyphs lists, for each digit, the ways in which it is drawn; one is chosen at
// random for each image.
var glyphs = [digits][]glyph{
	0: {
		{curve(point{50, 6}, point{20, 6}, point{20, 94}, point{80, 94}, point{80, 6}, point{50, 6})},
		{curve(point{58, 6}, point{10, 16}, point{28, 98}, point{88, 94}, point{82, 2}, point{46, 10})},
	},
	1: {
		{line(point{50, 6}, point{50, 94})},
		{line(point{34, 26}, point{52, 6}, point{52, 94})},
		{line(point{34, 26}, point{52, 6}, point{52, 94}), line(point{32, 94}, point{72, 94})},
	},
	2: {
		{curve(point{22, 28}, point{28, 2}, point{82, 2}, point{80, 46}, point{22, 92}), line(point{22, 92}, point{80, 92})},
		{curve(point{24, 20}, point{60, -8}, point{96, 24}, point{50, 68}, point{16, 100}, point{20, 66}, point{54, 84}, point{84, 90})},
	},
	3: {
		{curve(point{24, 14}, point{78, -6}, point{84, 42}, point{44, 48}), curve(point{44, 48}, point{92, 48}, point{86, 106}, point{20, 86})},
		{line(point{24, 8}, point{74, 8}, point{46, 42}), curve(point{46, 42}, point{90, 40}, point{90, 104}, point{22, 88})},
	},
	4: {
		{line(point{64, 94}, point{64, 6}, point{18, 64}, point{84, 64})},
		{line(point{28, 8}, point{22, 54}, point{80, 54}), line(point{72, 8}, point{68, 94})},
	},
	5: {
		{line(point{76, 8}, point{32, 8}, point{28, 46}), curve(point{28, 46}, point{88, 30}, point{88, 106}, point{20, 88})},
		{curve(point{80, 10}, point{24, 4}, point{14, 52}, point{60, 40}, point{96, 60}, point{72, 104}, point{20, 86})},
	},
	6: {
		{curve(point{66, 6}, point{16, 34}, point{18, 98}, point{80, 98}, point{80, 44}, point{36, 46}, point{24, 70})},
		{curve(point{48, 4}, point{24, 40}, point{22, 100}, point{72, 98}, point{76, 56}, point{28, 64})},
	},
	7: {
		{line(point{22, 8}, point{78, 8}, point{42, 94})},
		{line(point{22, 8}, point{78, 8}, point{42, 94}), line(point{36, 50}, point{72, 50})},
		{curve(point{20, 16}, point{50, 4}, point{96, 4}, point{56, 50}, point{48, 94})},
	},
	8: {
		{
			curve(point{50, 48}, point{18, 42}, point{24, 4}, point{76, 4}, point{82, 42}, point{50, 48}),
			curve(point{50, 48}, point{12, 54}, point{18, 96}, point{82, 96}, point{88, 54}, point{50, 48}),
		},
		{curve(point{74, 14}, point{20, -8}, point{16, 44}, point{84, 56}, point{84, 100}, point{18, 98}, point{20, 58}, point{80, 42}, point{74, 14})},
	},
	9: {
		{curve(point{74, 28}, point{68, 2}, point{22, 2}, point{20, 54}, point{70, 56}, point{74, 28}), curve(point{74, 28}, point{78, 64}, point{54, 94})},
		{curve(point{72, 26}, point{60, 0}, point{20, 8}, point{24, 54}, point{66, 52}, point{72, 26}), line(point{72, 26}, point{68, 94})},
	},
}
