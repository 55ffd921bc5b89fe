package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	driver "driftless/internal/cuda"
)

// TestMain lets this test binary be the process of a part, or one that starts such.
func TestMain(m *testing.M) {
	how := os.Getenv("GPUCHECK_TEST_PROCESS")
	switch how {
	case "":
		os.Exit(m.Run())
	case "crash":
		newTeller(os.Stdout).check(true, "before the crash", "")
		panic("the device is lost")
	case "burst": // some lines at once, and then nothing
		t := newTeller(os.Stdout)
		t.tell(event{Device: "cuda:0", Title: "a CPU"})
		t.check(true, "the first", "")
		t.check(true, "the last", "")
		time.Sleep(time.Minute)
	case "error":
		os.Stdout.WriteString("a stray line\n")
		os.Stderr.WriteString("no such device\n")
		os.Exit(exitFailed)
	case "holder":
		held := hold(os.Args[1])
		os.Stdout.WriteString("held\n")
		time.Sleep(time.Minute)
		held.Close()
	case "parent":
		self, _ := os.Executable()
		_ = os.Setenv("GPUCHECK_TEST_PROCESS", "stubborn")
		_ = runProcess(context.Background(), time.Minute, self, []string{"-part", "stubborn", "-leash"}, os.Environ(), func(e event) { fmt.Println(e.Text) })
	default: // a part
		o, err := parseFlags(os.Args[1:], os.Stderr)
		if err != nil {
			os.Exit(exitUsage)
		}
		o.device = "cpu"
		os.Exit(runPart(context.Background(), o, testParts(), os.Stdout, os.Stderr))
	}
}

// testParts are the real ones, on the CPU, and some that do not end as they should.
func testParts() []part {
	parts := allParts()
	parts[0].run = func(ctx context.Context, o options, t *teller) error {
		tellTools(o, t)
		t.check(true, "there is one", "")
		t.tell(event{Device: "cuda:0", Title: "a CPU", Virtual: os.Getenv("GPUCHECK_TEST_VIRTUAL") != ""})
		return nil
	}
	if os.Getenv("GPUCHECK_TEST_PROCESS") == "faulty" {
		parts[1].run = func(_ context.Context, _ options, t *teller) error {
			if os.Getenv("DRIFTLESS_CUDA_GRAPHS") == "0" && os.Getenv("CUDA_LAUNCH_BLOCKING") == "1" {
				return fmt.Errorf("launch of strip: A_FAULT (%s)", driver.Restart)
			}
			t.check(false, "the training", "work on the device: A_FAULT (%s)", driver.Restart)
			return nil
		}
	}
	return append(parts,
		part{name: "slow", run: func(ctx context.Context, o options, t *teller) error {
			t.check(true, "before its time was up", "")
			<-ctx.Done()
			return fmt.Errorf("step 7: %w", ctx.Err())
		}},
		part{name: "hang", run: func(ctx context.Context, o options, t *teller) error {
			t.check(true, "before it hung", "")
			time.Sleep(time.Minute)
			return nil
		}},
		part{name: "stubborn", run: func(ctx context.Context, o options, t *teller) error { // so is what it starts
			signal.Ignore(os.Interrupt)
			cmd := exec.Command("sleep", "60")
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Start(); err != nil {
				return err
			}
			t.note("%d %d", os.Getpid(), cmd.Process.Pid)
			time.Sleep(time.Minute)
			return nil
		}})
}

// TestFault: a part whose kernels are at fault runs again, once, kernel by kernel; but not on the
// virtual device, which names the kernel anyway, and not where there is no time for it.
func TestFault(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GPUCHECK_TEST_PROCESS", "faulty")
	for _, c := range []struct {
		virtual bool
		budget  time.Duration
		again   bool
	}{{false, time.Minute, true}, {false, 29 * time.Second, false}, {true, time.Minute, false}} {
		if c.virtual {
			t.Setenv("GPUCHECK_TEST_VIRTUAL", "1")
		}
		o := quick("cuda")
		o.suite, o.work, o.out = t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "gpu-check.md")
		o.budget, o.only = c.budget, []string{"graphs"}
		var stdout, stderr strings.Builder
		r := newReport(o, time.Now())
		code := r.runAll(t.Context(), o, self, &stdout, &stderr)
		data, err := os.ReadFile(o.out)
		if err != nil {
			t.Fatal(err)
		}
		const title = "## Graphs and clusters against plain launches, kernel by kernel\n"
		if text := string(data); code != exitFailed || strings.Count(text, title) != map[bool]int{true: 1}[c.again] || strings.Contains(text, "launch of strip: A_FAULT") != c.again ||
			strings.Count(text, "work on the device: A_FAULT") != 1 || strings.Contains(stderr.String(), "launch of strip") != c.again {
			t.Errorf("virtual %v, %v: exit code %d\n%s\n%s", c.virtual, c.budget, code, stderr.String(), text)
		}
	}
}

