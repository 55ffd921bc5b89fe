// Package report writes what a run leaves behind: a directory with the resolved
// configuration, one line of JSON per evaluation, a picture of the curves and a
// report that opens offline.
//
//	config.yaml    the configuration as it was resolved, defaults included
//	metrics.jsonl  one evaluation a line, ordered by arm, seed and step
//	run.json       what else a report needs: where seeds diverged, times, the header
//	curves.png     loss, accuracy and bias against steps, accuracy against seconds
//	report.html    one file with its style, its script and its numbers, which needs no network
//
// # Use
//
//	dir, err := report.Create("runs/first")      // or report.AutoDir("runs", "mnist sgd")
//	err = dir.WriteConfig(config)
//	err = dir.WriteRecord(run)                   // before it runs: "interrupted" until it says otherwise
//	err = dir.AppendMetrics(points)              // after each evaluation
//	run.Summarize()                              // results and findings, from the points
//	err = dir.WriteMetrics(run.Points)           // all of them, in order
//	err = dir.WriteRecord(run)
//	err = dir.WriteReport(run)
//
// A run that was interrupted sets Run.Interrupted and calls the same functions
// with the points it has; arms without points are listed as not run. A training
// run is a run with one arm. Open and Read give a run back from its directory, also
// from one whose process was killed.
//
// # The page
//
// A page has the table, the curves, what is found of them, and the rest. Its charts are SVG
// from here (panel.go, svg.go), which is all there is where no script runs. Its script
// (report.js) draws them anew from the numbers in the page (series.go): hovering or the arrow
// keys read values, boxes take arms off, buttons make axes logarithmic, a slider smooths
// losses. Its content security policy allows this style and this script by their hashes, and
// nothing else. A normalization has one colour and dash in all reports (look.go), arms of one
// normalization different shades.
//
// # Documents
//
// Document is what an experiment of several runs found: paragraphs, tables and figures, printed
// as Markdown, for a terminal, or as a page of its own. Figure is a picture of charts in rows
// and columns with joint axes.
//
// # Promises
//
// A directory that holds anything is refused (ErrNotEmpty) and nothing in it is
// touched. Of runs that start on one directory at the same time one gets it. Every
// file but metrics.jsonl is complete or absent (package atomicfile), and a write that
// fails leaves the previous complete file and says what is kept. metrics.jsonl grows
// while a run goes on; a killed run may leave its last line unfinished, which Read
// drops. The same Run gives the same bytes.
//
// Numbers that are not finite are null in JSON, a dash in tables and a gap in
// curves. Where some seeds of an arm diverged, the curve goes on as the mean of
// the others and a cross marks where each one left. Accuracies are fractions in
// [0, 1] throughout the API and printed in per cent.
//
// # Findings
//
// Finding states in plain language what one arm did. Every clause is computed
// from the numbers of the run, and what they do not show is left out. A bias is
// followed from step 0, in seeds whose number does not change: those that did not
// diverge. It is called growing only if it grew by more than a fifth over the last
// half of the run, and "cancelled" only if it stayed at rounding level. Arms are
// compared at the last step at which all their seeds were evaluated, and not at all
// where some diverged. testdata/findings.txt has each sentence. The mechanism it names
// for naive arms (the gradient ignores that the statistics depend on the parameters, so
// that the next normalization undoes the step) is that of Ioffe and Szegedy, "Batch
// Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
// Shift" (2015), section 2.
package report
