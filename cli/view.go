package cli

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"driftless/benchmarks/presets"
	"driftless/internal/live"
	"driftless/internal/report"

	"github.com/spf13/cobra"
)

func newView(t *terminal) *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "view directory…",
		Short: "Serve the pages of runs",
		Long: `View serves the pages of run directories until it is interrupted: of one its
page, of several a list, with a page that has the arms of all. It draws them
when they are asked for, and writes nothing. Only this machine can reach them,
unless --addr says otherwise.`,
		Example: "  driftless view runs/*",
		Args:    someDirectories,
		RunE:    func(cmd *cobra.Command, args []string) error { return view(cmd.Context(), t, addr, args) },
	}
	cmd.Flags().StringVar(&addr, "addr", anyPort, "host and port to serve at; port 0: a free one")
	return cmd
}

// view serves the directories until the context ends.
func view(ctx context.Context, t *terminal, addr string, paths []string) error {
	mux := http.NewServeMux()
	var links []report.Link
	var runs []string // without experiments of several parts
	for i, path := range paths {
		page, about, isRun, err := pageOf(path)
		if err != nil && len(paths) > 1 {
			fmt.Fprintf(t.err, "left out: %v\n", err)
			continue
		}
		if err != nil {
			return err
		}
		href := "/"
		if len(paths) > 1 {
			href = fmt.Sprintf("/%d", i+1)
		}
		if isRun {
			runs = append(runs, path)
		}
		links = append(links, report.Link{Href: href, Title: path, About: about})
		mux.Handle(exactly(href), live.Page(page))
	}
	if len(links) == 0 {
		return fmt.Errorf("none of the %d directories has a page", len(paths))
	}
	title := plural(len(links), "run")
	if len(runs) > 1 {
		links = append([]report.Link{{Href: "/all", Title: "all runs on one page"}}, links...)
		mux.Handle("/all", live.Page(func() ([]byte, string, error) {
			run, err := overlay(runs)
			if err != nil {
				return nil, "", err
			}
			return drawn(run.Page(false))
		}))
	}
	if len(paths) > 1 {
		mux.Handle("/{$}", live.Page(func() ([]byte, string, error) { return drawn(report.List(title, links)) }))
	}
	server, err := live.Serve(addr, mux)
	if err != nil {
		return wrong("--addr: %w", err)
	}
	fmt.Fprintf(t.out, "%s\n", server.URL())
	fmt.Fprintln(t.err, "Ctrl-C ends it")
	<-ctx.Done()
	soon, cancel := context.WithTimeout(t.rush, 3*time.Second)
	defer cancel()
	server.Close(soon)
	return nil
}

// exactly is the pattern of one path.
func exactly(path string) string {
	if path == "/" {
		return "/{$}"
	}
	return path
}

func drawn(page report.Page, err error) ([]byte, string, error) { return page.HTML, page.Policy, err }

// pageOf returns what draws the page of a directory, what it is, and whether it is a run, not
// an experiment of several parts. It fails where the directory has no page now.
func pageOf(path string) (page func() ([]byte, string, error), about string, isRun bool, err error) {
	results := filepath.Join(path, presets.ResultsFile)
	if res, err := presets.Read(results); err == nil {
		doc, err := res.Document()
		if err != nil {
			return nil, "", false, err
		}
		return func() ([]byte, string, error) {
			res, err := presets.Read(results)
			if err != nil {
				return nil, "", err
			}
			doc, err := res.Document()
			if err != nil {
				return nil, "", err
			}
			return drawn(doc.Page())
		}, doc.Title, false, nil
	}
	run, err := readRun(path)
	if err != nil {
		return nil, "", false, err
	}
	return func() ([]byte, string, error) {
		run, err := readRun(path)
		if err != nil {
			return nil, "", err
		}
		return drawn(run.Page(false))
	}, run.Data + "; " + run.Net, true, nil
}