// TestProcesses: a part that crashes, hangs or fails keeps what it told, and its
// reason.
func TestProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	defer func(d time.Duration) { patience = d }(patience)
	patience = time.Second

	// A driver may hold a process that was killed.
	t.Setenv("GPUCHECK_TEST_PROCESS", "hang")
	wait = func(cmd *exec.Cmd) error { _ = cmd.Wait(); select {} }
	began := time.Now()
	err = runProcess(t.Context(), time.Second, self, append(quick("cuda:0").args("hang", time.Second), "-leash"), os.Environ(), func(event) {})
	if err == nil || !strings.Contains(err.Error(), "cannot be killed") || time.Since(began) > 10*time.Second {
		t.Errorf("a process that cannot be killed: %v after %v", err, time.Since(began))
	}
	wait = (*exec.Cmd).Wait
	args := func(part string, given time.Duration) []string {
		return append(quick("cuda:0").args(part, given), "-leash")
	}
	for _, c := range []struct {
		how, want string
		given     time.Duration
		events    int
	}{{"crash", "the device is lost", time.Minute, 1}, {"hang", "did not end within its 1.0 s", time.Second, 1}, {"stubborn", "did not end within its 1.0 s", time.Second, 1},
		{"error", "a stray line\nno such device", time.Minute, 0}, {"no such part", `unknown part "no such part"`, time.Minute, 0}} {
		t.Setenv("GPUCHECK_TEST_PROCESS", c.how)
		var s section
		s.err = runProcess(t.Context(), c.given, self, args(c.how, c.given), os.Environ(), s.add)
		if s.err == nil || !strings.Contains(s.err.Error(), c.want) || len(s.events) != c.events || !s.failed() {
			t.Errorf("%s: %d events, error %v", c.how, len(s.events), s.err)
		}
		if c.how == "stubborn" {
			gone(t, s.events[0].Text)
		}
	}

	// One that ends when its time is up has not failed.
	patience = 10 * time.Second // the race detector's exit takes one
	t.Setenv("GPUCHECK_TEST_PROCESS", "slow")
	s := section{given: time.Second}
	s.err = runProcess(t.Context(), time.Second, self, args("slow", time.Second), os.Environ(), s.add)
	if s.err != nil || s.failed() || s.verdict() != "PASS: 1 check, then its 1 s were up" {
		t.Errorf("slow: %s, error %v", s.verdict(), s.err)
	}

	patience = time.Second
	t.Setenv("GPUCHECK_TEST_PROCESS", "hang")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := runProcess(ctx, time.Minute, self, args("hang", time.Minute), os.Environ(), func(event) {}); err == nil || err.Error() != "interrupted" {
		t.Errorf("interrupted: %v", err)
	}
}

// TestParentDies: the processes of a part do not outlive gpucheck, even one that is killed.
func TestParentDies(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GPUCHECK_TEST_PROCESS", "parent")
	cmd := exec.Command(self)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	gone(t, string(buf[:n]))
}

// gone demands that processes end, soon.
func gone(t *testing.T, pids string) {
	t.Helper()
	if len(strings.Fields(pids)) != 2 {
		t.Fatalf("%q names not two processes", pids)
	}
	for _, pid := range strings.Fields(pids) {
		for wait := range 50 {
			stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
			if err != nil || strings.Contains(string(stat), ") Z ") { // dead, and perhaps nobody asked
				break
			}
			if wait == 49 {
				t.Errorf("process %s is alive: %s", pid, stat)
				if n, err := strconv.Atoi(pid); err == nil {
					if p, err := os.FindProcess(n); err == nil {
						_ = p.Kill()
					}
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// TestReportIsKept: what has been told is in the report, whenever the run is cut off.
func TestReportIsKept(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GPUCHECK_TEST_PROCESS", "burst")
	defer func(d time.Duration) { patience = d }(patience)
	patience = time.Second
	o := quick("cuda:0")
	o.work, o.out = t.TempDir(), filepath.Join(t.TempDir(), reportName)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() { ended <- newReport(o, time.Now()).runAll(ctx, o, self, io.Discard, io.Discard) }()
	kept := false
	for range 200 {
		data, _ := os.ReadFile(o.out)
		if kept = strings.Contains(string(data), "not finished: 2 checks passed so far") && strings.Contains(string(data), "PASS the last"); kept {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	if code := <-ended; !kept || code != exitInterrupted {
		t.Errorf("what was told last is in the report: %v; exit code %d", kept, code)
	}
}

// TestRemoveAbandoned: the work folder of a process that was killed goes, not that of one that lives.
func TestRemoveAbandoned(t *testing.T) {
	parent := t.TempDir()
	folder := func(name string) string {
		dir := filepath.Join(parent, name)
		if err := os.MkdirAll(filepath.Join(dir, "home"), 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	held, none, other := folder(workPrefix+"held"), folder(workPrefix+"none"), folder("other")
	if err := os.WriteFile(filepath.Join(other, "in-use"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], held)
	cmd.Env = append(os.Environ(), "GPUCHECK_TEST_PROCESS=holder")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	if _, err := io.ReadFull(out, make([]byte, len("held\n"))); err != nil {
		t.Fatal(err)
	}
	if l := hold(folder(workPrefix + "mine")); l == nil {
		t.Skip("the file system has no locks")
	} else {
		defer l.Close()
	}
	are := func(when string, there map[string]bool) {
		t.Helper()
		removeAbandoned(parent)
		for dir, want := range there {
			if isFolder(dir) != want {
				t.Errorf("%s, %s is there: %v", when, filepath.Base(dir), !want)
			}
		}
	}
	are("while it lives", map[string]bool{held: true, none: true, other: true, filepath.Join(parent, workPrefix+"mine"): true})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	are("when it was killed", map[string]bool{held: false, none: true, other: true, filepath.Join(parent, workPrefix+"mine"): true})
}
