// Command driftless trains networks whose normalization lives in the graph, and shows what goes
// wrong when it does not. driftless --help lists its commands; package cli is its manual.
package main

import "driftless/cli"

func main() { cli.Main() }
