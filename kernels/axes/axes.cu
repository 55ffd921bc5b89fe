// axes.cu is package axes in CUDA. Results go four columns a thread, but for those of sums along
// an axis and of softmax.
#include "../cuda/scalar64.h"
#include "../elem/ops.h"
#include "../loss/rows.h"

// A view has the axes of its result: size1 … size7 elements along those before the last, the innermost
// first. Elements of x lie x0 apart along the last axis, x1 … x7 along the others, the first at from_x.
#define AXES int size1, int size2, int size3, int size4, int size5, int size6, int size7
#define VIEW(x) int from_##x, int x##0, int x##1, int x##2, int x##3, int x##4, int x##5, int x##6, int x##7

struct Axes {
  int n[7];
};
#define THE_AXES Axes{{size1, size2, size3, size4, size5, size6, size7}}
#define STRIDES(x) Axes{{x##1, x##2, x##3, x##4, x##5, x##6, x##7}}

// walk calls f with the number of each axis, and where row i is along it, as long as that is not 0 for all
// that remain.
template <class F>
INLINE void walk(int i, const Axes &size, F f) {
  unsigned rest = (unsigned)i;
#pragma unroll
  for (int k = 0; k < 7; k++) {
    if (rest > 0) {
      const unsigned n = (unsigned)size.n[k], outer = rest / n;
      f(k, (int)(rest - outer * n));
      rest = outer;
    }
  }
}

// seen reads n elements of a row that lie so far apart.
INLINE Four seen(const float *row, int j, int stride, int n) {
  if (stride == 1) {
    return load4(row + j, n);
  }
  Four r;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    r.v[c] = c < n ? row[(j + c) * stride] : 0.0f;
  }
  return r;
}

// move: y = the elements of x that a view sees.
KERNEL(QUAD_THREADS)
move(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldy, AXES, VIEW(x)) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const Axes size = THE_AXES, of_x = STRIDES(x);
  int at_x = from_x;
  walk(q.i, size, [&](int k, int i) { at_x += i * of_x.n[k]; });
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, seen(REPLICA(x) + at_x, q.j, x0, q.n));
}

// Views are two operands, seen so.
struct Views {
  const float *a, *b;
  Axes size, of_a, of_b;
  int from_a, from_b, a0, b0;
};

struct Pair {
  Four a, b;
};

INLINE Pair both(const Views &v, const Quad &q) {
  int at_a = v.from_a, at_b = v.from_b;
  walk(q.i, v.size, [&](int k, int i) { at_a += i * v.of_a.n[k], at_b += i * v.of_b.n[k]; });
  return Pair{seen(v.a + at_a, q.j, v.a0, q.n), seen(v.b + at_b, q.j, v.b0, q.n)};
}
#define THE_VIEWS Views{REPLICA(a), REPLICA(b), THE_AXES, STRIDES(a), STRIDES(b), from_a, from_b, a0, b0}

// apply: y = a op b, of views of one shape.
KERNEL(QUAD_THREADS)
apply(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, y), int m, int d, int ldy, int op, AXES,
      VIEW(a), VIEW(b)) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    Pair p = both(THE_VIEWS, q);
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, binary_of(op, p.a, p.b));
  }
}

// apply_power: y = a to the power of b, of views of one shape.
KERNEL(QUAD_THREADS)
apply_power(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, y), int m, int d, int ldy, AXES, VIEW(a),
            VIEW(b)) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    Pair p = both(THE_VIEWS, q);
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, pow_each(p.a, p.b));
  }
}

// embed: rows of y are zeros, but for numbers first, first+step, … of so many, which are those of x, inner
// elements each.
KERNEL(QUAD_THREADS)
embed(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int inner, int first, int step,
      int count) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = at(REPLICA(x), ldx, q.i, 0);
  Four r;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    const unsigned number = (unsigned)(q.j + c) / (unsigned)inner, beyond = number - (unsigned)first;
    const unsigned k = beyond / (unsigned)step; // large below first
    const bool one = c < q.n && k < (unsigned)count && k * (unsigned)step == beyond;
    r.v[c] = one ? from[(int)k * inner + (q.j + c - (int)number * inner)] : 0.0f;
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, r);
}

// concat: columns first, first+1, … of y = x.
KERNEL(QUAD_THREADS)
concat(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int first) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    store4(at(REPLICA(y), ldy, q.i, first + q.j), q.n, load4(at(REPLICA(x), ldx, q.i, q.j), q.n));
  }
}

// pick: row i·count+j of y is row i·n+rows_j of x.
KERNEL(QUAD_THREADS)
pick(CONTROL, TENSOR(const float, x), TENSOR(const int, rows), TENSOR(float, y), int m, int d, int ldx, int ldy, int n,
     int count) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n > 0) {
    const int i = (int)((unsigned)q.i / (unsigned)count), row = i * n + REPLICA(rows)[q.i - i * count];
    store4(at(REPLICA(y), ldy, q.i, q.j), q.n, load4(at(REPLICA(x), ldx, row, q.j), q.n));
  }
}

