// channels.cu is planes.go in CUDA: images x [n, c, s], whose channels c have s elements in each
// of n images. A block does the sums of one channel.
#include "elements.h"

#define PLANE_THREADS 256
#define PLANE_TILE 1024

// Terms are what a block is about to add up: those of each sum in turn, and of two tiles, one of
// which is filled while the other is added.
template <int SUMS>
struct Terms {
  double v[2][SUMS][PLANE_TILE];
  double parts[SUMS][4];
};

// channel_sums adds up the terms of a channel's elements: term(at, t) sets t to those of the element
// at that place of x. Each sum has four accumulators: element k of an image's plane goes to number
// k mod 4, and the sum is (0 + 1) + (2 + 3). Planes are taken to have a multiple of four elements: -0, for
// those that they lack, leaves an accumulator as it is. All threads get the sums.
template <int SUMS, class F>
INLINE void channel_sums(Terms<SUMS> &terms, int n, int c, int s, int channel, F term, double (&sums)[SUMS]) {
  const int t = threadX(), padded = (s + 3) / 4 * 4, images = PLANE_THREADS / padded, rest = PLANE_THREADS % padded;
  const long long all = (long long)n * padded;
  int image = t / padded, k = t % padded, now = 0;
  double sum = 0;
  for (long long from = 0; from < all + PLANE_TILE; from += PLANE_TILE) {
    if (from < all) {
#pragma unroll 1
      for (int u = t; u < PLANE_TILE; u += PLANE_THREADS) {
        double v[SUMS];
#pragma unroll
        for (int q = 0; q < SUMS; q++) {
          v[q] = -0.0;
        }
        if (image < n && k < s) {
          term(((long long)image * c + channel) * s + k, v);
        }
#pragma unroll
        for (int q = 0; q < SUMS; q++) {
          terms.v[now][q][u] = v[q];
        }
        image += images, k += rest;
        if (k >= padded) {
          image++, k -= padded;
        }
      }
    }
    if (from > 0 && t < 4 * SUMS) {
      const double *part = terms.v[now ^ 1][t / 4] + t % 4;
#pragma unroll 8
      for (int u = 0; u < PLANE_TILE; u += 4) {
        sum += part[u];
      }
    }
    now ^= 1;
    barrier();
  }
  if (t < 4 * SUMS) {
    terms.parts[t / 4][t % 4] = sum;
  }
  barrier();
#pragma unroll
  for (int q = 0; q < SUMS; q++) {
    const double *part = terms.parts[q];
    sums[q] = (part[0] + part[1]) + (part[2] + part[3]);
  }
  barrier();
}

// channel_norm: the mean of a channel's n·s elements, and by their variance about the mean before it is
// rounded, all in float64, the inverse of their standard deviation; running statistics, if there are any, move
// towards those by momentum. Where training is 0, both are of the running statistics instead.
KERNEL(PLANE_THREADS)
channel_norm(CONTROL, TENSOR(const float, x), TENSOR(float, center), TENSOR(float, invstd), TENSOR(float, running_mean),
             TENSOR(float, running_variance), int n, int c, int s, float momentum, float training, double eps) {
  RETURN_IF_DIVERGED
  __shared__ Terms<1> terms;
  const float *from = REPLICA(x);
  const int channel = blockX();
  float *old_mean = REPLICA(running_mean), *old_variance = REPLICA(running_variance);
  float mean, variance;
  if (old_mean && training == 0.0f) {
    mean = old_mean[channel], variance = old_variance[channel];
  } else {
    const double count = (double)n * (double)s;
    double sum[1];
    channel_sums(terms, n, c, s, channel, [=](long long at, double(&t)[1]) { t[0] = (double)from[at]; }, sum);
    const double exact = sum[0] / count;
    channel_sums(
        terms, n, c, s, channel,
        [=](long long at, double(&t)[1]) {
          const double dev = (double)from[at] - exact;
          t[0] = dev * dev;
        },
        sum);
    mean = float32(exact), variance = float32(sum[0] / count);
    if (old_mean && threadX() == 0) {
      const long long elements = (long long)n * s;
      const float keep = 1.0f - momentum, unbiased = variance * (float)elements / (float)(elements - 1);
      old_mean[channel] = momentum * mean + keep * old_mean[channel];
      old_variance[channel] = momentum * unbiased + keep * old_variance[channel];
    }
  }
  if (threadX() == 0) {
    REPLICA(center)[channel] = mean;
    REPLICA(invstd)[channel] = inverse_std(variance, eps);
  }
}

// channels_by: y = (x - center)·invstd for m rows of d elements without gaps, whose channels follow one
// another c at a time.
KERNEL(QUAD_THREADS)
channels_by(CONTROL, TENSOR(const float, x), TENSOR(const float, center), TENSOR(const float, invstd), TENSOR(float, y),
            int m, int d, int c) {
  RETURN_IF_DIVERGED
  const Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const int channel = q.i % c;
  const float mu = REPLICA(center)[channel], inv = REPLICA(invstd)[channel];
  store4(at(REPLICA(y), d, q.i, q.j), q.n,
         each(load4(at(REPLICA(x), d, q.i, q.j), q.n), [=](float v) { return (v - mu) * inv; }));
}

// channels_grad: the gradient through channels_by and, where weight is 1, through the statistics.
KERNEL(PLANE_THREADS)
channels_grad(CONTROL, TENSOR(const float, x), TENSOR(const float, g), TENSOR(const float, center),
              TENSOR(const float, invstd), TENSOR(float, dx), int n, int c, int s, float weight) {
  RETURN_IF_DIVERGED
  __shared__ Terms<2> terms;
  const float *from = REPLICA(x), *grads = REPLICA(g);
  const int channel = blockX();
  const float mu = REPLICA(center)[channel], inv = REPLICA(invstd)[channel];
  double sums[2];
  channel_sums(
      terms, n, c, s, channel,
      [=](long long at, double(&t)[2]) {
        t[0] = (double)grads[at];
        t[1] = t[0] * (double)((from[at] - mu) * inv);
      },
      sums);
  const double w = (double)weight / ((double)n * (double)s);
  const float a = float32(w * sums[0]), b = float32(w * sums[1]);
  float *to = REPLICA(dx);
  const unsigned all = (unsigned)n * (unsigned)s;
#pragma unroll 4
  for (unsigned p = (unsigned)threadX(); p < all; p += PLANE_THREADS) {
    const unsigned image = p / (unsigned)s;
    const long long at = ((long long)image * c + channel) * s + (p - image * (unsigned)s);
    to[at] = ((grads[at] - a) - (from[at] - mu) * inv * b) * inv;
  }
}
