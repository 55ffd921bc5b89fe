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

// Range is windows, counted along one side.
struct Range {
  int from, to;
};

// covering is the windows that reach over position p of the padded plane.
INLINE Range covering(int p, int kernel, int dilation, int stride, int n) {
  const int size = (kernel - 1) * dilation + 1;
  return {p >= size ? (p - size) / stride + 1 : 0, lesser_of(n, p / stride + 1)};
}

// Windows has a method for each question about them.
struct Windows {
  int h, w, kh, kw, stride_h, stride_w, pad_h, pad_w, oh, ow;

  METHOD Part part(int y, int x) const {
    const int top = y * stride_h - pad_h, left = x * stride_w - pad_w;
    return {top < 0 ? 0 : top, left < 0 ? 0 : left, lesser_of(top + kh, h), lesser_of(left + kw, w)};
  }

  // down and across are the windows that reach over an element.
  METHOD Range down(int y, int dilation) const { return covering(y + pad_h, kh, dilation, stride_h, oh); }
  METHOD Range across(int x, int dilation) const { return covering(x + pad_w, kw, dilation, stride_w, ow); }

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

// plane_patches: y holds what windows of x see, by channel and row and column of the kernel, 0 in the padding. A row is
// a window, the windows of an image after one another.
KERNEL(ELEMENT_THREADS)
plane_patches(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int c, WINDOWS, int dilation_h,
              int dilation_w) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i >= m) {
    return;
  }
  const int line = e.i / ow, image = line / oh, tap = e.j / kw, channel = tap / kh;
  const int top = (line - image * oh) * stride_h - pad_h + (tap - channel * kh) * dilation_h;
  const int left = (e.i - line * ow) * stride_w - pad_w + (e.j - tap * kw) * dilation_w;
  const bool inside = top >= 0 && top < h && left >= 0 && left < w;
  *at(REPLICA(y), d, e.i, e.j) = inside ? REPLICA(x)[((long long)image * c + channel) * (h * w) + top * w + left] : 0.0f;
}

// plane_patches_grad: dx is the sum of what the windows that see an element say of it, row by row of windows,
// from +0. Its rows are those of the planes.
KERNEL(ELEMENT_THREADS)
plane_patches_grad(CONTROL, TENSOR(const float, g), TENSOR(float, dx), int m, int d, int c, WINDOWS, int dilation_h,
                   int dilation_w) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i >= m) {
    return;
  }
  const Windows all = THE_WINDOWS;
  const int plane = e.i / h, image = plane / c, channel = plane - image * c;
  const int row = e.i - plane * h, size = c * kh * kw;
  const Range down = all.down(row, dilation_h), across = all.across(e.j, dilation_w);
  const float *from = REPLICA(g) + channel * kh * kw;
  float sum = 0;
  for (int i = down.from; i < down.to; i++) {
    const int y = row + pad_h - i * stride_h, ky = y / dilation_h;
    if (ky * dilation_h == y) {
      for (int j = across.from; j < across.to; j++) {
        const int x = e.j + pad_w - j * stride_w, kx = x / dilation_w;
        if (kx * dilation_w == x) {
          sum += *at(from, size, (image * oh + i) * ow + j, ky * kw + kx);
        }
      }
    }
  }
  *at(REPLICA(dx), d, e.i, e.j) = sum;
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
  const Range down = all.down(row, 1), across = all.across(column, 1);
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
