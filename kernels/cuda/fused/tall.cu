// tall.cu does strips without a matrix product (strip.h), of batches that may be large: a block
// has few columns and many threads, so that what works element by element has as many of them
// as in a launch of its own, and brings 512 rows into shared memory at a time.
#define COLUMNS 8
#define GROUPS 64
#define STRIP 512
#include "strip.h"

// tall_strip: count operations of the table ops, in order.
KERNEL(COLUMN_THREADS, 1)
tall_strip(CONTROL, TENSOR(const Op, ops), int count) {
  RETURN_IF_DIVERGED
  __shared__ Shared shared;
  strip_of(REPLICA(ops), count, shared, [](const Op &) {});
}
