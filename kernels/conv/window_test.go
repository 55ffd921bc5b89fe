package conv

import (
	"strings"
	"testing"
)

func TestWindow(t *testing.T) {
	w := Window{Height: 7, Width: 9, Channels: 2, KernelHeight: 3, KernelWidth: 2, Stride: 2, Padding: 1}
	if h, v := w.Out(); h != 4 || v != 5 || w.Windows() != 20 || w.Patch() != 12 || w.Positions() != 63 {
		t.Errorf("%v: %d×%d windows of %d, %d positions", w, h, v, w.Patch(), w.Positions())
	}
	for p := range w.Height { // the same as going through all windows
		lo, hi := w.covering(p, w.KernelHeight, 4)
		for i := range 4 {
			top := i*w.Stride - w.Padding
			if covers := p >= top && p < top+w.KernelHeight; covers != (i >= lo && i < hi) {
				t.Errorf("position %d: windows %d to %d, and window %d begins at %d", p, lo, hi, i, top)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	good := Square(5, 6, 2, 3, 1, 1)
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(w *Window){
		"size of 0":             func(w *Window) { w.Channels = 0 },
		"size of -1":            func(w *Window) { w.Stride = -1 },
		"padding of 3":          func(w *Window) { w.Padding = 3 },
		"padding of -1":         func(w *Window) { w.Padding = -1 },
		"larger than the image": func(w *Window) { w.KernelWidth, w.Padding = 9, 0 },
		"more than":             func(w *Window) { w.Height, w.Width = 1<<20, 1<<20 },
	} {
		w := good
		change(&w)
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), w.String()) {
			t.Errorf("%v: %v, want %q", w, err, want)
		}
	}
}

// TestPanics: what a caller got wrong ends in a constant message.
func TestPanics(t *testing.T) {
	w, x := Square(4, 4, 1, 2, 1, 0), make([]float32, 64)
	padded := Square(4, 4, 1, 2, 1, 1)
	for name, f := range map[string]func(){
		"short images":     func() { Patches(w, 9, 1, 0, 4, x[:31], 1, x[32:], 4) },
		"short patches":    func() { Patches(w, 0, 9, 0, 4, x, 1, x[:35], 4) },
		"beyond a window":  func() { Patches(w, 0, 1, 1, 4, x, 1, x, 4) },
		"no window":        func() { Patches(Window{}, 0, 1, 0, 1, x, 1, x, 1) },
		"short gradient":   func() { PatchesGrad(w, 0, 16, x[:35], 4, x, 1) },
		"padded pooling":   func() { MaxPool(padded, 0, 1, x, 1, x, 1) },
		"short pooling":    func() { AveragePool(w, 0, 9, x, 1, x[:8], 1) },
		"short maxima":     func() { MaxPoolGrad(w, 0, 16, x, 1, x[:8], 1, x, 1, x, 1) },
		"short averages":   func() { AveragePoolGrad(w, 0, 16, x[:8], 1, x, 1) },
		"before the first": func() { AveragePoolGrad(w, -1, 16, x, 1, x, 1) },
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "conv: ") {
					t.Errorf("%s: panic %v", name, s)
				}
			}()
			f()
		}()
	}
}
