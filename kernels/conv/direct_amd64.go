//go:build !noasm

package conv

import (
	"unsafe"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/gemm"
)

// A patch is a few runs of numbers of the image, one for each row of the window, and that of the
// next window begins a step further on: products can read the images themselves, without
// patches. Only images with padding, or whose positions lie apart, are laid out first.

// Bits of the argument flags of the kernels. internal/gen has the same.
const (
	flagAdd  = 1 << iota // c is added to
	flagReLU             // negative elements become 0
)

// callWork is the most FMAs of a call of assembly, which cannot be preempted, in bytes of their
// results: 100 µs on a slow core.
const callWork = 12 << 20

// asSegments views scratch, segmentSize numbers or fewer for each, as segments. (On the stack they
// would not stay, since the kernels are called by reference.)
func asSegments[T kernels.Float](scratch []T) []segment {
	return unsafe.Slice((*segment)(unsafe.Pointer(unsafe.SliceData(scratch))), len(scratch)/segmentSize)
}

// images are what windows move over: as they are, or laid out.
type images[T kernels.Float] struct {
	Window
	src      []T
	ld       int
	row      int // numbers of a row of positions, padding included
	size     int // of an image
	room     []T // of images laid out, nil if they need not be
	from, to int // those that are there
}

func newImages[T kernels.Float](w Window, x []T, ldx int, room []T) images[T] {
	m := images[T]{Window: w, src: x, ld: ldx, row: w.Width * w.Channels}
	m.size = m.row * w.Height
	if w.Padding > 0 || ldx != w.Channels {
		m.row, m.size = (w.Width+2*w.Padding)*w.Channels, w.laidOut()
		m.room = room[:len(room)/m.size*m.size]
		clear(m.room)
	}
	return m
}

// at returns images from i to j, the first of which begins where the slice does.
func (m *images[T]) at(i, j int) []T {
	if m.room == nil {
		return m.src[i*m.size:]
	}
	if m.from != i || m.to < j {
		for k := i; k < j; k++ {
			m.layOut(k, m.room[(k-i)*m.size:])
		}
		m.from, m.to = i, j
	}
	return m.room
}

// layOut copies image k to the middle of its padding.
func (m *images[T]) layOut(k int, to []T) {
	for y := range m.Height {
		row := to[(y+m.Padding)*m.row+m.Padding*m.Channels:]
		from := m.src[(k*m.Height+y)*m.Width*m.ld:]
		if m.ld == m.Channels {
			copy(row[:m.Width*m.Channels], from)
			continue
		}
		for x := range m.Width {
			copy(row[x*m.Channels:][:m.Channels], from[x*m.ld:])
		}
	}
}

// vectors returns how many vectors a tile has of n columns left, and how many columns it does.
func (u *unit[T]) vectors(n int) (vectors, cols int) {
	if n <= u.lanes {
		return 1, n
	}
	return 2, min(n, 2*u.lanes)
}

// tile is a call of a kernel but for its rows.
type tile[T kernels.Float] struct {
	*unit[T]
	segments             []segment
	work                 int // FMAs of a row of a vector
	rowStep, kStep, next int // of a, in numbers; next is from panel to panel
	ldb, ldc, nextC      int
	flags                int
}

// rows computes n rows of c, and of panels so many, in tiles of equal height or nearly so. If
// along, panels are such tiles.
func (t *tile[T]) rows(n, panels int, a, b, c []T, bias []T, vectors, cols int) {
	tiles := t.tiles[vectors]
	count := (n + len(tiles) - 2) / (len(tiles) - 1)
	height, more := n/count, n%count // so many of the tiles have one more
	for i, k := 0, 0; i < n; k++ {
		h := height
		if k < more {
			h++
		}
		most := max(1, callWork/(kernels.SizeOf[T]()*h*cols*t.work))
		for p := 0; p < panels; p += most {
			t.call(tiles[h], min(most, panels-p), a[i*t.rowStep+p*t.next:], b, c[i*t.ldc+p*t.nextC:], bias, (cols-1)%t.lanes+1)
		}
		i += h
	}
}

// call is not inlined, for the stack check at its head: assembly cannot be preempted.
//
//go:noinline
func (t *tile[T]) call(f tileFunc[T], panels int, a, b, c, bias []T, tail int) {
	var first *T
	if bias != nil {
		first = &bias[0]
	}
	size := kernels.SizeOf[T]()
	f(panels, len(t.segments), &t.segments[0].at, &a[0], size*t.rowStep, size*t.kStep, size*t.next, &b[0], size*t.ldb,
		&c[0], size*t.ldc, size*t.nextC, first, tail, t.flags)
}

// pair computes n rows of c, and as many for the rows of a that are next further on.
//
//go:noinline
func (t *tile[T]) pair(n int, a, b, c []T, cols, next int) {
	size := kernels.SizeOf[T]()
	t.pairs[n](1, len(t.segments), &t.segments[0].at, &a[0], size*t.rowStep, size*t.kStep, 0, &b[0], size*t.ldb,
		&c[0], size*t.ldc, 0, nil, cols, t.flags, size*next)
}

