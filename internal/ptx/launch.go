package ptx

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// A worker runs blocks of a launch, one after the other.
type worker struct {
	k       *Kernel
	mem     *Memory
	grid    Dim
	block   Dim
	params  []byte
	budget  int64
	undo    *undo // nil in a serial launch
	fault   *Fault
	warps   []warp
	cache   []*allocation // by memOp.cache
	offset  [lanes]int    // see resolve
	lanes   [lanes]uint8  // those in listed: see active
	listed  uint32
	stamp   uint64 // of the launch
	threads int

	warpSteps, laneSteps int64          // of the launch
	tally                []SharedAccess // by memOp.counted; nil if nothing is counted

	dependent bool // the launch may begin before the one before has ended
	team      *team
	rank      int // in the cluster

	// The following are of the current block.
	blockIndex  int
	me          uint64 // the owner word of the block, without flags
	event       uint32 // see order
	lastBarrier uint32
	shared      []uint32
	sharedBytes int
	cells       []access
	local       []byte
	localInit   []bool
	marks       []teamCell // in place of cells, in a cluster; else nil
	visitor     visitor
	over        bool // in a cluster: all threads have returned
	quiet       bool // likewise: none accessed memory between arriving and waiting
}

// bad returns the fault of a launch that cannot begin.
func (k *Kernel) bad(format string, args ...any) *Fault {
	return &Fault{Kernel: k.name, File: k.module.file, Line: k.line, Kind: BadLaunch, Detail: fmt.Sprintf(format, args...)}
}

// check checks the sizes of a launch.
func (k *Kernel) check(grid, block, cluster Dim, dynShared int, params []byte) *Fault {
	threads, blocks := block.count(), grid.count()
	k.mu.Lock()
	limit := max(maxStaticShared, k.static+k.maxDynamic)
	largest := int64(maxCluster)
	if k.largeClusters {
		largest = maxLargeCluster
	}
	k.mu.Unlock()
	size := cluster.count()
	switch {
	case threads < 1 || blocks < 1:
		return k.bad("grid %s of blocks %s: each part must be at least 1", grid, block)
	case block[0] > 1024 || block[1] > 1024 || block[2] > 64 || threads > int64(k.maxThreads):
		return k.bad("block %s has %d threads, the kernel allows %d (1024×1024×64 at most in x, y and z)", block, threads, k.maxThreads)
	case k.required != Dim{} && k.required != block:
		return k.bad("block %s, the kernel requires %s", block, k.required)
	case grid[1] > 65535 || grid[2] > 65535:
		return k.bad("grid %s, y and z are limited to 65535", grid)
	case blocks > maxGrid:
		return k.bad("grid %s has %d blocks, the virtual device allows %d", grid, blocks, maxGrid)
	case dynShared < 0 || dynShared > limit-k.static:
		return k.bad("%d bytes of dynamic beside %d of static shared memory, the limit is %d", dynShared, k.static, limit)
	case size < 1 || size > largest:
		return k.bad("cluster %s: from 1 to %d blocks are allowed", cluster, largest)
	case grid[0]%cluster[0] != 0 || grid[1]%cluster[1] != 0 || grid[2]%cluster[2] != 0:
		return k.bad("grid %s is no multiple of cluster %s", grid, cluster)
	case size > 1 && k.module.target < 90:
		return k.bad("cluster %s of a kernel for sm_%d: clusters need sm_90", cluster, k.module.target)
	case (size > 1 || k.clusters) && k.sharedAtomics:
		return k.bad("atomic operations on shared memory are not supported in clusters")
	case (size > 1 || k.clusters) && k.async:
		return k.bad("cp.async is not supported in clusters")
	case (size > 1 || k.clusters) && k.matrices:
		return k.bad("ldmatrix is not supported in clusters")
	case len(params) != k.paramBytes:
		return k.bad("%d bytes of parameters instead of %d", len(params), k.paramBytes)
	}
	return nil
}

// Launch runs the kernel to completion on a grid of blocks. Params are the
// parameters as Params lays them out. The error is a *Fault, the first in the
// order of blocks; the memory then holds what was written before.
func (k *Kernel) Launch(mem *Memory, grid, block Dim, dynShared int, params []byte) error {
	return k.launch(mem, grid, block, Dim{1, 1, 1}, dynShared, params, false)
}

// LaunchDependent is Launch as a device does it that may begin before the launch before
// has ended: all threads must execute griddepcontrol.wait, before they access global
// memory.
func (k *Kernel) LaunchDependent(mem *Memory, grid, block Dim, dynShared int, params []byte) error {
	return k.launch(mem, grid, block, Dim{1, 1, 1}, dynShared, params, true)
}

