package kernels

// CheckMatrix panics with msg unless a slice of the given length holds a
// rows×cols matrix with leading dimension ld: ld is at least cols, and the
// slice reaches the last element of the last row. An empty matrix needs no
// elements.
func CheckMatrix(rows, cols, length, ld int, msg string) {
	if rows < 0 || cols < 0 || ld < cols {
		panic(msg)
	}
	if rows > 0 && cols > 0 && length < (rows-1)*ld+cols {
		panic(msg)
	}
}

// CheckVector panics with msg unless a slice of the given length holds n
// elements.
func CheckVector(n, length int, msg string) {
	if n < 0 || length < n {
		panic(msg)
	}
}
