package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// find returns the path of a program that is on the PATH or in one of the folders, which
// are patterns, or nothing.
func find(name string, folders ...string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range folders {
		paths, _ := filepath.Glob(filepath.Join(pattern, name))
		slices.Sort(paths) // the newest version is the last
		for _, path := range slices.Backward(paths) {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return ""
}

// toolkits are where CUDA's toolkit may be.
func toolkits(sub string) (out []string) {
	for _, dir := range []string{os.Getenv("CUDA_HOME"), os.Getenv("CUDA_PATH"), "/usr/local/cuda", "/opt/cuda", "/usr/local/cuda-*"} {
		if dir != "" {
			out = append(out, filepath.Join(dir, sub))
		}
	}
	return out
}

func findSMI() string {
	return find("nvidia-smi", "/usr/bin", "/usr/local/nvidia/bin", "/usr/lib/wsl/lib", "/opt/bin", "/run/current-system/sw/bin")
}

func findSanitizer() string {
	return find("compute-sanitizer", append(toolkits("bin"), toolkits("compute-sanitizer")...)...)
}

func findNCU() string {
	return find("ncu", append(toolkits("bin"), "/opt/nvidia/nsight-compute/*", "/usr/local/cuda*/nsight-compute-*")...)
}

// findCompiler returns the C compiler that torch.compile builds with.
func findCompiler() string {
	for _, name := range append(strings.Fields(os.Getenv("CC")), "gcc", "cc", "clang") {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Reasons to leave out a part that needs a tool.
const (
	noSanitizer = "compute-sanitizer is neither on the PATH nor in a toolkit's usual place"
	noNCU       = "ncu (Nsight Compute) is neither on the PATH nor in its usual places"
)

// smi returns what nvidia-smi prints. Its error ends with that, or says that the program is
// missing.
func smi(ctx context.Context, args ...string) (string, error) {
	path := findSMI()
	if path == "" {
		return "", errors.New("nvidia-smi is not on the PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := command(ctx, path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.TrimSpace(out.String())
	if err != nil {
		return "", fmt.Errorf("nvidia-smi: %w: %s", err, lastLines(text, 3))
	}
	return text, nil
}

// lastLines returns the last n lines of a text.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// workPrefix begins the names of work folders, those that run.sh makes too.
const workPrefix = ".gpucheck-"

// workFolder makes a temporary folder, in the first of these in which it can make one and run
// programs.
func workFolder(parents ...string) (string, error) {
	var errs []error
	for _, parent := range parents {
		dir, err := os.MkdirTemp(parent, workPrefix)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if dir, err = filepath.Abs(dir); err == nil {
			err = executable(dir)
		}
		if err == nil {
			return dir, nil
		}
		errs = append(errs, err)
		_ = os.RemoveAll(dir)
	}
	return "", fmt.Errorf("no folder takes files that can be run (TMPDIR may name one): %w", errors.Join(errs...))
}

// executable reports why programs in a folder cannot be run.
func executable(dir string) error {
	path := filepath.Join(dir, "run")
	if runtime.GOOS == "windows" {
		return nil
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		return err
	}
	defer os.Remove(path)
	return exec.Command(path).Run()
}

// environment is that of the parts. What they and the programs that they start would
// write to a home or to /tmp, which need not be there, goes to the work folder: the
// driver's compiled PTX, too, of which all parts have the use.
func environment(o options) []string {
	env := os.Environ()
	set := func(name, value string) {
		if os.Getenv(name) == "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range []string{"HOME", "CUDA_CACHE_PATH", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"} {
		dir := filepath.Join(o.work, strings.ToLower(name))
		if os.Getenv(name) == "" {
			_ = os.Mkdir(dir, 0o755)
		}
		set(name, dir)
	}
	if dir := filepath.Join(o.suite, "cubins"); isFolder(dir) {
		set("DRIFTLESS_CUBINS", dir)
	}
	return append(env, "TMPDIR="+o.work)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// suiteBinary returns the path of a binary of the suite; one that is gzipped is unpacked
// for all parts.
func suiteBinary(o options, name string) (string, error) {
	plain := filepath.Join(o.suite, name)
	if _, err := os.Stat(plain); err == nil {
		return filepath.Abs(plain)
	}
	path := filepath.Join(o.work, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	in, err := os.Open(plain + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s, neither plain nor as .gz: make gpu-check and make gpu-bundle build it, and -suite says where it is", plain)
	}
	if err != nil {
		return "", err
	}
	defer in.Close()
	if err = gunzip(path+".part", in); err == nil {
		err = os.Rename(path+".part", path)
	}
	if err != nil {
		_ = os.Remove(path + ".part")
		return "", fmt.Errorf("%s.gz cannot be unpacked: %w", plain, err)
	}
	return path, nil
}

func gunzip(path string, in io.Reader) error {
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, z)
	return errors.Join(err, f.Close())
}