// pick_grad: row i·n+k of dx is the sum of rows i·count+j of g for the j with rows_j = k, in order, in float64.
// They follow one another in sorted.
KERNEL(QUAD_THREADS)
pick_grad(CONTROL, TENSOR(const float, g), TENSOR(const int, rows), TENSOR(const int, sorted), TENSOR(float, dx), int m, int d,
          int ldg, int lddx, int n, int count) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const int i = (int)((unsigned)q.i / (unsigned)n), k = q.i - i * n;
  const int *row = REPLICA(rows), *order = REPLICA(sorted);
  int from = 0;
  for (int to = count; from < to;) { // those before from are below k, those from to on are not
    const int half = (int)((unsigned)(from + to) / 2);
    if (row[order[half]] < k) {
      from = half + 1;
    } else {
      to = half;
    }
  }
  double s[4] = {0, 0, 0, 0};
  for (; from < count && row[order[from]] == k; from++) {
    const Four v = load4(at(REPLICA(g), ldg, i * count + order[from], q.j), q.n);
#pragma unroll
    for (int c = 0; c < 4; c++) {
      s[c] += (double)v.v[c];
    }
  }
  store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, Four{{float32(s[0]), float32(s[1]), float32(s[2]), float32(s[3])}});
}

// Numbered as axes.Reduction.
enum Reduction { SUM_OF, MAX_OF };

// reduce: y_ij = the sum of x_ikj over k in order, in float64, or the first of the largest of x_ikj. One thread
// an element; size is the number of k.
KERNEL(128)
reduce(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldy, int size, int how) {
  RETURN_IF_DIVERGED
  const unsigned e = (unsigned)blockX() * 128 + (unsigned)threadX();
  const unsigned i = e / (unsigned)d, j = e - i * (unsigned)d;
  if (i >= (unsigned)m) {
    return;
  }
  const float *from = at(REPLICA(x), d, (int)i * size, (int)j);
  float r;
  if (how == SUM_OF) {
    double s = 0;
#pragma unroll 8
    for (int k = 0; k < size; k++) {
      s += (double)from[(long long)k * d];
    }
    r = float32(s);
  } else {
    r = from[0];
#pragma unroll 8
    for (int k = 1; k < size; k++) {
      const float v = from[(long long)k * d];
      r = v > r ? v : r;
    }
  }
  *at(REPLICA(y), ldy, (int)i, (int)j) = r;
}

// ---- softmax: a warp owns a row, as rows.h has it ----

#define ROWS 4 // rows, and warps, of a block
#define ROW_THREADS (32 * ROWS)

INLINE int row_of_block() { return blockX() * ROWS + threadX() / 32; }

// first_largest returns the first of a row's largest elements, NaN only if that is the first of all.
INLINE float first_largest(const float *x, int n) {
  float top = x[0];
  int where = 0;
  for (int j = row_lane(); j < n; j += 32) {
    const float v = x[j];
    if (v > top) {
      top = v, where = j;
    }
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    const float v = shuffle_xor(top, mask);
    const int j = shuffle_xor(where, mask);
    if (v > top || (v == top && j < where)) {
      top = v, where = j;
    }
  }
  return top;
}

// softmax: y = axes.Softmax of x, or with log its logarithm. y may not be x.
KERNEL(ROW_THREADS)
softmax(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int n, int ldx, int ldy, int log) {
  RETURN_IF_DIVERGED
  const int i = row_of_block();
  if (i >= m) {
    return;
  }
  const float *from = at(REPLICA(x), ldx, i, 0);
  float *to = at(REPLICA(y), ldy, i, 0);
  const float top = first_largest(from, n);
  double s = exponentials(from, n, top, log ? 0 : to);
  if (log) {
    s = log64(s);
  }
  for (int j = row_lane(); j < n; j += 32) {
    to[j] = log ? float32((double)(from[j] - top) - s) : float32((double)to[j] / s);
  }
}

// softmax_grad: dx = axes.SoftmaxGrad, from the result y and its gradient g. dx may be neither.
KERNEL(ROW_THREADS)
softmax_grad(CONTROL, TENSOR(const float, y), TENSOR(const float, g), TENSOR(float, dx), int m, int n, int ldy, int ldg,
             int lddx, int log) {
  RETURN_IF_DIVERGED
  const int i = row_of_block();
  if (i >= m) {
    return;
  }
  const float *out = at(REPLICA(y), ldy, i, 0), *grad = at(REPLICA(g), ldg, i, 0);
  double s = 0;
  for (int from = 0; from < n; from += 32) {
    const int j = from + row_lane();
    const float p = j < n && !log ? out[j] : 1.0f, v = j < n ? grad[j] : 0.0f;
    const int here = lesser_of(32, n - from);
    for (int c = 0; c < here; c++) {
      s += (double)shuffle(p, c) * (double)shuffle(v, c); // exact products
    }
  }
  float *to = at(REPLICA(dx), lddx, i, 0);
  for (int j = row_lane(); j < n; j += 32) {
    const double v = (double)grad[j];
    to[j] = float32(log ? v - (double)exp32(out[j]) * s : (double)out[j] * (v - s));
  }
}
