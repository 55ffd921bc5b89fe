// Package browsertest shows pages to tests in Chromium without a window.
//
//	tab := browsertest.Open(t)
//	tab.Go("file:///…")
//	n := browsertest.Eval[int](tab, `document.querySelectorAll("p").length`)
//	tab.Quiet()
//
// Where there is no Chromium a test is skipped; where the variable DRIFTLESS_NEED_BROWSER is
// set, as in CI, it fails.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Tab is a page in a browser of its own, which ends with the test.
type Tab struct {
	T   testing.TB // fails where something goes wrong; subtests may put theirs in
	ctx context.Context

	mu     sync.Mutex
	errors []string // what the console says
}

// Open starts Chromium.
func Open(t testing.TB) *Tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("DRIFTLESS_NEED_BROWSER") != "" {
			t.Fatal("there is no Chromium, which DRIFTLESS_NEED_BROWSER asks for")
		}
		t.Skip("the page is not tried in a browser: there is no Chromium (install the package chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &Tab{T: t, ctx: ctx}
	b.Do() // starts the browser
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	b.Do(command(log.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}))
	return b
}

// command makes a command of the browser's protocol an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *Tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, fmt.Sprintf("%s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		b.errors = append(b.errors, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case *log.EventEntryAdded: // what the page's policy refuses among them
		b.errors = append(b.errors, string(e.Entry.Level)+": "+e.Entry.Text)
	}
}

// Do runs actions, for a minute at most.
func (b *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.T.Helper()
	if len(actions) > 0 { // the first call must not have a limit, which would be the browser's
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		if err := chromedp.Do(ctx, actions...); err != nil {
			b.T.Fatal(err)
		}
	} else if err := chromedp.Do(b.ctx); err != nil {
		b.T.Fatal(err)
	}
}

// Go shows the page at an address.
func (b *Tab) Go(url string) {
	b.T.Helper()
	b.Do(chromedp.Navigate(url))
}

// Size makes the window so large in pixels, and the theme "light" or "dark".
func (b *Tab) Size(width, height int64, theme string) {
	b.T.Helper()
	b.Do(chromedp.EmulateViewport(width, height), command(emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}))
}

// NoScript keeps the scripts of pages that are shown from now on from running.
func (b *Tab) NoScript() {
	b.T.Helper()
	b.Do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// Point moves the pointer to a place in the window.
func (b *Tab) Point(x, y float64) {
	b.T.Helper()
	b.Do(chromedp.MouseEvent("mouseMoved", x, y))
}

// Keys presses keys on what has the focus.
func (b *Tab) Keys(keys ...string) {
	b.T.Helper()
	for _, k := range keys {
		b.Do(chromedp.KeyEvent(k))
	}
}

// Run evaluates statements on the page.
func (b *Tab) Run(script string) {
	b.T.Helper()
	b.Do(chromedp.Evaluate[chromedp.Void](script))
}

// Picture returns the window as PNG.
func (b *Tab) Picture() []byte {
	b.T.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.T.Fatal(err)
	}
	return png
}

// Quiet fails where the console has said anything.
func (b *Tab) Quiet() {
	b.T.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		b.T.Errorf("the console says: %s", e)
	}
}

// Eval evaluates an expression on the page.
func Eval[T any](b *Tab, expression string) T {
	b.T.Helper()
	return run[T](b, chromedp.Evaluate[T](expression))
}

// Wait evaluates an expression on the page until it holds, for 30 seconds at most.
func Wait(b *Tab, expression string) {
	b.T.Helper()
	run[chromedp.Void](b, chromedp.Poll[chromedp.Void](expression))
}

func run[T any](b *Tab, a chromedp.Action[T]) T {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	out, err := chromedp.Run(ctx, a)
	if err != nil {
		b.T.Fatal(err)
	}
	return out
}
