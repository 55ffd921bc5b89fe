// scalar.h is package kernels/scalar in CUDA, float32 except for the logarithm:
// the same IEEE operations in the same order, none of them fused. Its Go files
// say what the constants are.
#pragma once

#include "driftless.h"

INLINE float exp_poly(float r) {
  float r2 = r * r;
  float q = 1.9875691500e-4f * r + 1.3981999507e-3f;
  q = q * r2 + (8.3334519073e-3f * r + 4.1665795894e-2f);
  q = q * r2 + (1.6666665459e-1f * r + 5.0000001201e-1f);
  return q * r2 + r + 1.0f;
}

// exp32 is scalar.Exp.
INLINE float exp32(float x) {
  float t = x * 1.44269504088896341f + 12582912.0f; // 3·2^22 + n
  float k = t - 12582912.0f;
  float p = exp_poly(x - k * 0.693359375f - k * -2.12194440e-4f);
  if (x >= -87.0f && x <= 88.0f) {
    return of_bits32((int)((unsigned)bits32(p) + ((unsigned)bits32(t) << 23)));
  }
  if (x != x) {
    return x;
  }
  if (x > 88.8f) {
    return inf32();
  }
  if (x < -104.0f) {
    return 0.0f;
  }
  int n = (int)((unsigned)bits32(t) << 9) >> 9;
  int h = n >> 1;
  return p * of_bits32((h + 127) << 23) * of_bits32((n - h + 127) << 23);
}

// log64 is scalar.Log in float64.
INLINE double log64(double x) {
  if (x != x || x > 1.79769313486231570815e+308) {
    return x;
  }
  if (x < 0) {
    return of_bits64(0x7ff8000000000001);
  }
  if (x == 0) {
    return of_bits64((long long)0xfff0000000000000ull);
  }
  int n = 0;
  long long b = bits64(x);
  if ((b >> 52) == 0) { // subnormal
    b = bits64(x * 4503599627370496.0);
    n = -52;
  }
  n += (int)(b >> 52) - 1022;
  double f = of_bits64((b & 0xfffffffffffffll) | 0x3fe0000000000000ll); // ½ ≤ f < 1
  if (f < 0.70710678118654752440) {
    f *= 2;
    n--;
  }
  f -= 1;
  double k = (double)n;
  double s = f / (2 + f);
  double s2 = s * s;
  double s4 = s2 * s2;
  double a = s4 * 1.479819860511658591e-01 + 1.818357216161805012e-01;
  a = s4 * a + 2.857142874366239149e-01;
  a = s4 * a + 6.666666666666735130e-01;
  double c = s4 * 1.531383769920937332e-01 + 2.222219843214978396e-01;
  c = s4 * c + 3.999999999940941908e-01;
  double r = s2 * a + s4 * c;
  double half = 0.5 * (f * f);
  return k * 6.93147180369123816490e-01 - ((half - (s * (half + r) + k * 1.90821492927058770002e-10)) - f);
}

// sigmoid32 is scalar.Sigmoid: with e = e^-|x|, 1/(1+e) where the sign bit of x is
// clear and e/(1+e) where it is set.
INLINE float sigmoid32(float x) {
  int b = bits32(x);
  float e = exp32(of_bits32(b | (int)0x80000000));
  return (b < 0 ? e : 1.0f) / (1.0f + e);
}

// tanh32 is scalar.Tanh.
INLINE float tanh32(float x) {
  int sign = bits32(x) & (int)0x80000000;
  float a = of_bits32(bits32(x) & 0x7fffffff);
  float y;
  if (a < 0.625f) {
    float z = a * a;
    float p = -5.70498872745e-3f * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    y = a + p * z * a;
  } else {
    y = 1.0f - 2.0f / (exp32(a + a) + 1.0f);
  }
  return of_bits32(bits32(y) | sign);
}

// max32 is Go's max: NaN if either is, and +0 is larger than -0.
INLINE float max32(float a, float b) { return b > a || b != b || (b == a && bits32(a) < 0) ? b : a; }

// The activations, numbered as activation.Kind.
enum Activation { IDENTITY = 0, SIGMOID = 1, TANH = 2, RELU = 3 };

// relu32 gives 0 where x ≤ 0, else x: NaN stays.
INLINE float relu32(float x) { return x <= 0.0f ? 0.0f : x; }

// activate is activation.Forward.
INLINE float activate(int kind, float x) {
  switch (kind) {
  case SIGMOID: return sigmoid32(x);
  case TANH: return tanh32(x);
  case RELU: return relu32(x);
  }
  return x;
}
INLINE Four activate(int kind, const Four &x) {
  switch (kind) {
  case SIGMOID: return each(x, [](float v) { return sigmoid32(v); });
  case TANH: return each(x, [](float v) { return tanh32(v); });
  case RELU: return each(x, [](float v) { return relu32(v); });
  }
  return x;
}

// activate_grad is activation.Backward, from the output y = f(x) and its gradient g:
//
//	identity: g
//	sigmoid:  g·(y·(1-y))
//	tanh:     g·(1 - y·y)
//	relu:     0 where y ≤ 0, else g
INLINE float sigmoid_grad(float y, float g) { return g * (y * (1.0f - y)); }
INLINE float tanh_grad(float y, float g) { return g * (1.0f - y * y); }
INLINE float relu_grad(float y, float g) { return y <= 0.0f ? 0.0f : g; }
INLINE float activate_grad(int kind, float y, float g) {
  switch (kind) {
  case SIGMOID: return sigmoid_grad(y, g);
  case TANH: return tanh_grad(y, g);
  case RELU: return relu_grad(y, g);
  }
  return g;
}
INLINE Four activate_grad(int kind, const Four &y, const Four &g) {
  switch (kind) {
  case SIGMOID: return each(y, g, [](float v, float t) { return sigmoid_grad(v, t); });
  case TANH: return each(y, g, [](float v, float t) { return tanh_grad(v, t); });
  case RELU: return each(y, g, [](float v, float t) { return relu_grad(v, t); });
  }
  return g;
}
