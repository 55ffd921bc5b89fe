//go:build !noasm

package kernels

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestProcessorCaches: the processor says what the operating system does.
func TestProcessorCaches(t *testing.T) {
	got := processorCaches()
	compared := 0
	for i := range 8 {
		read := func(name string) string {
			text, _ := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, name))
			return strings.TrimSpace(string(text))
		}
		var kib int
		if n, _ := fmt.Sscanf(read("size"), "%dK", &kib); n != 1 || read("type") == "Instruction" {
			continue
		}
		have := map[string]int{"2": got.L2, "3": got.L3}
		if size, ok := have[read("level")]; ok {
			compared++
			if size != kib<<10 {
				t.Errorf("level %s: %d bytes, the system says %d KiB", read("level"), size, kib)
			}
		}
	}
	if compared == 0 {
		t.Skip("the system does not say")
	}
}

// TestCachesIn reads leaves as a Zen 4 core and one without a third level have them.
func TestCachesIn(t *testing.T) {
	leaves := [][4]uint32{
		{0x121, 7<<22 | 63, 63, 0},      // 32 KiB of data
		{0x122, 7<<22 | 63, 63, 0},      // 32 KiB of instructions
		{0x143, 7<<22 | 63, 2047, 0},    // 1 MiB
		{0x163, 15<<22 | 63, 32767, 0},  // 32 MiB
		{0, 0, 0, 0}, {0x143, 63, 0, 0}, // the end, and what is beyond it
	}
	read := func(i uint32) (a, b, c, d uint32) { x := leaves[i]; return x[0], x[1], x[2], x[3] }
	if got, want := cachesIn(read), (Caches{1 << 20, 32 << 20}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	leaves[3] = leaves[4]
	if got, want := cachesIn(read), (Caches{1 << 20, 0}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
