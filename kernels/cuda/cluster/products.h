// products.h holds the products of the kernel cluster.
#pragma once

#include "table.h"

// A thread has an item of a result, TALL×WIDE sums. Items stand as the threads of a tile do
// (thread_row, thread_column of multiply.h), an even number of them in a row.
#define TALL 4

struct Item {
  int i, j; // of the first sum
  bool is;  // whether there is one
};

// item is one of m×n sums by its number.
template <int WIDE>
INLINE Item item(int number, int m, int n) {
  const int half = (n + 2 * WIDE - 1) / (2 * WIDE), i = number / (4 * half) * 2 + number / 2 % 2, j = number % 2 + number / 4 % half * 2;
  return Item{i * TALL, j * WIDE, i * TALL < m && j * WIDE < n};
}
// items is how many there are.
template <int WIDE>
INLINE int items(int m, int n) {
  return (m + 2 * TALL - 1) / (2 * TALL) * ((n + 2 * WIDE - 1) / (2 * WIDE)) * 4;
}

// product: gemm_nn, or gemm_nt if TB, of the block's columns. As many blocks' shares are
// brought at a time as room has; those of the right operand begin behind the others.
template <bool TB>
INLINE void product(const Step &o, float *arena, float *staging, int room) {
  const Own own = owned(o.n, rank());
  const int m = o.m, ldx = o.ld[0], ldy = o.ld[1], left = m * ldx, right = TB ? own.count * ldy : 0;
  const int count = own.count > 0 ? items<2>(m, own.count) : 0, at_once = lesser_of(room / (left + right), blocks());
  const float *b = arena + o.at[1];
  for (int first = 0; first < count; first += THREADS) {
    const Item it = item<2>(first + threadX(), m, own.count);
    int row[TALL];
    float sum[TALL][2];
#pragma unroll
    for (int t = 0; t < TALL; t++) {
      row[t] = lesser_of(it.i + t, m - 1) * ldx;
      sum[t][0] = sum[t][1] = 0;
    }
    const int c0 = it.j * ldy, c1 = lesser_of(it.j + 1, own.count - 1) * ldy;
    for (int r0 = 0; r0 < blocks(); r0 += at_once) {
      const int r1 = lesser_of(r0 + at_once, blocks());
      barrier();
      for (int r = r0; r < r1; r++) {
        float *to = staging + (r - r0) * (left + right);
        bring(to, Far(arena + o.at[0], r), left);
        if (TB) {
          bring(to + left, Far(b + own.first * ldy, r), right);
        }
      }
      barrier();
      for (int r = r0; it.is && r < r1; r++) {
        const Own part = owned(o.k, r);
        const float *x = staging + (r - r0) * (left + right), *y = TB ? x + left : b + part.first * ldy + it.j;
        int k = 0;
#pragma unroll 2
        for (; k + 4 <= part.count; k += 4) {
          Four u[TALL], v[2];
#pragma unroll
          for (int t = 0; t < TALL; t++) {
            u[t] = group(x + row[t] + k);
          }
          if (TB) {
            v[0] = group(y + c0 + k), v[1] = group(y + c1 + k);
          } else {
#pragma unroll
            for (int c = 0; c < 4; c++) {
              const float2 p = pair(y + (k + c) * ldy);
              v[0].v[c] = p.x, v[1].v[c] = p.y;
            }
          }
#pragma unroll
          for (int c = 0; c < 4; c++) {
#pragma unroll
            for (int t = 0; t < TALL; t++) {
              sum[t][0] = fma32(u[t].v[c], v[0].v[c], sum[t][0]);
              sum[t][1] = fma32(u[t].v[c], v[1].v[c], sum[t][1]);
            }
          }
        }
        for (; k < part.count; k++) {
          const float y0 = TB ? y[c0 + k] : y[k * ldy], y1 = TB ? y[c1 + k] : y[k * ldy + 1];
#pragma unroll
          for (int t = 0; t < TALL; t++) {
            sum[t][0] = fma32(x[row[t] + k], y0, sum[t][0]);
            sum[t][1] = fma32(x[row[t] + k], y1, sum[t][1]);
          }
        }
      }
    }
    if (it.is) {
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const float shift = o.at[2] < 0 ? -0.0f : arena[o.at[2] + it.j + e];
#pragma unroll
        for (int t = 0; t < TALL; t++) {
          if (it.i + t < m && it.j + e < own.count) {
            arena[o.at[3] + (it.i + t) * o.ld[3] + it.j + e] = activate(o.act, sum[t][e] + shift);
          }
        }
      }
    }
  }
}

// gradient: gemm_tn of the block's columns: with a learning rate a step of SGD.
INLINE void gradient(const Step &o, float *arena, float *staging, int room) {
  const Own own = owned(o.n, rank());
  const int ldx = o.ld[0], left = o.k * ldx, at_once = lesser_of(room / left, blocks());
  const bool step = o.steps();
  const float alpha = step ? -o.rate(arena, 4) : 1.0f;
  for (int r0 = 0; own.count > 0 && r0 < blocks(); r0 += at_once) {
    const int r1 = lesser_of(r0 + at_once, blocks());
    barrier();
    for (int r = r0; r < r1; r++) {
      bring(staging + (r - r0) * left, Far(arena + o.at[0], r), left);
    }
    barrier();
    // The rows of the shares that were brought, a whole number of items each.
    const int high = (share(o.m) + TALL - 1) / TALL * TALL, count = items<4>(high * (r1 - r0), own.count);
    for (int number = threadX(); number < count; number += THREADS) {
      const Item it = item<4>(number, high * (r1 - r0), own.count);
      if (!it.is) {
        continue;
      }
      const int r = it.i / high, i0 = it.i % high;
      const Own part = owned(o.m, r0 + r);
      const float *x = staging + r * left + i0, *y = arena + o.at[1] + it.j;
      Four sum[TALL];
#pragma unroll
      for (int t = 0; t < TALL; t++) {
        sum[t] = Four{{0, 0, 0, 0}};
      }
#pragma unroll 4
      for (int k = 0; k < o.k; k++) {
        const Four u = group(x + k * ldx), v = group(y + k * o.ld[1]);
#pragma unroll
        for (int t = 0; t < TALL; t++) {
          sum[t] = each(v, sum[t], [&](float a, float s) { return fma32(u.v[t], a, s); });
        }
      }
#pragma unroll
      for (int t = 0; t < TALL; t++) { // what is beyond the block's columns stays there
        if (i0 + t < part.count) {
          float *c = arena + o.at[3] + (part.first + i0 + t) * o.ld[3] + it.j;
          keep(c, step ? each(sum[t], group(c), [=](float s, float w) { return fma32(alpha, s, w); }) : sum[t]);
        }
      }
    }
  }
}

