package benchmarks

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"driftless/models/norm"
)

// BenchmarkPause measures how long the garbage collector stops the program while
// a network trains: assembly cannot be preempted, so no call of it may be long.
// An operation is one collection; it reports the mean and the longest stop.
func BenchmarkPause(b *testing.B) {
	for _, net := range stepNets() {
		b.Run("net="+net.name, func(b *testing.B) {
			s, step, err := openStep(net.mlp(norm.Must("batchnorm")), denseInput(), net.batch, 1, stepLR)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			stop, done := make(chan struct{}), make(chan error, 1)
			go func() {
				for {
					select {
					case <-stop:
						done <- nil
						return
					default:
					}
					if err := s.Run(context.Background(), step, 10); err != nil {
						done <- err
						return
					}
				}
			}()
			var sum, worst time.Duration
			for b.Loop() {
				time.Sleep(time.Millisecond) // somewhere within a step
				runtime.GC()
				var st debug.GCStats
				debug.ReadGCStats(&st)
				sum += st.Pause[0]
				worst = max(worst, st.Pause[0])
			}
			close(stop)
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(sum.Microseconds())/1e3/float64(b.N), "ms-mean-pause")
			b.ReportMetric(float64(worst.Microseconds())/1e3, "ms-worst-pause")
		})
	}
}
