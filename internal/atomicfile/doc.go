// Package atomicfile writes files that are complete or as they were before.
//
// [Write] fills a new temporary file in the folder of the final name, flushes it
// to the disk, renames it and flushes the folder. The temporary name cannot be
// guessed and is created exclusively: whatever lies at a temporary name, a planted
// symbolic link say, is neither followed nor overwritten. A writer that fails
// removes its temporary file; what a killed one leaves has a name that [IsTemp]
// knows, and [Sweep] removes it.
//
// It is the one package that other internal packages may import.
package atomicfile
