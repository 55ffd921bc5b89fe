//go:build gpu

package cuda

import (
	"iter"

	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/cuda/fused"
)

// A small network's step takes as long as its launches. So actions go into bundles of
// which each is one launch of a kernel of package fused: what begins a step; what works
// column by column, after a matrix product if there is one; the last layer and the end
// of the step; the gradients and steps of the weights.

// Which actions go where is a matter of their instructions: what the table of instructions
// says works column by column, what is a product, what is an update; and of whether package
// fused does their kernel as an operation.

// maxStripRows is the largest batch whose columns a block takes alone, with a product, and
// maxTallRows without one: a thread has at most four groups of four elements of an operation.
const (
	maxStripRows = 128
	maxTallRows  = 1024
)

// maxWide is the longest vector that a strip takes: of one row, a thread of 32 is busy.
const maxWide = 4096

// smallTiles is the size of the tiles of products that do not take large ones.
const smallTiles = 32

// maxHeadWork bounds what the one block of a head does: rounds of its threads, each as
// long as a sum of the product.
const maxHeadWork = 4096

// bundle is a run of actions that are launched together. What is not a strip or updates
// is done by itself.
type bundle struct {
	actions []*action
	strip   bool
	updates bool
	tiles   int // of updates
}

// fuser puts the actions of a block, in order, into bundles.
type fuser struct {
	b       *binder
	all     []*action
	bundles []*bundle
	in      map[*action]int // the bundle of an action
}

