// conv.cu is package conv in CUDA: four columns a thread. Images have a row a position, h×w
// of them an image, and windows a row each, oh×ow of them an image; kh×kw is a window's size.
#include "../cuda/scalar.h"

// Place is a row of a matrix in its image: which image, and the row and column there.
struct Place {
  int image, y, x;
};

INLINE Place place(int i, int height, int width) {
  unsigned row = (unsigned)i / (unsigned)width, image = row / (unsigned)height;
  return {(int)image, (int)(row - image * (unsigned)height), i - (int)row * width};
}

// Range is the windows, counted along one side, that cover a position.
struct Range {
  int from, to;
};

INLINE Range covering(int p, int size, int stride, int n) {
  return {p >= size ? (p - size) / stride + 1 : 0, lesser_of(n, p / stride + 1)};
}

// patches: y holds what windows of x see, by row, column and channel of the window, 0 in the
// padding.
KERNEL(QUAD_THREADS)
patches(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int h, int w, int c, int kw,
        int stride, int pad, int oh, int ow) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = REPLICA(x);
  Place p = place(q.i, oh, ow);
  Four r;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    unsigned tap = (unsigned)(q.j + k) / (unsigned)c, row = tap / (unsigned)kw;
    int channel = q.j + k - (int)tap * c;
    int top = p.y * stride - pad + (int)row, left = p.x * stride - pad + (int)(tap - row * (unsigned)kw);
    bool inside = k < q.n && top >= 0 && top < h && left >= 0 && left < w;
    r.v[k] = inside ? *at(from, ldx, (p.image * h + top) * w + left, channel) : 0.0f;
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, r);
}

// patches_grad: dx is the sum of what the windows that cover a position say of it, row by row
// of windows, from +0.
KERNEL(QUAD_THREADS)
patches_grad(CONTROL, TENSOR(const float, g), TENSOR(float, dx), int m, int d, int ldg, int lddx, int h, int w, int kh,
             int kw, int stride, int pad, int oh, int ow) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = REPLICA(g);
  Place p = place(q.i, h, w);
  Range down = covering(p.y + pad, kh, stride, oh), across = covering(p.x + pad, kw, stride, ow);
  Four sum = Four{{0, 0, 0, 0}};
  for (int i = down.from; i < down.to; i++) {
    for (int j = across.from; j < across.to; j++) {
      int tap = (p.y + pad - i * stride) * kw + p.x + pad - j * stride;
      Four v = load4(at(from, ldg, (p.image * oh + i) * ow + j, tap * d + q.j), q.n);
      sum = each(sum, v, [](float s, float t) { return s + t; });
    }
  }
  store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, sum);
}

// max_pool: the largest number of a window.
KERNEL(QUAD_THREADS)
max_pool(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int h, int w, int kh, int kw,
         int stride, int oh, int ow) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = REPLICA(x);
  Place p = place(q.i, oh, ow);
  int first = (p.image * h + p.y * stride) * w + p.x * stride;
  Four best = load4(at(from, ldx, first, q.j), q.n);
  for (int k = 1; k < kh * kw; k++) {
    Four v = load4(at(from, ldx, first + k / kw * w + k % kw, q.j), q.n);
    best = each(best, v, [](float b, float t) { return max32(b, t); });
  }
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, best);
}

// same compares numbers, of which all NaNs are equal.
INLINE bool same(float a, float b) { return a == b || (a != a && b != b); }

// max_pool_grad: a window's g goes to the first position of its largest number, which y holds.
// The sum is row by row of windows, from +0.
KERNEL(QUAD_THREADS)
max_pool_grad(CONTROL, TENSOR(const float, x), TENSOR(const float, y), TENSOR(const float, g), TENSOR(float, dx), int m,
              int d, int ldx, int ldy, int ldg, int lddx, int h, int w, int kh, int kw, int stride, int oh, int ow) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = REPLICA(x);
  const float *largest = REPLICA(y), *up = REPLICA(g);
  Place p = place(q.i, h, w);
  Range down = covering(p.y, kh, stride, oh), across = covering(p.x, kw, stride, ow);
  Four mine = load4(at(from, ldx, q.i, q.j), q.n), sum = Four{{0, 0, 0, 0}};
  for (int i = down.from; i < down.to; i++) {
    for (int j = across.from; j < across.to; j++) {
      int window = (p.image * oh + i) * ow + j, first = (p.image * h + i * stride) * w + j * stride;
      int before = (p.y - i * stride) * kw + p.x - j * stride;
      Four best = load4(at(largest, ldy, window, q.j), q.n), v = load4(at(up, ldg, window, q.j), q.n);
      bool is[4];
#pragma unroll
      for (int c = 0; c < 4; c++) {
        is[c] = same(mine.v[c], best.v[c]);
      }
      for (int k = 0; k < before; k++) {
        Four other = load4(at(from, ldx, first + k / kw * w + k % kw, q.j), q.n);
#pragma unroll
        for (int c = 0; c < 4; c++) {
          is[c] = is[c] && !same(other.v[c], best.v[c]);
        }
      }
#pragma unroll
      for (int c = 0; c < 4; c++) {
        sum.v[c] = is[c] ? sum.v[c] + v.v[c] : sum.v[c];
      }
    }
  }
  store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, sum);
}

// average_pool: the sum of a window, row by row from its first, divided by its size.
KERNEL(QUAD_THREADS)
average_pool(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int ldx, int ldy, int h, int w, int kh,
             int kw, int stride, int oh, int ow) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = REPLICA(x);
  Place p = place(q.i, oh, ow);
  int first = (p.image * h + p.y * stride) * w + p.x * stride;
  Four sum = load4(at(from, ldx, first, q.j), q.n);
  for (int k = 1; k < kh * kw; k++) {
    Four v = load4(at(from, ldx, first + k / kw * w + k % kw, q.j), q.n);
    sum = each(sum, v, [](float s, float t) { return s + t; });
  }
  float size = (float)(kh * kw);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, each(sum, [size](float s) { return s / size; }));
}

// average_pool_grad: the sum of g of the windows that cover a position, row by row of windows
// from +0, divided by a window's size.
KERNEL(QUAD_THREADS)
average_pool_grad(CONTROL, TENSOR(const float, g), TENSOR(float, dx), int m, int d, int ldg, int lddx, int h, int w,
                  int kh, int kw, int stride, int oh, int ow) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float *from = REPLICA(g);
  Place p = place(q.i, h, w);
  Range down = covering(p.y, kh, stride, oh), across = covering(p.x, kw, stride, ow);
  Four sum = Four{{0, 0, 0, 0}};
  for (int i = down.from; i < down.to; i++) {
    for (int j = across.from; j < across.to; j++) {
      Four v = load4(at(from, ldg, (p.image * oh + i) * ow + j, q.j), q.n);
      sum = each(sum, v, [](float s, float t) { return s + t; });
    }
  }
  float size = (float)(kh * kw);
  store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, each(sum, [size](float s) { return s / size; }));
}
