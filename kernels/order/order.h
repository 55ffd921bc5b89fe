// order.h is package order in CUDA, and what an index instruction does with it: the
// rows of a batch from the step count alone. doc.go states the sequence of operations
// of the permutation.
#pragma once

#include "../cuda/driftless.h"

INLINE unsigned mix32(unsigned x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

INLINE unsigned long long mix64(unsigned long long x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

// permuted is order.Index: the row at position i, below n, of the order of n rows
// that belongs to seed and epoch.
INLINE unsigned permuted(unsigned long long seed, unsigned long long epoch, unsigned n, unsigned i) {
  unsigned width = 8;
  while (width < 32 && (n - 1) >> width != 0) {
    width++;
  }
  const unsigned low = width - width / 2, high = width / 2;
  unsigned key[8];
  unsigned long long s = mix64(mix64(seed) ^ epoch);
#pragma unroll
  for (int r = 0; r < 8; r += 2) {
    s += 0x9e3779b97f4a7c15ull;
    halves(mix64(s), key[r], key[r + 1]);
  }
  do {
    unsigned h = i >> low, l = i & ((1u << low) - 1);
#pragma unroll
    for (int r = 0; r < 8; r += 2) {
      h ^= mix32(l ^ key[r]) >> (32 - high);
      l ^= mix32(h ^ key[r + 1]) >> (32 - low);
    }
    i = h << low | l;
  } while (i >= n);
  return i;
}

// Numbered as program.Order.
enum Order { SHUFFLED, PREVIOUS, SEQUENTIAL, SAMPLE };

// Batch says which rows of the data set a batch has.
struct Batch {
  int rows, total, all, how, round, valid;
};

// row_of returns the number of row i of a batch. all is the number of rows of the data
// set:
//
//	SHUFFLED    the batch of this step: position (step mod e)·rows + i of epoch
//	            step/e, with e = max(1, total/rows) steps an epoch
//	PREVIOUS    the batch of the step before
//	SEQUENTIAL  row round·rows + i, or 0 from i = valid on
//	SAMPLE      the same in the order of epoch 2^40
INLINE int row_of(const Batch &b, int i, long long step, long long seed) {
  unsigned at;
  if (b.how == SHUFFLED || b.how == PREVIOUS) {
    const long long per_epoch = b.total / b.rows > 1 ? b.total / b.rows : 1;
    if (b.how == PREVIOUS && step > 0) {
      step--;
    }
    const long long epoch = step / per_epoch;
    const unsigned cursor = (unsigned)(step - epoch * per_epoch);
    at = cursor * (unsigned)b.rows + (unsigned)i;
    return (int)permuted((unsigned long long)seed, (unsigned long long)epoch, (unsigned)b.all, at);
  }
  at = i < b.valid ? (unsigned)b.round * (unsigned)b.rows + (unsigned)i : 0;
  if (b.how == SAMPLE) {
    at = permuted((unsigned long long)seed, 1ull << 40, (unsigned)b.all, at);
  }
  return (int)at;
}
