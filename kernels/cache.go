package kernels

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Caches are the sizes of the caches that a core uses, in bytes. A cache that is not there has 0.
type Caches struct{ L2, L3 int }

// EnvCache names the environment variable that says how large the second-level cache is, in place of
// what the processor says: 512K, or 2M.
const EnvCache = "DRIFTLESS_CACHE"

// Where the processor says nothing.
const (
	defaultL2 = 1 << 20
	defaultL3 = 32 << 20
)

var caches, cacheErr = chooseCaches(os.Getenv(EnvCache), processorCaches())

// CurrentCaches returns the sizes that blocks are made for: the processor's, but for EnvCache. They do not
// show in the bits of a result.
func CurrentCaches() Caches { return caches }

// chooseCaches returns what was found, with the second-level cache that is asked for.
func chooseCaches(l2 string, found Caches) (Caches, error) {
	if found.L2 == 0 {
		found = Caches{defaultL2, defaultL3}
	}
	if l2 == "" {
		return found, nil
	}
	size, err := parseSize(l2)
	if err != nil {
		return found, fmt.Errorf("%s=%s is no size of a cache: give one from 64K to 1024M, like 512K or 2M", EnvCache, l2)
	}
	found.L2 = size
	return found, nil
}

func parseSize(s string) (int, error) {
	shift := 10
	digits, kilo := strings.CutSuffix(s, "K")
	if !kilo {
		var mega bool
		if digits, mega = strings.CutSuffix(s, "M"); !mega {
			return 0, errors.New("no unit")
		}
		shift = 20
	}
	n, err := strconv.ParseUint(digits, 10, 20)
	if size := int(n) << shift; err == nil && size >= 64<<10 && size <= 1<<30 {
		return size, nil
	}
	return 0, errors.New("out of range")
}
