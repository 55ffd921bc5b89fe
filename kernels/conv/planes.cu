// planes.cu is planes.go in CUDA: images whose channels lie one after another, h×w each, and
// windows, oh×ow of them a plane. A thread has one element of the result.
#include "../cuda/scalar.h"

#define ELEMENT_THREADS 128

// Element is a thread's element of an m×d matrix, in its row i; it has none if i is m.
struct Element {
  int i, j;
};

INLINE Element element(int m, int d) {
  const unsigned e = (unsigned)blockX() * ELEMENT_THREADS + (unsigned)threadX(), i = e / (unsigned)d;
  return i < (unsigned)m ? Element{(int)i, (int)(e - i * (unsigned)d)} : Element{m, 0};
}

// WINDOWS are how windows of kh×kw go over a plane.
#define WINDOWS int h, int w, int kh, int kw, int stride_h, int stride_w, int pad_h, int pad_w, int oh, int ow

// Part is the part of a plane that a window sees.
struct Part {
  int top, left, bottom, right;
};

// Windows has a method for each question about them.
struct Windows {
  int h, w, kh, kw, stride_h, stride_w, pad_h, pad_w, oh, ow;

  METHOD Part part(int y, int x) const {
    const int top = y * stride_h - pad_h, left = x * stride_w - pad_w;
    return {top < 0 ? 0 : top, left < 0 ? 0 : left, lesser_of(top + kh, h), lesser_of(left + kw, w)};
  }

  // largest is Go's max of what a window sees of a plane.
  METHOD float largest(const float *plane, const Part &p) const {
    float best = plane[p.top * w + p.left];
    for (int y = p.top; y < p.bottom; y++) {
      for (int x = p.left; x < p.right; x++) {
        best = max32(best, plane[y * w + x]);
      }
    }
    return best;
  }

  // first is the position of the first element that equals the largest, or if that is NaN of the first.
  METHOD int first(const float *plane, const Part &p) const {
    const int begin = p.top * w + p.left;
    float best = plane[begin];
    int found = begin;
    bool none = false;
    for (int y = p.top; y < p.bottom; y++) {
      for (int x = p.left; x < p.right; x++) {
        const float v = plane[y * w + x];
        none |= v != v;
        found = v > best ? y * w + x : found;
        best = v > best ? v : best;
      }
    }
    return none ? begin : found;
  }
};

#define THE_WINDOWS Windows{h, w, kh, kw, stride_h, stride_w, pad_h, pad_w, oh, ow}

// Range is the windows, counted along one side, that cover a position of the padded plane.
struct Range {
  int from, to;
};

INLINE Range covering(int p, int size, int stride, int n) {
  return {p >= size ? (p - size) / stride + 1 : 0, lesser_of(n, p / stride + 1)};
}

// plane_max_pool: row i of y is the largest element of each window of plane i.
KERNEL(ELEMENT_THREADS)
plane_max_pool(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, WINDOWS) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i < m) {
    const Windows all = THE_WINDOWS;
    const int row = e.j / ow;
    *at(REPLICA(y), d, e.i, e.j) = all.largest(REPLICA(x) + (long long)e.i * (h * w), all.part(row, e.j - row * ow));
  }
}

// plane_max_pool_grad: a window's g goes to the first of its largest elements. The sum for an element
// is window by window, from +0.
KERNEL(ELEMENT_THREADS)
plane_max_pool_grad(CONTROL, TENSOR(const float, x), TENSOR(const float, g), TENSOR(float, dx), int m, int d, WINDOWS) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i >= m) {
    return;
  }
  const Windows all = THE_WINDOWS;
  const float *plane = REPLICA(x) + (long long)e.i * d, *up = REPLICA(g) + (long long)e.i * (oh * ow);
  const int row = e.j / w, column = e.j - row * w;
  const Range down = covering(row + pad_h, kh, stride_h, oh), across = covering(column + pad_w, kw, stride_w, ow);
  float sum = 0;
  for (int i = down.from; i < down.to; i++) {
    for (int j = across.from; j < across.to; j++) {
      if (all.first(plane, all.part(i, j)) == e.j) {
        sum += up[i * ow + j];
      }
    }
  }
  *at(REPLICA(dx), d, e.i, e.j) = sum;
}
