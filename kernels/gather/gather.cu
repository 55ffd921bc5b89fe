// gather.cu is package gather in CUDA: rows of a data set, named by index, become
// a batch. Row r of a data set of cols columns is data[r*cols : (r+1)*cols]; four
// columns a thread. Indices must name rows of the data.
#include "bytes.h"

// gather_bytes: y_ij is byte j of row rows_i of the data, mapped.
KERNEL(QUAD_THREADS)
gather_bytes(CONTROL, TENSOR(const unsigned char, data), TENSOR(const int, rows), TENSOR(float, y), int m, int cols,
             int ldy, int map) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, cols);
  if (q.n == 0) {
    return;
  }
  Four v = bytes4(at(REPLICA(data), cols, REPLICA(rows)[q.i], q.j), q.n);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, mapped(map, v));
}

// gather_rows: y_ij = data of row rows_i, column j.
KERNEL(QUAD_THREADS)
gather_rows(CONTROL, TENSOR(const float, data), TENSOR(const int, rows), TENSOR(float, y), int m, int cols, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, cols);
  if (q.n > 0) {
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, load4(at(REPLICA(data), cols, REPLICA(rows)[q.i], q.j), q.n));
  }
}

// gather_rows64: the same from float64 data, rounded to nearest even.
KERNEL(QUAD_THREADS)
gather_rows64(CONTROL, TENSOR(const double, data), TENSOR(const int, rows), TENSOR(float, y), int m, int cols,
              int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, cols);
  if (q.n == 0) {
    return;
  }
  const double *from = at(REPLICA(data), cols, REPLICA(rows)[q.i], q.j);
  Four v;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    v.v[c] = c < q.n ? float32(from[c]) : 0.0f;
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, v);
}
