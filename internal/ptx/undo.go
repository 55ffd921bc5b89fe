package ptx

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// pageSize is the unit in which memory is saved for a roll back.
const pageSize = 4096

// An undo holds what the memory was before a launch wrote to it. When a launch
// on several goroutines fails, the memory is rolled back and the launch done
// again block after block: the fault that is reported, and what the memory then
// holds, never depend on how the goroutines ran.
type undo struct {
	mu    sync.Mutex
	pages []savedPage
	n     int // in use; the others keep their buffers
}

type savedPage struct {
	al   *allocation
	page int
	data []byte
	init []uint64
}

func newPages(size int64) []atomic.Uint32 {
	return make([]atomic.Uint32, (size+pageSize-1)/pageSize)
}

// save saves a page unless another goroutine has done so.
func (u *undo) save(al *allocation, page int, stamp uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if al.shadow.pages[page].Load() == stamp {
		return
	}
	if u.n == len(u.pages) {
		u.pages = append(u.pages, savedPage{data: make([]byte, 0, pageSize), init: make([]uint64, 0, pageSize/64)})
	}
	p := &u.pages[u.n]
	u.n++
	data, init := al.page(page)
	p.al, p.page = al, page
	p.data = append(p.data[:0], data...)
	p.init = append(p.init[:0], init...)
	al.shadow.pages[page].Store(stamp)
}

// page returns the data and init words of a page.
func (a *allocation) page(i int) ([]byte, []uint64) {
	end := min((i+1)*pageSize, len(a.data))
	return a.data[i*pageSize : end], a.init[i*pageSize/64 : (end+63)/64]
}

// rollBack restores the memory.
func (u *undo) rollBack() {
	for _, p := range u.pages[:u.n] {
		data, init := p.al.page(p.page)
		copy(data, p.data)
		for i, old := range p.init {
			p.al.missing.Add(int64(bits.OnesCount64(init[i] &^ old)))
			init[i] = old
		}
	}
}

// maxSaved is how many saved pages keep their buffers for later launches.
const maxSaved = 4096

func (u *undo) clear() {
	for i := range u.n {
		u.pages[i].al = nil
	}
	u.n = 0
	if len(u.pages) > maxSaved {
		u.pages = append([]savedPage(nil), u.pages[:maxSaved]...)
	}
}