// LaunchClusters is Launch with blocks in clusters, which the grid must be a multiple of.
func (k *Kernel) LaunchClusters(mem *Memory, grid, block, cluster Dim, dynShared int, params []byte) error {
	return k.launch(mem, grid, block, cluster, dynShared, params, false)
}

func (k *Kernel) launch(mem *Memory, grid, block, cluster Dim, dynShared int, params []byte, dependent bool) error {
	if f := k.check(grid, block, cluster, dynShared, params); f != nil {
		return f
	}
	mem.mu.Lock()
	defer mem.mu.Unlock()
	vars, err := mem.instantiate(k.module)
	if err != nil {
		return k.bad("%v", err)
	}
	size := int(cluster.count())
	units := int(grid.count()) / size
	n := mem.Workers
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	if n = min(n, units); k.atomics {
		n = 1
	}
	teams := make([]*team, n)
	var workers []*worker
	for i := range teams {
		t := &team{}
		if size > 1 || k.clusters {
			t.cluster = cluster
		}
		for rank := range size {
			w := k.worker(mem, vars, grid, block, dynShared, params)
			w.join(t, rank)
			w.dependent = dependent
			workers = append(workers, w)
		}
		teams[i] = t
	}
	fault := mem.runTeams(teams, units)
	k.release(workers)
	if fault != nil {
		return fault
	}
	return nil
}

