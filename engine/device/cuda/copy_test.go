//go:build gpu

package cuda

import (
	"testing"

	"driftless/engine/program"
)

// TestCopiesAreDone: what is copied from the host's memory may be changed, or collected,
// as soon as the call returns. The driver may read it later than that unless it is waited
// for; the virtual one does.
func TestCopiesAreDone(t *testing.T) {
	l := program.NewLayout(program.Float32)
	_, err := l.Add(program.State{Name: "x", DType: program.Float32, Rows: 1, Cols: 4})
	must(t, err)
	s, err := open(t).Open(l, 1)
	must(t, err)
	defer s.Close()
	own := s.(*session)
	must(t, own.do(func() error {
		from := []byte{1, 2, 3, 4}
		if err := own.toDevice(own.address(l.Lookup("x"), 0), from); err != nil {
			return err
		}
		clear(from)
		to := make([]byte, 4)
		if err := own.fromDevice(to, own.address(l.Lookup("x"), 0)); err != nil {
			return err
		}
		if string(to) != "\x01\x02\x03\x04" {
			t.Errorf("the device has %v", to)
		}
		return nil
	}))
}
