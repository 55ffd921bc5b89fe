// planeconv.cu is planeconv.go in CUDA. A convolution, and its gradient for the images, are a product of an image's
// filters with its columns (kernels batched_nn of package gemm, whose sums take the same order), one column for each element of
// a plane of the result.
#include "planes.h"

// plane_columns: rows of y are what all windows of an image see at one place of theirs, by channel and row and column of
// the kernel; patch such rows an image. 0 in the padding.
KERNEL(ELEMENT_THREADS)
plane_columns(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int h, int w, int kh, int kw, int stride_h,
              int stride_w, int pad_h, int pad_w, int ow, int dilation_h, int dilation_w) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i >= m) {
    return;
  }
  const int tap = e.i / kw, plane = tap / kh, row = e.j / ow; // planes are counted over the images, which have c of them
  const int top = row * stride_h - pad_h + (tap - plane * kh) * dilation_h;
  const int left = (e.j - row * ow) * stride_w - pad_w + (e.i - tap * kw) * dilation_w;
  const bool inside = top >= 0 && top < h && left >= 0 && left < w;
  *at(REPLICA(y), d, e.i, e.j) = inside ? REPLICA(x)[(long long)plane * (h * w) + top * w + left] : 0.0f;
}

// plane_grad_columns: rows of y are what the windows of g say of all elements of a plane, by filter and row and
// column of the turned kernel. 0 where there is no window.
KERNEL(ELEMENT_THREADS)
plane_grad_columns(CONTROL, TENSOR(const float, g), TENSOR(float, y), int m, int d, int w, int kh, int kw, int stride_h,
                   int stride_w, int pad_h, int pad_w, int oh, int ow, int dilation_h, int dilation_w) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i >= m) {
    return;
  }
  const int tap = e.i / kw, plane = tap / kh, row = e.j / w; // planes of g
  const int down = row + pad_h - (kh - 1 - (tap - plane * kh)) * dilation_h;
  const int across = e.j - row * w + pad_w - (kw - 1 - (e.i - tap * kw)) * dilation_w;
  const int i = down / stride_h, j = across / stride_w;
  const bool is = down >= 0 && across >= 0 && i * stride_h == down && j * stride_w == across && i < oh && j < ow;
  *at(REPLICA(y), d, e.i, e.j) = is ? REPLICA(g)[(long long)plane * (oh * ow) + i * ow + j] : 0.0f;
}

// plane_turn: row channel of y holds that channel of all filters, each turned by half a circle.
KERNEL(ELEMENT_THREADS)
plane_turn(CONTROL, TENSOR(const float, x), TENSOR(float, y), int m, int d, int size) {
  RETURN_IF_DIVERGED
  const Element e = element(m, d);
  if (e.i < m) {
    const int filter = e.j / size;
    *at(REPLICA(y), d, e.i, e.j) = REPLICA(x)[(long long)(filter * m + e.i) * size + (size - 1 - (e.j - filter * size))];
  }
}

#define LANES 16  // partial sums of an element, a thread each
#define TILE 4    // filters, and numbers of a window, of a team of so many threads
#define TEAMS 8   // of a block
#define FILTER_THREADS (LANES * TEAMS)

// plane_filter_grad: the gradient of m filters of d numbers, from n images. Window i of a row of windows goes to partial sum i mod 16.
// A chain of those goes on for `most` images, or `lines` rows of windows.
KERNEL(FILTER_THREADS)
plane_filter_grad(CONTROL, TENSOR(const float, x), TENSOR(const float, g), TENSOR(float, dw), int m, int d, int n, int c,
                  WINDOWS, int dilation_h, int dilation_w, int most, int lines) {
  RETURN_IF_DIVERGED
  const int lane = threadX() % LANES;
  const int filter = blockY() * TILE, tap = (blockX() * TEAMS + threadX() / LANES) * TILE;
  const int plane = h * w, windows = oh * ow;
  int from[TILE], top[TILE], left[TILE];
#pragma unroll
  for (int b = 0; b < TILE; b++) { // beyond the last the last one stands in
    const int k = lesser_of(tap + b, d - 1), row = k / kw, channel = row / kh;
    top[b] = (row - channel * kh) * dilation_h - pad_h;
    left[b] = (k - row * kw) * dilation_w - pad_w;
    from[b] = channel * plane + top[b] * w + left[b];
  }
  float sum[TILE][TILE] = {};
  for (int first = 0; first < n; first += most) {
    for (int begin = 0; begin < oh; begin += lines) {
      const int images = lesser_of(n, first + most), rows = lesser_of(oh, begin + lines);
      float s[TILE][TILE] = {};
      for (int image = first; image < images; image++) {
        const float *planes = REPLICA(x) + (long long)image * c * plane;
        const float *up = REPLICA(g) + (long long)image * m * windows;
        for (int r = begin; r < rows; r++) {
#pragma unroll 1
          for (int j = lane; j < ow; j += LANES) {
            float v[TILE], u[TILE];
#pragma unroll
            for (int b = 0; b < TILE; b++) {
              const int y = r * stride_h + top[b], z = j * stride_w + left[b];
              const bool inside = y >= 0 && y < h && z >= 0 && z < w;
              v[b] = inside ? planes[from[b] + r * stride_h * w + j * stride_w] : 0.0f;
            }
#pragma unroll
            for (int a = 0; a < TILE; a++) {
              u[a] = up[lesser_of(filter + a, m - 1) * windows + r * ow + j];
            }
#pragma unroll
            for (int a = 0; a < TILE; a++) {
#pragma unroll
              for (int b = 0; b < TILE; b++) {
                s[a][b] = fma32(v[b], u[a], s[a][b]);
              }
            }
          }
        }
      }
#pragma unroll
      for (int a = 0; a < TILE; a++) {
#pragma unroll
        for (int b = 0; b < TILE; b++) {
          sum[a][b] += s[a][b];
        }
      }
    }
  }
#pragma unroll
  for (int a = 0; a < TILE; a++) {
#pragma unroll
    for (int b = 0; b < TILE; b++) {
      float t = sum[a][b];
#pragma unroll
      for (int half = LANES / 2; half > 0; half /= 2) {
        t += shuffle_xor(t, half);
      }
      if (lane == 0 && filter + a < m && tap + b < d) {
        *at(REPLICA(dw), d, filter + a, tap + b) = t;
      }
    }
  }
}
