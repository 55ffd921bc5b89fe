// order.cu is the kernel of an index instruction. order.h says which rows it finds.
#include "order.h"

#define INDEX_THREADS 128

// index: rows_i for i below batch is the number of row i of the batch. step is a count
// that does not change while the batch is in use.
KERNEL(INDEX_THREADS)
index(CONTROL, TENSOR(int, rows), TENSOR(const long long, step), TENSOR(const long long, seed), int batch, int total,
      int all, int how, int round, int valid) {
  RETURN_IF_DIVERGED
  const int i = blockX() * INDEX_THREADS + threadX();
  if (i < batch) {
    const Batch b = {batch, total, all, how, round, valid};
    REPLICA(rows)[i] = row_of(b, i, *REPLICA(step), *REPLICA(seed));
  }
}
