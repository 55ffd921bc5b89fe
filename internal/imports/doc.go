// Package imports holds the test that keeps the project's imports running one
// way: cmd → benchmarks → models → engine → kernels, with internal packages as
// leaves. It has no code of its own.
package imports
