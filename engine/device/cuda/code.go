//go:build gpu

package cuda

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"driftless/kernels/cuda/all"
)

// codeVar is the environment variable that names the folder of the machine code.
const codeVar = "DRIFTLESS_CUBINS"

// codeFolder is where the machine code is looked for, "" for nowhere.
func codeFolder() string {
	if folder := os.Getenv(codeVar); folder != "" {
		return folder
	}
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(self), "cubins")
}

// capability is a compute capability times ten, the number of an architecture's name.
func capability(major, minor int) int { return 10*major + minor }

func archName(capability int) string { return fmt.Sprintf("sm_%d", capability) }

// archs are the capabilities that a folder has code for, rising.
func archs(folder string) (out []int) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "sm_")); err == nil && e.Name() == archName(n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// choose returns which of the capabilities, rising, a device takes the code of, 0 for none:
// the newest that is not newer than the device and has its major number.
func choose(archs []int, major, minor int) int {
	for _, a := range slices.Backward(archs) {
		if a <= capability(major, minor) && a/10 == major {
			return a
		}
	}
	return 0
}

// codeName is the name of a PTX file's machine code. It holds for this very PTX.
func codeName(file, ptx string) string {
	sum := sha256.Sum256([]byte(ptx))
	return fmt.Sprintf("%s-%x.cubin.gz", strings.TrimSuffix(file, ".ptx"), sum[:8])
}

// readCode returns the machine code of a PTX file for a device, and its path; nil if
// there is none.
func readCode(folder string, major, minor int, file, ptx string) (path string, code []byte, err error) {
	a := choose(archs(folder), major, minor)
	if a == 0 {
		return "", nil, nil
	}
	path = filepath.Join(folder, archName(a), codeName(file, ptx))
	packed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return path, nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		code, err = io.ReadAll(z)
	}
	if err != nil {
		return path, nil, fmt.Errorf("%s: %w", path, err)
	}
	return path, code, nil
}

// MachineCode describes the machine code of the kernels that there is for a device of a
// compute capability.
func MachineCode(major, minor int) Code {
	c := Code{Folder: codeFolder()}
	found := archs(c.Folder)
	for _, a := range found {
		c.Archs = append(c.Archs, archName(a))
		for _, file := range files(a) {
			path := filepath.Join(c.Folder, archName(a), codeName(file.name, file.ptx))
			if _, err := os.Stat(path); err != nil {
				c.Missing = append(c.Missing, path)
			}
		}
	}
	if a := choose(found, major, minor); a != 0 {
		c.Chosen = archName(a)
	}
	return c
}

// ptxFile is a file of PTX.
type ptxFile struct{ name, ptx string }

// files lists the PTX that devices of a compute capability take.
func files(capability int) (out []ptxFile) {
	for _, m := range all.Modules {
		if m.Capability <= capability {
			name, form := m.For(capability)
			out = append(out, ptxFile{name, form.PTX})
		}
	}
	return out
}
