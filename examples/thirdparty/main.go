// Command thirdparty is driftless with one more normalization, of another module.
package main

import (
	"driftless/cli"

	_ "example.org/thirdparty/scaleonly" // registers scaleonly
)

func main() { cli.Main() }
