//go:build unix

package cli

import (
	"bufio"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// whole checks that a run directory holds its files and that no line of its metrics is
// torn.
func whole(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		if missing(filepath.Join(dir, name)) {
			t.Errorf("%s is missing: %v", name, names(t, dir))
		}
	}
	for line := range strings.Lines(read(t, dir, "metrics.jsonl")) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of metrics.jsonl is incomplete: %q", line)
		}
	}
}

// trained are the files of a training that has made steps.
var trained = append([]string{"weights.safetensors"}, runFiles...)

// A hangup and SIGTERM end a run as Ctrl-C does, and what ran is kept.
func TestSignalsKeepWhatRan(t *testing.T) {
	t.Parallel()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as what nohup starts ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	for _, sig := range signals {
		dir := filepath.Join(t.TempDir(), "run")
		cmd, printed := start(t, filepath.Join(dir, "weights.safetensors"), with(dir, "train", "--steps", "100000000")...)
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the exit code says it
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("%v: exit code %d\n%s", sig, code, printed)
		}
		whole(t, dir, trained...)
	}
}

// A program that nohup starts does not end with the terminal.
func TestNohup(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd := process(t, with(dir, "train", "--steps", "100000000")...)
	cmd.Args = append([]string{"/bin/sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	await(t, filepath.Join(dir, "weights.safetensors"))
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	before := len(read(t, dir, "metrics.jsonl"))
	for deadline := time.Now().Add(20 * time.Second); len(read(t, dir, "metrics.jsonl")) <= before+1000; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the run did not go on after a hangup that it was started to ignore")
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

// await waits until a file is there.
func await(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); missing(path); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was not written", path)
		}
	}
}

// A run goes on when the pipe closes that it prints to, as `| head -1` closes it.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd := process(t, with(dir, "train", "--steps", "2000", "--eval-every", "100")...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d (%v): the summary could not be printed", code, cmd.ProcessState)
	}
	whole(t, dir, trained...)
	if n := strings.Count(read(t, dir, "metrics.jsonl"), "\n"); n != 21 {
		t.Errorf("%d evaluations are there, want 21", n)
	}
}

// A second interrupt leaves out the page, and keeps weights and metrics, of which a page can
// be made.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd, printed := start(t, filepath.Join(dir, "weights.safetensors"), with(dir, "train", "--steps", "100000000")...)
	// Two kinds that both count, sent while the process stands still: none is lost, and no
	// work comes between them.
	for _, sig := range []os.Signal{syscall.SIGSTOP, os.Interrupt, syscall.SIGTERM, syscall.SIGCONT} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, printed)
	}
	if !missing(filepath.Join(dir, "report.html")) || !strings.Contains(printed.String(), "driftless report "+dir) {
		t.Errorf("the second interrupt was not heard: there is %v\n%s", names(t, dir), printed)
	}
	whole(t, dir, "weights.safetensors", "metrics.jsonl", "run.json", "config.yaml")
	want(t, call(t, "report", dir), exitDone)
	whole(t, dir, trained...)
}

// What a killed run has written is enough for a page, which says that it was
// interrupted.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd, _ := start(t, filepath.Join(dir, "weights.safetensors"), with(dir, "train", "--steps", "100000000")...)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	want(t, call(t, "report", dir), exitDone)
	if page := read(t, dir, "report.html"); !strings.Contains(page, "Interrupted.") || !strings.Contains(page, "Interrupted at loss") {
		t.Error("the page does not say that the run was interrupted")
	}
	want(t, call(t, "eval", dir, "--data-dir", dataDirOfTests), exitDone)
}

// The page and the picture that report writes are those that the run wrote.
func TestReport(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	want(t, call(t, with(dir, "compare", "--norms", "none,center:naive", "--seeds", "2")...), exitDone)
	page, curves := read(t, dir, "report.html"), read(t, dir, "curves.png")
	for _, name := range []string{"report.html", "curves.png"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	got := call(t, "report", dir)
	want(t, got, exitDone)
	if got.out != "report: "+filepath.Join(dir, "report.html")+"\n" || read(t, dir, "report.html") != page || read(t, dir, "curves.png") != curves {
		t.Errorf("the page or the picture differs; it prints %q", got.out)
	}
	got = call(t, "report", t.TempDir())
	want(t, got, exitFailed)
	if m := got.message(t); !strings.Contains(m, "run.json is missing") {
		t.Errorf("%q", m)
	}
}

// A directory that is taken away ends the run with a sentence that names a file of it.
func TestDirectoryRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd, printed := start(t, filepath.Join(dir, "weights.safetensors"), with(dir, "train", "--steps", "100000000")...)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the run goes on without its directory")
	}
	// It may go between a file's rename and the sync of its folder.
	named := strings.Contains(printed.String(), "cannot write "+dir) || strings.Contains(printed.String(), dir+"/weights.safetensors is written but ")
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !named || strings.Contains(printed.String(), "report: ") {
		t.Errorf("exit code %d\n%s", code, printed)
	}
}

// What can be made again is written last: a disk that has room for the weights and the
// metrics and not for the pictures loses only these, and the message says so.
func TestDiskFullKeepsTheRun(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	args := with(dir, "train")
	got := limited(120, args...)
	want(t, got, exitFailed)
	m := got.message(t)
	for _, w := range []string{"cannot write " + filepath.Join(dir, "curves.png"), "metrics are kept", "driftless report " + dir} {
		if !strings.Contains(m, w) {
			t.Errorf("message %q lacks %q", m, w)
		}
	}
	if strings.Contains(got.out, "report: ") || !strings.Contains(got.out, "weights: "+filepath.Join(dir, "weights.safetensors")) || !strings.Contains(got.out, "training loss") {
		t.Errorf("it prints\n%s", got.out)
	}
	whole(t, dir, "weights.safetensors", "metrics.jsonl", "run.json", "config.yaml")
	want(t, call(t, "report", dir), exitDone)
}
