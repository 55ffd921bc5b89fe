// rows.h is package loss in CUDA, but for the kernels. A warp, or LANES of its threads, own a
// row, a lane every 32nd column, or every LANESth; the sum of the exponentials takes the columns in order, in every lane.
#pragma once

#include "../cuda/scalar.h"

template <int LANES = 32>
INLINE int row_lane() { return threadX() % LANES; }

// greater is Go's max: NaN if either is, and +0 above -0.
INLINE float greater(float a, float b) {
  if (a != a || b != b) {
    return nan32();
  }
  if (a == b) {
    return of_bits32(bits32(a) & bits32(b));
  }
  return a > b ? a : b;
}

// class_of converts a label to its class, or to -1 if it is none of n.
INLINE int class_of(float label, int n) {
  if (!(label >= 0 && label < (float)n)) {
    return -1;
  }
  const int c = (int)label;
  return (float)c == label ? c : -1;
}

// largest returns the largest of a row's elements, NaN if any is.
template <int LANES>
INLINE float largest(const float *z, int n) {
  float top = -inf32();
  for (int j = row_lane<LANES>(); j < n; j += LANES) {
    top = greater(top, z[j]);
  }
#pragma unroll
  for (int mask = LANES / 2; mask > 0; mask /= 2) {
    top = greater(top, shuffle_xor(top, mask));
  }
  return top;
}

// exponentials returns Σ exp(z_j - top), columns in order in float64, and with e
// stores the terms there, each in the lane that reads it.
template <int LANES = 32>
INLINE double exponentials(const float *z, int n, float top, float *e) {
  const int first = LANES == 32 ? 0 : threadX() % 32 / LANES * LANES;
  double s = 0;
  for (int from = 0; from < n; from += LANES) {
    const int j = from + row_lane<LANES>();
    float v = 0;
    if (j < n) {
      v = exp32(z[j] - top);
      if (e) {
        e[j] = v;
      }
    }
    const int here = lesser_of(LANES, n - from);
    for (int c = 0; c < here; c++) {
      s += (double)shuffle(v, first + c);
    }
  }
  return s;
}

// cross_entropy of a warp's row: the loss with losses, the gradient with dz.
//
//	top = max z; s = Σ float64(exp(z_j - top)), j in order
//	loss = log s + (float64(top) - float64(z_label))
//	dz_j = scale·(exp(z_j - top)/s - [j = label]), in float64
//
// each rounded once to float32; NaN for a label that is no class.
template <int LANES = 32>
INLINE void cross_entropy_row(const float *z, int n, float label, float *loss, const float *scale, float *dz) {
  const int c = class_of(label, n);
  const double none = of_bits64(0x7ff8000000000001);
  const float top = largest<LANES>(z, n);
  const bool owner = row_lane<LANES>() == (c < 0 ? 0 : c % LANES); // the one lane that may read z_label: dz may be z
  const double distance = c < 0 || !owner ? none : (double)top - (double)z[c];
  const double s = exponentials<LANES>(z, n, top, dz);
  if (loss && owner) {
    *loss = float32(log64(s) + distance);
  }
  if (dz) {
    const double k = c < 0 ? none : (double)*scale;
    for (int j = row_lane<LANES>(); j < n; j += LANES) {
      double p = (double)dz[j] / s;
      if (j == c) {
        p -= 1;
      }
      dz[j] = float32(k * p);
    }
  }
}