// runTeams runs all blocks, or clusters, on the teams and returns the first fault.
func (m *Memory) runTeams(teams []*team, units int) *Fault {
	m.nextLaunch()
	if len(teams) == 1 {
		return teams[0].runAll(m.launch, units)
	}
	u := &m.saved
	defer u.clear()
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for _, t := range teams {
		t.begin(m.launch, u)
		wg.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= units {
					return
				}
				if !t.run(i) {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if !failed.Load() {
		return nil
	}
	var fault *Fault
	for _, t := range teams {
		if f := t.fault(); f != nil {
			fault = f
		}
	}
	u.rollBack()
	m.nextLaunch()
	if f := teams[0].runAll(m.launch, units); f != nil {
		fault = f
	} // else it comes and goes with the order of blocks
	return fault
}

// runAll runs all blocks, or clusters, in order.
func (t *team) runAll(stamp uint64, units int) *Fault {
	t.begin(stamp, nil)
	for i := range units {
		if !t.run(i) {
			return t.fault()
		}
	}
	return nil
}

// begin prepares for a launch.
func (t *team) begin(stamp uint64, u *undo) {
	for _, w := range t.blocks {
		w.stamp, w.undo, w.fault = stamp, u, nil
		clear(w.cache)
	}
}

// join makes a worker a block of a team.
func (w *worker) join(t *team, rank int) {
	t.blocks = append(t.blocks, w)
	w.team, w.rank = t, rank
	w.marks = nil
	if t.cluster == (Dim{}) {
		return
	}
	w.marks = make([]teamCell, len(w.cells))
	size, clusters := t.cluster, w.grid.over(t.cluster)
	for i := range w.warps {
		for _, s := range w.k.specials {
			d := &w.warps[i].w[s.slot]
			switch {
			case s.id >= clusterNctaidX && s.id <= clusterNctaidZ:
				fill(d, uint32(size[s.id-clusterNctaidX]))
			case s.id >= nclusteridX && s.id <= nclusteridZ:
				fill(d, uint32(clusters[s.id-nclusteridX]))
			case s.id == clusterNctarank:
				fill(d, uint32(size.count()))
			}
		}
	}
}

// runBlock runs one block. It returns false if there is a fault.
func (w *worker) runBlock(index int) bool {
	w.startBlock(index)
	defer w.count()
	for {
		for i := range w.warps {
			if wp := &w.warps[i]; wp.n > 0 && !w.run(wp) {
				return false
			}
		}
		if more, ok := w.barrier(); !ok {
			return false
		} else if !more {
			return true
		}
	}
}

// count adds up what the warps have executed in a block.
func (w *worker) count() {
	for i := range w.warps {
		w.warpSteps += w.warps[i].steps
		w.laneSteps += w.warps[i].lane
	}
}

func (w *worker) startBlock(index int) {
	w.blockIndex = index
	w.me = w.stamp<<stampShift | uint64(index+1)<<blockShift
	w.event, w.lastBarrier = 1, 1
	clear(w.cells)
	w.eachGap(func(i int) { w.cells[i] = sharedGap })
	clear(w.localInit)
	at := w.grid.at(index)
	for i := range w.warps {
		wp := &w.warps[i]
		wp.start()
		if w.dependent {
			wp.held = wp.all
		}
		wp.synced = 1
		for _, u := range w.k.undefined {
			switch u.class {
			case 'p':
				wp.p[u.slot] = 0
			case 'l':
				clear(wp.l[u.slot][:])
			default:
				clear(wp.w[u.slot][:])
			}
		}
		for _, s := range w.k.specials {
			if s.id >= ctaidX && s.id <= ctaidZ {
				fill(&wp.w[s.slot], uint32(at[s.id-ctaidX]))
			}
		}
	}
}

// eachGap calls f for each cell of shared memory between two variables.
func (w *worker) eachGap(f func(cell int)) {
	for _, g := range w.k.gaps {
		lo, hi := (g[0]+3)/4, g[1]/4
		if w.k.fineShared {
			lo, hi = g[0], g[1]
		}
		for i := lo; i < hi; i++ {
			f(i)
		}
	}
}

// worker returns an idle worker, or a new one, set up for a launch.
func (k *Kernel) worker(mem *Memory, vars []*allocation, grid, block Dim, dynShared int, params []byte) *worker {
	k.mu.Lock()
	var w *worker
	if n := len(k.idle); n > 0 {
		w, k.idle = k.idle[n-1], k.idle[:n-1]
	}
	k.mu.Unlock()
	if w == nil {
		w = &worker{k: k, cache: make([]*allocation, k.caches)}
	}
	w.mem, w.grid, w.params, w.fault, w.budget = mem, grid, params, nil, mem.MaxInstructions
	if w.tally = nil; mem.CountShared {
		w.tally = make([]SharedAccess, k.counts+1)
	}
	w.resize(block)
	w.sharedBytes = k.sharedSize + dynShared
	w.shared = grow(w.shared, (w.sharedBytes+3)/4)
	cells := (w.sharedBytes + 3) / 4
	if k.fineShared {
		cells = w.sharedBytes
	}
	w.cells = grow(w.cells, cells)
	for i := range w.warps {
		for _, s := range k.symbols {
			wp := &w.warps[i]
			fill(&wp.l[s.slot], vars[s.index].base+uint64(s.addend))
		}
		for _, s := range k.specials {
			if d := s.id - nctaidX; s.id >= nctaidX && s.id <= nctaidZ {
				fill(&w.warps[i].w[s.slot], uint32(grid[d]))
			}
		}
	}
	return w
}

// grow returns a slice of length n, s if that has the capacity.
func grow[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return make([]T, n)
}

func fill[T any](d *[lanes]T, v T) {
	for i := range d {
		d[i] = v
	}
}

// resize sets up the warps of a block.
func (w *worker) resize(block Dim) {
	if w.block == block {
		return
	}
	k := w.k
	w.block = block
	w.threads = int(block.count())
	n := (w.threads + lanes - 1) / lanes
	w.warps = append(w.warps[:cap(w.warps)], make([]warp, max(0, n-cap(w.warps)))...)[:n]
	for i := range w.warps {
		wp := &w.warps[i]
		if wp.p == nil {
			wp.id, wp.regs = i, regs{make([]words, k.words), make([]longs, k.longs), make([]uint32, k.preds)}
		}
		wp.all = allLanes
		if left := w.threads - i*lanes; left < lanes {
			wp.all = 1<<left - 1
		}
		wp.p[predTrue] = allLanes
		for _, c := range k.fixed {
			if c.long {
				fill(&wp.l[c.slot], c.value)
			} else {
				fill(&wp.w[c.slot], uint32(c.value))
			}
		}
		for _, s := range k.specials {
			for lane := range lanes {
				wp.w[s.slot][lane] = s.id.value(block, i*lanes+lane)
			}
		}
	}
	w.local = grow(w.local, n*lanes*k.localBytes)
	w.localInit = grow(w.localInit, n*lanes*k.localBytes)
}

// release takes workers back and adds up what they did.
func (k *Kernel) release(workers []*worker) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Launches++
	for _, w := range workers {
		k.stats.WarpInstructions += w.warpSteps
		k.stats.LaneInstructions += w.laneSteps
		w.warpSteps, w.laneSteps = 0, 0
		if k.tally == nil && w.tally != nil {
			k.tally = make([]SharedAccess, k.counts+1)
		}
		for i, t := range w.tally {
			k.tally[i].Requests += t.Requests
			k.tally[i].Passes += t.Passes
			k.tally[i].Wavefronts += t.Wavefronts
		}
		clear(w.cache)
		w.mem, w.params, w.undo, w.team, w.marks, w.visitor = nil, nil, nil, nil, nil, visitor{}
		k.idle = append(k.idle, w)
	}
}
