//go:build gpu

package cuda

import (
	"errors"
	"unsafe"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/cluster"
)

// clusterTables are a view's tables on the device.
type clusterTables struct {
	addr  uint64
	begin ready
	boxes []uint64
	args  []unsafe.Pointer // to the boxes
}

// clusterTables returns a view's tables, made once.
func (s *session) clusterTables(b *bound, v view) (*clusterTables, error) {
	if t := b.clusters[v]; t != nil {
		return t, nil
	}
	c, consts := b.cluster, b.consts
	steps := make([]cluster.Step, len(c.steps))
	for i := range c.steps {
		steps[i] = c.steps[i].Step
		for g, o := range c.steps[i].global {
			if o != nil {
				steps[i].Global[g] = s.locate(consts, *o, v, 0)
			}
		}
	}
	moves := make([]cluster.Move, len(c.moves))
	for i := range c.moves {
		moves[i] = c.moves[i].Move
		moves[i].From = s.locate(consts, c.moves[i].from, v, 0) // of scratch memory nowhere
	}
	ops, list := cluster.Pack(steps), cluster.PackMoves(moves)
	t := &clusterTables{begin: c.begin.prepare(s, consts, v, 0)}
	var err error
	if t.addr, err = s.allocate(int64(len(ops)+len(list)), "the operations of clusters"); err != nil {
		return nil, err
	}
	if err := s.toDevice(t.addr, append(ops, list...)); err != nil {
		return nil, errors.Join(err, s.release(t.addr))
	}
	tensors := []kernels.Tensor{s.locate(consts, word(controlHalted), v, 0), {Ptr: t.addr}, {Ptr: t.addr + uint64(len(ops))}}
	for _, o := range c.state {
		tensors = append(tensors, s.locate(consts, o, v, 0))
	}
	for _, x := range tensors {
		t.boxes = append(t.boxes, x.Ptr, uint64(x.Distance))
	}
	t.boxes = append(t.boxes, uint64(len(steps)), uint64(len(moves)), uint64(c.staging), uint64(c.room), 0, program.LossRing)
	for i := range t.boxes {
		t.args = append(t.args, unsafe.Pointer(&t.boxes[i]))
	}
	b.clusters[v] = t
	return t, nil
}

// inCluster queues n steps.
func (s *session) inCluster(b *bound, v view, n int) error {
	t, err := s.clusterTables(b, v)
	if err != nil {
		return err
	}
	if err := s.launch(&t.begin, 0, 0); err != nil {
		return err
	}
	t.boxes[len(t.boxes)-2] = uint64(n)
	blocks := b.cluster.blocks
	err = driver.LaunchClusters(b.cluster.fn, [3]int{blocks, 1, v.count}, [3]int{cluster.Threads, 1, 1}, [3]int{blocks, 1, 1}, b.cluster.bytes, s.stream, t.args)
	if err != nil {
		return driver.Explain("launch of cluster", err)
	}
	s.counters.ClusterLaunches++
	s.counters.ClusterSteps += n
	return nil
}
