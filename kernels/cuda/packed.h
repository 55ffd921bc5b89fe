// packed.h is matrices in BF16: words of two elements, neighbours in a row, the first in the
// lower half. A row has whole groups of eight elements, of which those beyond the matrix are
// zeros, and begins at a multiple of 16 bytes.
#pragma once
#include "scalar.h"

// packed_columns is how many elements the rows of a matrix of n columns have.
INLINE int packed_columns(int n) { return (n + 7) / 8 * 8; }

// packed_pair is the word of two elements, rounded; ties go to even, and NaN is 0x7fff.
INLINE unsigned packed_pair(float x, float next) {
#if __CUDA_ARCH__ >= 800
  unsigned r;
  asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(r) : "f"(x), "f"(next));
  return r;
#else
  const unsigned a = (unsigned)bits32(x), b = (unsigned)bits32(next);
  const unsigned low = x != x ? 0x7fffu : (a + 0x7fffu + (a >> 16 & 1u)) >> 16;
  const unsigned high = next != next ? 0x7fffu : (b + 0x7fffu + (b >> 16 & 1u)) >> 16;
  return high << 16 | low;
#endif
}

// pack1 writes the element of row i and column j of a matrix of d columns, and the zeros behind
// the last.
INLINE void pack1(unsigned *to, int ld, int i, int j, int d, float x) {
  unsigned short *p = (unsigned short *)at(to, ld, i, 0) + j, half;
  asm("cvt.u16.u32 %0, %1;" : "=h"(half) : "r"(packed_pair(x, 0)));
  *p = half;
  if (j == d - 1) {
    for (int k = d; k % 8 != 0; k++) {
      *++p = 0;
    }
  }
}

// pack4 writes n ≤ 4 elements of row i from column j on, a multiple of 4, of a matrix of d
// columns, and the zeros behind the last.
INLINE void pack4(unsigned *to, int ld, int i, int j, int n, int d, const Four &x) {
  uint2 q;
  q.x = packed_pair(x.v[0], n > 1 ? x.v[1] : 0);
  q.y = packed_pair(n > 2 ? x.v[2] : 0, n > 3 ? x.v[3] : 0);
  unsigned *p = at(to, ld, i, j / 2);
  *(uint2 *)p = q;
  if (j + 4 >= d && j % 8 == 0) {
    q.x = q.y = 0;
    *(uint2 *)(p + 2) = q;
  }
}