// fuse returns the actions that do what those of a block do.
func (b *binder) fuse(all []*action, k *block) ([]*action, error) {
	f := &fuser{b: b, all: all, in: map[*action]int{}}
	if k.rounds == 1 {
		if first, err := f.batch(); err != nil {
			return nil, err
		} else if first {
			k.begin = nil
		}
	}
	for i, a := range all {
		if _, done := f.in[a]; done {
			continue
		}
		head, err := f.head(i)
		if err != nil {
			return nil, err
		}
		if !head {
			f.place(i)
		}
	}
	var out []*action
	for _, g := range f.bundles {
		a, err := f.launch(g)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// place puts an action into the first bundle that it may run in, else into a new one.
func (f *fuser) place(i int) {
	a := f.all[i]
	if f.awaited(i) {
		return
	}
	members := []*action{a}
	if p := f.productOf(i); p >= 0 {
		members = []*action{f.all[p], a}
	}
	if isUpdateProduct(members[0]) {
		f.placeUpdate(members)
		return
	}
	floor := f.floor(a)
	last := len(f.bundles)
	if isPack(a) { // which is worth it where its matrix is made
		last = floor + 1
	}
	if columnwise(a) {
		for at := max(0, floor); at < last; at++ {
			if g := f.bundles[at]; g.strip && g.takes(a) && (at > floor || f.fits(a, g)) {
				f.join(at, a)
				return
			}
		}
	}
	f.join(f.add(&bundle{strip: columnwise(a) && !isPack(a) || isStripProduct(a)}), a)
}

// takes reports whether a strip's blocks have threads enough for an action, which is due with it.
func (g *bundle) takes(a *action) bool {
	first := g.actions[0]
	return first.every == a.every && (!first.in.Op.Product() || a.only().rows <= maxStripRows)
}

// add begins a bundle, behind the others, and returns its number.
func (f *fuser) add(g *bundle) int {
	f.bundles = append(f.bundles, g)
	return len(f.bundles) - 1
}

func (f *fuser) join(at int, a *action) {
	f.bundles[at].actions = append(f.bundles[at].actions, a)
	f.in[a] = at
}

// floor is the last bundle with an action that must not run after these: -1 if none.
func (f *fuser) floor(actions ...*action) int {
	last := -1
	for _, other := range f.all {
		if at, done := f.in[other]; done && at > last {
			for _, a := range actions {
				if conflict(other, a) {
					last = at
					break
				}
			}
		}
	}
	return last
}

// ---- strips ----

// only returns a's sole launch, if it is the same in every round, or nil.
func (a *action) only() *launch {
	if len(a.launches) != 1 || a.host != nil || a.launches[0].round >= 0 || a.launches[0].valid >= 0 {
		return nil
	}
	return a.launches[0]
}

// operation returns a's sole launch if it can be an operation of a fused one, or nil.
func (a *action) operation() *launch {
	if l := a.only(); l != nil && fused.Operation(l.kernel.Name) {
		return l
	}
	return nil
}

// columnwise reports whether an action can be part of a strip, anywhere.
func columnwise(a *action) bool {
	l := a.operation()
	return l != nil && a.in.Op.Columnwise() && l.rows <= maxTallRows && (l.rows > 1 || l.cols <= maxWide)
}

// isPack reports whether an action makes a copy of a matrix in BF16.
func isPack(a *action) bool { return a.only() != nil && a.only().kernel.Name == "pack" }

// isStripProduct reports whether an action can begin a strip: a product of so few rows
// that it would not take large tiles.
func isStripProduct(a *action) bool {
	l := a.operation()
	return l != nil && a.in.Op.Product() && !a.in.TransA && l.kernel.TileRows == smallTiles && l.rows <= maxStripRows
}

// fits reports whether an action may join a strip some of whose actions it must follow:
// if a block's threads touch only what the block touched before.
func (f *fuser) fits(a *action, g *bundle) bool {
	for _, other := range g.actions {
		if conflict(other, a) && !sameColumns(other, a) {
			return false
		}
	}
	return true
}

// sameColumns reports whether all that two actions of a strip both touch, and one of them
// writes, belongs to the columns of one block.
func sameColumns(x, y *action) bool {
	for o := range x.operands() {
		for p := range y.operands() {
			if (o.write || p.write) && overlap(o.tensor, p.tensor) &&
				!(byColumns(x, o) && byColumns(y, p) && sameShape(o.tensor, p.tensor)) {
				return false
			}
		}
	}
	return true
}

// byColumns reports whether the threads of a block touch only its own columns of an
// operand. A copy of wide elements has more columns than its operands.
func byColumns(a *action, o *operand) bool {
	return o.tensor.Cols == a.only().cols && a.in.OwnColumns(o.tensor)
}

func sameShape(x, y *program.Tensor) bool {
	return x.Rows == y.Rows && x.Cols == y.Cols && x.LD == y.LD && x.DType == y.DType
}

// conflict reports whether the order of two actions matters. Work on the host may fail and
// end its replica's step, so that it stays before what writes state, and behind.
func conflict(x, y *action) bool {
	if x.host != nil && y.writesState() || y.host != nil && x.writesState() {
		return true
	}
	return clash(x.operands(), y.operands())
}

// clash reports whether something is touched by both that one of them writes.
func clash(x, y iter.Seq[*operand]) bool {
	for o := range x {
		for p := range y {
			if (o.write || p.write) && overlap(o.tensor, p.tensor) {
				return true
			}
		}
	}
	return false
}

func (a *action) writesState() bool {
	for o := range a.operands() {
		if o.write && o.tensor.Space == program.SpaceReplica {
			return true
		}
	}
	return false
}

// overlap reports whether tensors may share bytes, before scratch memory is laid out.
func overlap(x, y *program.Tensor) bool {
	x, y = x.Base(), y.Base()
	if x.Space != y.Space || x.Space == program.SpaceScratch {
		return x == y
	}
	return x.Off < y.Off+y.Bytes() && y.Off < x.Off+x.Bytes()
}

// ---- the steps of the weights ----

// isUpdateProduct reports whether an action can be part of updates.
func isUpdateProduct(a *action) bool {
	l := a.operation()
	return l != nil && a.in.Op.Product() && a.in.TransA && l.kernel.TileRows == smallTiles && a.in.Act == activation.Identity
}

// productOf returns the number of the product that is the gradient of the update at i,
// if nothing else reads it, or -1.
func (f *fuser) productOf(i int) int {
	update := f.all[i].operation()
	if update == nil || f.all[i].in.Op != program.OpUpdate {
		return -1
	}
	g := f.all[i].in.In[0]
	found := -1
	for j, a := range f.all {
		for o := range a.operands() {
			if !overlap(o.tensor, g) || j == i {
				continue
			}
			if found >= 0 || !isUpdateProduct(a) || !o.write {
				return -1
			}
			found = j
		}
	}
	if found < 0 || found > i || f.all[found].every != f.all[i].every || !sameShape(f.all[found].in.Out[0], g) ||
		f.all[found].only().rows != update.rows || f.all[found].only().cols != update.cols {
		return -1
	}
	for _, between := range f.all[found+1 : i] { // the product moves to the update
		if conflict(f.all[found], between) {
			return -1
		}
	}
	return found
}

// awaited reports whether the product at i is done with an update that comes later.
func (f *fuser) awaited(i int) bool {
	if !isUpdateProduct(f.all[i]) {
		return false
	}
	for j := i + 1; j < len(f.all); j++ {
		if f.productOf(j) == i {
			return true
		}
	}
	return false
}

// placeUpdate puts a product, and perhaps the step that follows it, among the last
// updates, whose blocks do not wait for each other.
func (f *fuser) placeUpdate(members []*action) {
	floor := f.floor(members...)
	l := members[0].only()
	at := -1
	for i, g := range f.bundles {
		if i > floor && g.updates && g.actions[0].every == members[0].every {
			at = i
		}
	}
	if at < 0 {
		at = f.add(&bundle{updates: true})
	}
	g := f.bundles[at]
	for _, a := range members {
		a.only().first = g.tiles
		f.join(at, a)
	}
	g.tiles += fused.UpdateTiles(l.rows, l.cols)
}

// ---- launches ----

// launch returns the action of a bundle.
func (f *fuser) launch(g *bundle) (*action, error) {
	if len(g.actions) == 1 {
		return g.actions[0], nil
	}
	a := &action{every: g.actions[0].every}
	ops := f.operations(g.actions)
	sh := shape{in: []*program.Tensor{nil}, over: &program.Tensor{Rows: 1}, table: true, ints: map[string]int{"count": len(ops)}}
	for _, m := range g.actions {
		a.instrs = append(a.instrs, m.instrs...)
		sh.over.Cols = max(sh.over.Cols, m.only().cols)
	}
	sh.kernel = fused.Strip(g.actions[0].in.Op.Product(), sh.over.Cols, f.b.s.replicas, f.b.s.dev.context.multiprocessors)
	if g.updates {
		sh.kernel, sh.over.Cols = "updates", g.tiles
	}
	l, err := f.b.launch(sh)
	if err != nil {
		return nil, err
	}
	l.table = ops
	a.launches = []*launch{l}
	return a, nil
}
