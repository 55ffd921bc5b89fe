// planes.cu is planes.go in CUDA: patches and pooling.
#include "planes.h"

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
