package benchmarks

import "runtime/debug"

// Version names the program that runs: its module's version, which holds the commit
// and says "+dirty" where files differ from it; "unknown" where the build did not
// record it, as in tests.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "unknown"
	}
	return info.Main.Version
}
