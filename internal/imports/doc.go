// Package imports holds the test that keeps the project's imports running one
// way: cmd → benchmarks → models → engine → kernels, with internal packages as
// leaves, which may import internal/atomicfile and no other package of the project.
// It has no code of its own.
package imports
