// Command gen prepares a build of gorgonia.org/cu without a CUDA toolkit.
//
//	go run ./internal/cuda/gen -out build/cuda            # header, archive, environment
//	go run ./internal/cuda/gen -trampolines trampolines.h # what package cuda commits
//
// With -out it writes include/cuda.h, derived from the header that the cu
// module carries for its own generator, and lib/libcuda.a, an archive with no
// members that satisfies cu's -lcuda, and prints the shell lines that set
// CGO_CFLAGS and CGO_LDFLAGS. With -trampolines it writes one line for every
// driver entry point that cu or this project calls. Both are functions of the
// cu version that go.mod names, and of this program.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	out := flag.String("out", "", "write include/cuda.h and lib/libcuda.a below this `folder`, and print the environment")
	trampolines := flag.String("trampolines", "", "write the list of driver entry points to this `file`")
	flag.Parse()
	if err := run(*out, *trampolines); err != nil {
		fmt.Fprintln(os.Stderr, "cuda/gen:", err)
		os.Exit(1)
	}
}

func run(out, trampolines string) error {
	if out == "" && trampolines == "" {
		return fmt.Errorf("nothing to do: give -out, -trampolines or both")
	}
	m, err := findModule()
	if err != nil {
		return err
	}
	a, err := readAPI(m)
	if err != nil {
		return err
	}
	if trampolines != "" {
		if err := write(trampolines, a.trampolines()); err != nil {
			return err
		}
	}
	if out == "" {
		return nil
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	include, lib := filepath.Join(out, "include"), filepath.Join(out, "lib")
	if err := write(filepath.Join(include, "cuda.h"), a.header()); err != nil {
		return err
	}
	if err := write(filepath.Join(lib, "libcuda.a"), "!<arch>\n"); err != nil {
		return err
	}
	fmt.Println(variable("CGO_CFLAGS", "-I", include))
	fmt.Println(variable("CGO_LDFLAGS", "-L", lib))
	return nil
}

// write leaves a file alone that has the content already, so that nothing is
// rebuilt because of its time.
func write(file, content string) error {
	if old, err := os.ReadFile(file); err == nil && string(old) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(content), 0o644)
}

// variable is the shell line that sets one of cgo's variables. The flags before
// path are cgo's defaults, which setting the variable would lose.
func variable(name, option, path string) string {
	word := option + path
	if strings.ContainsAny(word, " \t") { // the go command splits the value at spaces, except in quotes
		word = `"` + word + `"`
	}
	return fmt.Sprintf("export %s='%s'", name, strings.ReplaceAll("-g -O2 "+word, "'", `'\''`))
}
