// rate.h holds what a schedule multiplies the learning rate by: rate.go says what, in float64
// with one rounding an operation.
#pragma once

#include "../cuda/driftless.h"

// Numbered as Curve.
enum Curve { FLAT, STEPS, COSINE, LINEAR };

// power returns x^n.
INLINE double power(double x, long long n) {
  double y = 1;
  for (; n > 0; n >>= 1) {
    if (n & 1) {
      y *= x;
    }
    x *= x;
  }
  return y;
}

// sine returns sin(πx/2) for 0 ≤ x ≤ ½.
INLINE double sine(double x) {
  const double z = x * x;
  double y = 6.0669357311061955e-12;
  y = y * z + -6.6880351098114677e-10;
  y = y * z + 5.6921729219679267e-08;
  y = y * z + -3.5988432352120852e-06;
  y = y * z + 0.00016044118478735983;
  y = y * z + -0.0046817541353186883;
  y = y * z + 0.079692626246167048;
  y = y * z + -0.64596409750624628;
  y = y * z + 1.5707963267948966;
  return x * y;
}

// cosine returns (1 + cos(πk/n))/2 for 0 ≤ k < n.
INLINE double cosine(long long k, long long n) {
  const bool late = k > n - k;
  const double s = sine((double)(late ? n - k : k) / (double)n);
  return late ? s * s : 1 - s * s;
}

// factor is Factor.
INLINE double factor(int curve, long long step, long long warm, long long span, double to) {
  const long long k = step - warm;
  if (k < 0) {
    return (double)(step + 1) / (double)(warm + 1);
  }
  if (curve == FLAT) {
    return 1;
  }
  if (curve == STEPS) {
    return power(to, k / span);
  }
  if (k >= span) {
    return to;
  }
  if (curve == COSINE) {
    return to + (1 - to) * cosine(k, span);
  }
  return 1 + (to - 1) * (double)k / (double)span;
}
