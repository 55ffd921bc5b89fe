// tensor.h is what the products on tensor cores have in common. precision.go is the
// specification:
//
//	s = +0; s = s + Σ round(x(p))·round(y(p)) for each run of 8 (TF32) or 16 (BF16) p, in order
//	v = alpha*s                          // without add
//	v = fma(alpha, s, C[i,j])            // with it
//	if bias:  v = v + bias[j]
//	C[i,j] = act(v)
//
// How a tensor core adds up a run is not specified by NVIDIA: the virtual device takes a
// chain of fma in order of p, a GPU may round otherwise, and not as another GPU does. Runs
// that k does not fill are filled with x = +0 and y = -0.
//
// A block owns a tile of C and a warp MI×NI parts of 16×8 of it, of which a thread has two
// elements of each of two rows.
#pragma once
#include "../cuda/packed.h"

template <int MI, int NI>
INLINE void clear(float (&sum)[MI][NI][4]) {
#pragma unroll
  for (int i = 0; i < MI; i++) {
#pragma unroll
    for (int j = 0; j < NI; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        sum[i][j][e] = 0;
      }
    }
  }
}

// Result is where a product goes: C, and if packed a copy of it in BF16.
struct Result {
  float *c;
  unsigned *packed;
  int m, n, ldc, ldpacked, act;

  // pair is columns s and s+1 of row r, s even.
  METHOD void pair(int r, int s, float x, float y) const {
    float *to = at(c, ldc, r, s);
    if (s + 1 < n && ((unsigned long long)to & 7) == 0) {
      float2 v;
      v.x = x, v.y = y;
      *(float2 *)to = v;
    } else if (s < n) {
      to[0] = x;
      if (s + 1 < n) {
        to[1] = y;
      }
    }
  }
  METHOD void pack(int r, int s, float x, float y) const {
    if (packed && s < packed_columns(n)) {
      *at(packed, ldpacked, r, s / 2) = packed_pair(s < n ? x : 0, s + 1 < n ? y : 0);
    }
  }
};

// finish stores a warp's sums, which begin at row i0 and column j0 of C.
template <int MI, int NI>
INLINE void finish(const Result &to, const float (&sum)[MI][NI][4], const float *bias, const double *lr, int i0, int j0) {
  const float alpha = lr ? -float32(*lr) : 1.0f;
  const int ci = i0 + threadX() / 4 % 8, cj = j0 + threadX() % 4 * 2;
#pragma unroll
  for (int j = 0; j < NI; j++) {
    const int s = cj + 8 * j, w = lesser_of(2, to.n - s);
    // -0 leaves what it is added to as it is.
    const float shift = bias && w > 0 ? bias[s] : -0.0f, next = bias && w > 1 ? bias[s + 1] : -0.0f;
#pragma unroll
    for (int i = 0; i < MI; i++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        const int r = ci + 16 * i + 8 * h;
        if (r < to.m) {
          const float *was = at(to.c, to.ldc, r, s);
          const float x = fma32(alpha, sum[i][j][2 * h], lr && w > 0 ? was[0] : -0.0f) + shift;
          const float y = fma32(alpha, sum[i][j][2 * h + 1], lr && w > 1 ? was[1] : -0.0f) + next;
          to.pair(r, s, x, y);
          if (to.act == IDENTITY) {
            to.pack(r, s, x, y);
          }
        }
      }
    }
  }
  if (to.act != IDENTITY) {
#pragma unroll 1
    for (int e = 0; e < MI * NI * 2; e++) {
      const int r = ci + e / NI * 8, s = cj + e % NI * 8;
      if (r < to.m) {
        const float *v = at(to.c, to.ldc, r, s);
        const float x = s < to.n ? activate(to.act, v[0]) : 0, y = s + 1 < to.n ? activate(to.act, v[1]) : 0;
        to.pair(r, s, x, y);
        to.pack(r, s, x, y);
      }
    }
  }
}
