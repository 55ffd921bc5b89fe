// Package cli is the command line of driftless, which trains networks whose normalization
// lives in the graph, and shows what goes wrong when it does not.
//
// Main is the whole program. A module that brings a normalization of its own builds a
// driftless that knows it:
//
//	package main
//
//	import (
//		"driftless/cli"
//
//		_ "example.org/mynorm" // whose init calls norm.Register
//	)
//
//	func main() { cli.Main() }
//
// # Commands
//
//	driftless data fetch mnist      get a data set
//	driftless drift                 the worked example of Ioffe & Szegedy (2015, section 2)
//	driftless audit                 steps that a refresh of statistics takes out again
//	driftless compare               train several normalizations side by side
//	driftless paper                 the paper's MNIST experiment, with its figure 1
//	driftless table udacity         a public table, ours beside theirs
//	driftless train                 train one network
//	driftless eval weights          evaluate a trained network
//	driftless export run            write a trained network for other programs
//	driftless report run            write the page of a run anew, or one of several runs
//	driftless view run              serve the pages of runs
//	driftless norms                 the normalizations, and the settings of each
//	driftless probes                the instruments that look into a training
//	driftless env                   what there is to run on
//	driftless licences              of Driftless and of what it contains
//
// Results go to standard output, progress and messages to standard error. The
// exit codes are listed in the program's help.
//
// An interrupt (Ctrl-C, SIGTERM, SIGHUP) ends a command and keeps what ran: of a training
// weights, metrics, report, and checkpoints, from which --resume goes on. A second one leaves
// out what can be made again, a training's last evaluation and report; a third ends the program
// where it is. A run goes on when the pipe closes that its progress is written to.
//
// A crash or SIGKILL loses what was trained since the last checkpoint. Experiments of several
// parts (paper, table, compare --preset) keep none.
package cli
