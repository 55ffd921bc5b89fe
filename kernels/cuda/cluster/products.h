// products.h holds the products of the kernel cluster.
#pragma once

#include "../../gather/bytes.h"
#include "table.h"

// What a product needs of other blocks is brought into staging: columns c0 … c1-1, in rows that
// lie apart(c1 - c0) floats from each other, an odd number of 16 bytes, so that threads which read
// rows 4 apart meet different banks.
INLINE int apart(int n) { return ((n + 3) / 4 | 1) * 4; }

// Pieces are the columns of an operand that are brought at a time, of n in all: size of them,
// a multiple of unit, in so many rows as room has.
INLINE int piece(int n, int unit, int rows, int room) {
  const int most = ((room / rows / 4 - 1) | 1) * 4 / unit * unit, count = (n + most - 1) / most;
  return ((n + count - 1) / count + unit - 1) / unit * unit;
}

#define WARPS (THREADS / 32)
#define ROWS_AT_ONCE 2 // that a warp reads before it stores them: more would spill

// bring copies a piece of all blocks' columns: a warp rows, a lane four columns.
INLINE void bring_far(float *to, int stride, const float *from, int ld, int rows, int n, int c0, int c1) {
  const int part = share(n);
  for (int c = c0 + threadX() % 32 * 4; c < c1; c += 128) {
    const int r = c / part;
    const Far far(from + (c - r * part), r);
    float *row = to + (c - c0);
    for (int first = threadX() / 32; first < rows; first += WARPS * ROWS_AT_ONCE) {
      Four v[ROWS_AT_ONCE];
#pragma unroll
      for (int u = 0; u < ROWS_AT_ONCE; u++) {
        const int i = first + u * WARPS;
        if (i < rows) {
          v[u] = far.four(i * ld);
        }
      }
#pragma unroll
      for (int u = 0; u < ROWS_AT_ONCE; u++) {
        const int i = first + u * WARPS;
        if (i < rows) {
          keep(row + i * stride, v[u]);
        }
      }
    }
  }
}

// bring_words does so with the inputs of a batch, whose rows are whole words of 4 bytes.
template <int MAP>
INLINE void bring_words(float *to, int stride, const unsigned *data, const int *numbers, int rows, int n, int c0, int c1) {
  for (int c = c0 / 4 + threadX() % 32; c < c1 / 4; c += 32) {
    float *row = to + (4 * c - c0);
    const unsigned *column = data + c;
    for (int first = threadX() / 32; first < rows; first += WARPS * ROWS_AT_ONCE) {
      unsigned v[ROWS_AT_ONCE];
#pragma unroll
      for (int u = 0; u < ROWS_AT_ONCE; u++) {
        const int i = first + u * WARPS;
        if (i < rows) {
          v[u] = column[(long long)numbers[i] * (n / 4)];
        }
      }
#pragma unroll
      for (int u = 0; u < ROWS_AT_ONCE; u++) {
        const int i = first + u * WARPS;
        if (i < rows) {
          keep(row + i * stride, word_mapped<MAP>(v[u]));
        }
      }
    }
  }
}

// bring_bytes does so with rows of any length.
INLINE void bring_bytes(float *to, int stride, const unsigned char *data, const int *numbers, int map, int rows, int n, int c0, int c1) {
  if (n % 4 == 0) {
    const unsigned *words = (const unsigned *)data;
    switch (map) {
    case BINARY: bring_words<BINARY>(to, stride, words, numbers, rows, n, c0, c1); break;
    case UNIT: bring_words<UNIT>(to, stride, words, numbers, rows, n, c0, c1); break;
    default: bring_words<RAW>(to, stride, words, numbers, rows, n, c0, c1); break;
    }
    return;
  }
  for (int c = c0 + threadX() % 32 * 4; c < c1; c += 128) {
    for (int i = threadX() / 32; i < rows; i += WARPS) {
      keep(to + (c - c0) + i * stride, mapped(map, bytes4(at(data, n, numbers[i], c), lesser_of(4, n - c))));
    }
  }
}

// Left is the left operand of a product, of n columns.
struct Left {
  const Step &o;
  const float *arena;
  int n, unit, rows;
  bool bytes;

  METHOD Left(const Step &o, const float *arena, int n, int rows)
      : o(o), arena(arena), n(n), rows(rows), bytes(o.global[1].p != 0) {
    unit = bytes ? 4 : share(n);
  }
  METHOD void bring(float *to, int stride, int c0, int c1) const {
    if (bytes) {
      bring_bytes(to, stride, o.outside<const unsigned char>(1), (const int *)arena + o.at[0], o.ints[0], rows, n, c0, c1);
    } else {
      bring_far(to, stride, arena + o.at[0], o.ld[0], rows, n, c0, c1);
    }
  }
};

// A thread has an item of a result, TALL×WIDE sums. Items stand as the threads of a tile do
// (thread_row, thread_column of multiply.h), an even number of them in a row.
struct Item {
  int i, j; // of the first sum
  bool is;  // whether there is one
};

// item is one of m×n sums by its number.
template <int TALL, int WIDE>
INLINE Item item(int number, int m, int n) {
  const int half = (n + 2 * WIDE - 1) / (2 * WIDE), i = number / (4 * half) * 2 + number / 2 % 2, j = number % 2 + number / 4 % half * 2;
  return Item{i * TALL, j * WIDE, i * TALL < m && j * WIDE < n};
}
// items is how many there are.
template <int TALL, int WIDE>
INLINE int items(int m, int n) {
  return (m + 2 * TALL - 1) / (2 * TALL) * ((n + 2 * WIDE - 1) / (2 * WIDE)) * 4;
}