// directProduct is Product if it can read the images themselves.
func directProduct[T kernels.Float](w Window, first, m, n int, x []T, ldx int, b []T, ldb int, c []T, ldc int, ep gemm.Epilogue[T], scratch []T) bool {
	u := unitInUse[T]()
	if u == nil || !w.directly() || m == 0 || n == 0 {
		return false
	}
	u.product(w, first, m, n, x, ldx, b, ldb, c, ldc, ep, scratch)
	return true
}

func (u *unit[T]) product(w Window, first, m, n int, x []T, ldx int, b []T, ldb int, c []T, ldc int, ep gemm.Epilogue[T], scratch []T) {
	size, count := w.laidOut(), w.KernelHeight
	from, runs := newImages(w, x, ldx, scratch[:size]), asSegments(scratch[size:][:segmentSize*count])
	for i := range runs {
		runs[i] = segment{int32(kernels.SizeOf[T]() * i * from.row), int32(w.KernelWidth * w.Channels)}
	}
	k := w.Patch()
	b, ldb = u.packed(k, n, b, ldb, scratch[size+segmentSize*count:])
	_, across := w.Out()
	per := w.Windows()
	t := tile[T]{unit: u, segments: runs, work: k, rowStep: w.Stride * w.Channels, kStep: 1, next: w.Stride * from.row,
		ldb: ldb, ldc: ldc, nextC: across * ldc}
	if ep.Act == activation.ReLU {
		t.flags = flagReLU
	}
	for r := 0; r < m; {
		image, i := (first+r)/per, (first+r)%per
		row, col := i/across, i%across
		rows, cols := 1, min(m-r, across-col) // of windows: a part of a row, or whole rows
		if col == 0 && cols == across {
			rows = min(m-r, per-i) / across
		}
		a := from.at(image, image+1)[row*t.next+col*t.rowStep:]
		for j := 0; j < n; {
			vectors, width := u.vectors(n - j)
			var bias []T
			if ep.Bias != nil {
				bias = ep.Bias[j:]
			}
			t.rows(cols, rows, a, b[j*k:], c[r*ldc+j:], bias, vectors, width)
			j += width
		}
		if ep.Act == activation.Sigmoid || ep.Act == activation.Tanh {
			z := c[r*ldc:]
			activation.Forward(ep.Act, rows*cols, n, z, ldc, z, ldc)
		}
		r += rows * cols
	}
}

// packed returns b in panels of two vectors below one another, if it is wider than one.
func (u *unit[T]) packed(k, n int, b []T, ldb int, room []T) ([]T, int) {
	width := 2 * u.lanes
	if n <= width {
		return b, ldb
	}
	for j := 0; j < n; j += width {
		for p := range k {
			copy(room[j*k+p*width:][:min(width, n-j)], b[p*ldb+j:])
		}
	}
	return room, width
}

// directGradient is Gradient if it can read the images themselves.
func directGradient[T kernels.Float](w Window, windows, from, d, n int, x []T, ldx int, g []T, ldg int, c []T, ldc int, scratch []T) bool {
	u := unitInUse[T]()
	if _, across := w.Out(); u == nil || !w.directly() || across < minAcross || windows == 0 || n == 0 {
		return false
	}
	u.gradient(w, windows, from, d, n, x, ldx, g, ldg, c, ldc, scratch)
	return true
}

func (u *unit[T]) gradient(w Window, windows, from, d, n int, x []T, ldx int, g []T, ldg int, c []T, ldc int, scratch []T) {
	size := w.imagesOf(windows) * w.laidOut()
	src, rows := newImages(w, x, ldx, scratch[:size]), asSegments(scratch[size:]) // of windows side by side
	_, across := w.Out()
	per, run, chunk := w.Windows(), w.KernelWidth*w.Channels, gemm.Chunk(windows)
	t := tile[T]{unit: u, rowStep: 1, kStep: w.Stride * w.Channels, ldb: ldg, ldc: ldc}
	for i := 0; i < windows; i += chunk {
		end := min(i+chunk, windows)
		image := i / per
		a := src.at(image, (end+per-1)/per)
		count := 0
		for r := i; r < end; count++ {
			row, col := r%per/across, r%across
			n := min(end-r, across-col)
			rows[count] = segment{int32(kernels.SizeOf[T]() * ((r/per-image)*src.size + row*w.Stride*src.row + col*t.kStep)), int32(n)}
			r += n
		}
		t.segments, t.work = rows[:count], end-i
		for p := from; p < from+d; {
			if p%run == 0 && run < len(u.pairs) && p+2*run <= from+d && n <= u.lanes {
				t.pair(run, a[p/run*src.row:], g[i*ldg:], c[(p-from)*ldc:], n, src.row)
				p += 2 * run
				continue
			}
			size := min(from+d, (p/run+1)*run) - p
			for j := 0; j < n; {
				vectors, width := u.vectors(n - j)
				t.rows(size, 1, a[p/run*src.row+p%run:], g[i*ldg+j:], c[(p-from)*ldc+j:], nil, vectors, width)
				j += width
			}
			p += size
		}
		t.flags = flagAdd
	}
}
