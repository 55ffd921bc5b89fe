// sum.h holds sums of float32 in the order of their terms, in float64.
#pragma once

#include "../cuda/driftless.h"

#define SUM_THREADS 256

// ordered_sum adds up the m×d matrix x row by row in a float64 accumulator. The
// block reads; its first thread, which gets the sum, adds.
INLINE double ordered_sum(const float *x, int m, int d, int ld) {
  __shared__ float part[SUM_THREADS];
  const long long n = (long long)m * d;
  double s = 0;
  for (long long from = 0; from < n; from += SUM_THREADS) {
    const long long e = from + threadX();
    if (e < n) {
      const long long i = ld == d ? 0 : e / d;
      part[threadX()] = x[i * ld + (e - i * d)];
    }
    barrier();
    if (threadX() == 0) {
      const int here = n - from < SUM_THREADS ? (int)(n - from) : SUM_THREADS;
      for (int c = 0; c < here; c++) {
        s += (double)part[c];
      }
    }
    barrier();
  }
  return s;
}