// product_of: gemm_nn, or gemm_nt if TB, of the block's columns. The rows of the right operand
// that make these are brought behind those of the left one.
template <int TALL, bool TB>
INLINE void product_of(const Step &o, float *arena, float *staging, int room) {
  const Own own = owned(o.n, rank());
  const int m = o.m, ldy = o.ld[1], rows = m + (TB ? own.count : 0);
  const int count = own.count > 0 ? items<TALL, 2>(m, own.count) : 0;
  const float *b = arena + o.at[1];
  const Left left(o, arena, o.k, m);
  const int size = piece(o.k, left.unit, rows, room), stride = apart(size);
  for (int first = 0; first < count; first += THREADS) {
    const Item it = item<TALL, 2>(first + threadX(), m, own.count);
    int row[TALL];
    float sum[TALL][2];
#pragma unroll
    for (int t = 0; t < TALL; t++) {
      row[t] = lesser_of(it.i + t, m - 1) * stride;
      sum[t][0] = sum[t][1] = 0;
    }
    const int second = lesser_of(1, own.count - 1 - it.j) * stride; // TB: from a column's row to the next one's
    for (int c0 = 0; c0 < o.k; c0 += size) {
      const int c1 = lesser_of(c0 + size, o.k);
      if (first == 0 || size < o.k) { // else it is there
        barrier();
        left.bring(staging, stride, c0, c1);
        if (TB) {
          bring_far(staging + m * stride, stride, b + own.first * ldy, ldy, own.count, o.k, c0, c1);
        }
        barrier();
      }
      if (!it.is) {
        continue;
      }
      const float *x = staging, *y = TB ? staging + (m + it.j) * stride : b + c0 * ldy + it.j;
      const int n = c1 - c0;
      int k = 0;
#pragma unroll 2
      for (; k + 4 <= n; k += 4) {
        Four u[TALL], v[2];
#pragma unroll
        for (int t = 0; t < TALL; t++) {
          u[t] = group(x + row[t] + k);
        }
        if (TB) {
          v[0] = group(y + k), v[1] = group(y + second + k);
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
      for (; k < n; k++) {
        const float y0 = TB ? y[k] : y[k * ldy], y1 = TB ? y[second + k] : y[k * ldy + 1];
#pragma unroll
        for (int t = 0; t < TALL; t++) {
          sum[t][0] = fma32(x[row[t] + k], y0, sum[t][0]);
          sum[t][1] = fma32(x[row[t] + k], y1, sum[t][1]);
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

// product has threads do less each where else half of the warps had nothing to do.
template <bool TB>
INLINE void product(const Step &o, float *arena, float *staging, int room) {
  if (items<4, 2>(o.m, share(o.n)) > THREADS / 4) {
    product_of<4, TB>(o, arena, staging, room);
  } else {
    product_of<2, TB>(o, arena, staging, room);
  }
}

// gradient_of: gemm_tn of the block's columns: with a learning rate a step of SGD.
template <int WIDE>
INLINE void gradient_of(const Step &o, float *arena, float *staging, int room) {
  const Own own = owned(o.n, rank());
  const bool step = o.steps();
  const float alpha = step ? -o.rate(arena, 4) : 1.0f;
  const Left left(o, arena, o.m, o.k);
  const int size = piece(o.m, left.unit, o.k, room), stride = apart(size), ldy = o.ld[1];
  for (int c0 = 0; own.count > 0 && c0 < o.m; c0 += size) {
    const int c1 = lesser_of(c0 + size, o.m), count = items<4, WIDE>(c1 - c0, own.count);
    barrier();
    left.bring(staging, stride, c0, c1);
    barrier();
    for (int number = threadX(); number < count; number += THREADS) {
      const Item it = item<4, WIDE>(number, c1 - c0, own.count);
      if (!it.is) {
        continue;
      }
      const float *x = staging + it.i, *y = arena + o.at[1] + it.j;
      Four sum[4][WIDE / 4];
#pragma unroll
      for (int t = 0; t < 4; t++) {
#pragma unroll
        for (int w = 0; w < WIDE / 4; w++) {
          sum[t][w] = Four{{0, 0, 0, 0}};
        }
      }
#pragma unroll 4
      for (int k = 0; k < o.k; k++) {
        const Four u = group(x + k * stride);
#pragma unroll
        for (int w = 0; w < WIDE / 4; w++) {
          const Four v = group(y + k * ldy + 4 * w);
#pragma unroll
          for (int t = 0; t < 4; t++) {
            sum[t][w] = each(v, sum[t][w], [&](float a, float s) { return fma32(u.v[t], a, s); });
          }
        }
      }
#pragma unroll
      for (int t = 0; t < 4; t++) { // what is beyond the block's columns stays there
        if (c0 + it.i + t < o.m) {
          float *c = arena + o.at[3] + (c0 + it.i + t) * o.ld[3] + it.j;
#pragma unroll
          for (int w = 0; w < WIDE / 4; w++) {
            const Four s = sum[t][w];
            keep(c + 4 * w, step ? each(s, group(c + 4 * w), [=](float a, float b) { return fma32(alpha, a, b); }) : s);
          }
        }
      }
    }
  }
}

// gradient has threads do more each where there is enough for all.
INLINE void gradient(const Step &o, float *arena, float *staging, int room) {
  if (share(o.n) % 16 == 0 && items<4, 8>(o.m, share(o.n)) > THREADS / 2) {
    gradient_of<8>(o, arena, staging, room);
  } else {
    gradient_of<4>(o, arena, staging, room);
  }
}
