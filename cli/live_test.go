//go:build unix

package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftless/internal/browsertest"
	"driftless/internal/report"

	"go.uber.org/goleak"
)

// serving starts driftless and returns it with the address that it prints, which follows
// what.
func serving(t *testing.T, what string, args ...string) (cmd *exec.Cmd, url string, rest func() string) {
	t.Helper()
	cmd = process(t, args...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(r)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if address, ok := strings.CutPrefix(lines.Text(), what); ok && strings.HasPrefix(address, "http://") {
			return cmd, address, func() string {
				more, _ := io.ReadAll(r)
				return string(more)
			}
		}
	}
	t.Fatalf("no address is printed, but\n%s", strings.Join(said, "\n"))
	return nil, "", nil
}

func interrupt(t *testing.T, cmd *exec.Cmd, rest func() string) string {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	text := rest()
	_ = cmd.Wait() // the exit code says it
	return text
}

// A page that is served while its run trains gets its curves, and when the run is
// interrupted the whole page as it ended; the exit code is as without.
func TestLive(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	cmd, url, rest := serving(t, "live: ", with(dir, "train", "--live", "--steps", "100000000", "--eval-every", "100")...)
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(page), `id="news"`) || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "connect-src 'self'") {
		t.Errorf("the page is %.300q, its policy %q, %v", page, resp.Header.Get("Content-Security-Policy"), err)
	}
	if resp, err := http.Post(url+"events", "text/plain", nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %v, %v", resp, err)
	}
	if resp, err = http.Get(url + "events"); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<24)
	event, steps, ended, printed := "", 0, false, make(chan string, 1)
	for lines.Scan() {
		if e, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = e
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case ok && event == "arm":
			var arm struct{ Arm struct{ Steps []float64 } }
			if err := json.Unmarshal([]byte(data), &arm); err != nil || len(arm.Arm.Steps) < steps {
				t.Errorf("after %d steps the news %.200s, %v", steps, data, err)
			}
			before := steps
			if steps = len(arm.Arm.Steps); before < 5 && steps >= 5 {
				go func() { printed <- interrupt(t, cmd, rest) }()
			}
		case ok && event == "end":
			ended = true
			var end struct{ HTML string }
			if err := json.Unmarshal([]byte(data), &end); err != nil || !strings.Contains(end.HTML, "Interrupted.") || !strings.Contains(end.HTML, "Finding") {
				t.Errorf("the last page is %.300q, %v", end.HTML, err)
			}
		}
	}
	if !ended {
		t.Error("the stream ended without the last page")
	}
	if text := <-printed; !strings.Contains(text, "live: ended with the run") || cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d, printed\n%s", cmd.ProcessState.ExitCode(), text)
	}
	whole(t, dir, trained...)
}

// A broadcast leaves nothing behind, also when nobody comes.
func TestBroadcastEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	term := &terminal{out: io.Discard, err: io.Discard, rush: context.Background()}
	run := &report.Run{Arms: []report.Arm{{Name: "a", Seeds: []int{1}}}}
	b, err := newBroadcast(anyPort, run, term)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 3 {
		run.Points = append(run.Points[:step:step], report.Point{Arm: "a", Seed: 1, Step: step, Loss: 1})
		b.update(run)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if resp, err := client.Get(b.server.URL()); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the page: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	start := time.Now()
	b.end(term, run)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("with nobody listening the end took %v", took)
	}
}

// In a browser a curve grows while the run trains, and stays when it has ended.
func TestLiveInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("another test listens to the same")
	}
	b := browsertest.Open(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, url, rest := serving(t, "live: ", with(dir, "compare", "--norms", "none,batchnorm", "--seeds", "2", "--live", "--steps", "100000000", "--eval-every", "500")...)
	b.Size(1280, 1000, "light")
	b.Go(url)
	const points = `(document.querySelector('[data-panel="0"] .arm-1 path.l')?.getAttribute("d") ?? "").split("L").length`
	browsertest.Wait(b, points+" > 3")
	first := browsertest.Eval[int](b, points)
	b.Run(`window.first = ` + points + `; document.getElementById("show-0").click()`)
	browsertest.Wait(b, points+" > window.first + 3")
	if n := browsertest.Eval[int](b, `document.querySelectorAll('[data-panel="0"] path.l').length`); n != 1 {
		t.Errorf("%d curves are drawn of the one arm that is left on", n)
	}
	browsertest.Wait(b, `document.querySelectorAll(".chart").length >= 10`) // those of the layers came with the first evaluation
	browsertest.Wait(b, `/of 100,000,000 steps/.test(document.querySelector('tr[data-arm="1"] .status').textContent)`)
	interrupt(t, cmd, rest)
	browsertest.Wait(b, `/Interrupted\./.test(document.body.textContent) && /Findings/.test(document.body.textContent)`)
	if n := browsertest.Eval[int](b, points); n <= first {
		t.Errorf("at the end the curve has %d points, at first %d", n, first)
	}
	if on := browsertest.Eval[bool](b, `document.getElementById("show-0").checked`); on {
		t.Error("the last page has forgotten which arms were off")
	}
	b.Quiet()
}

func TestView(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train by the same code")
	}
	t.Parallel()
	root := t.TempDir()
	var dirs []string
	for _, lr := range []string{"0.1", "0.5"} {
		dir := filepath.Join(root, "lr"+lr)
		want(t, call(t, with(dir, "train", "--lr", lr)...), exitDone)
		dirs = append(dirs, dir)
	}
	cmd, url, rest := serving(t, "", append([]string{"view"}, dirs...)...)
	get := func(path string) (int, string) {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]string{"": `<a href="/1">`, "1": "learning rate 0.1", "2": "learning rate 0.5", "all": "batchnorm · lr=0.5"} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, `id="news"`) {
			t.Errorf("/%s: %d, lacks %q", path, code, want)
		}
	}
	for _, path := range []string{"3", "1/..%2f..", "../metrics.jsonl", "events"} {
		if code, _ := get(path); code != http.StatusNotFound {
			t.Errorf("/%s: %d", path, code)
		}
	}
	interrupt(t, cmd, rest)
	if code := cmd.ProcessState.ExitCode(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	want(t, call(t, "view", filepath.Join(root, "none")), exitFailed)
}
