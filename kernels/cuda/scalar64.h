// scalar64.h is what package kernels/scalar computes in float64, in CUDA, for arguments and results of
// float32: the same IEEE operations in the same order, none of them fused. Numbers that float32 has
// not are left out. The Go files say what the constants are.
#pragma once

#include "scalar.h"

INLINE double abs64(double x) { return of_bits64(bits64(x) & 0x7fffffffffffffff); }
INLINE double with_sign64(double x, double sign) {
  return of_bits64((bits64(x) & 0x7fffffffffffffff) | (bits64(sign) & (long long)0x8000000000000000ull));
}
INLINE double nan64() { return of_bits64(0x7ff8000000000001); }
INLINE double inf64() { return of_bits64(0x7ff0000000000000); }

// power_of_2 is 2^n for -1022 ≤ n ≤ 1023.
INLINE double power_of_2(int n) { return of_bits64((long long)(n + 1023) << 52); }

// times_power_of_2 is y·2^n where that is a normal number, as y is.
INLINE double times_power_of_2(double y, int n) {
  return of_bits64((long long)((unsigned long long)bits64(y) + ((unsigned long long)(long long)n << 52)));
}

// exp64 is scalar.Exp in float64.
INLINE double exp64(double x) {
  if (x != x) {
    return x;
  }
  if (x > 7.09782712893383973096e+02) {
    return inf64();
  }
  if (x < -7.45133219101941108420e+02) {
    return 0.0;
  }
  const double k = round64(x * 1.44269504088896338700);
  const double hi = x - k * 6.93147180369123816490e-01, lo = k * 1.90821492927058770002e-10;
  const double r = hi - lo;
  const double t = r * r;
  double p = t * 4.13813679705723846039e-08 - 1.65339022054652515390e-06;
  p = t * p + 6.61375632143793436117e-05;
  p = t * p - 2.77777777770155933842e-03;
  p = t * p + 1.66666666666666657415e-01;
  const double c = r - t * p;
  const double y = 1.0 - ((lo - r * c / (2.0 - c)) - hi);
  const int n = (int)k, h = n >> 1;
  return y * power_of_2(h) * power_of_2(n - h);
}

// log1p64 is scalar.Log1p.
INLINE double log1p64(double x) {
  const double a = abs64(x);
  if (x != x || x < -1.0) {
    return nan64();
  }
  if (x == -1.0) {
    return -inf64();
  }
  if (x > 1.79769313486231570815e+308 || a < 0x1p-54) {
    return x;
  }
  if (a < 0x1p-29) {
    return x - x * x * 0.5;
  }
  double f = x, c = 0.0, k = 0.0;
  bool small = false;
  if (x <= -2.928932188134524755992e-01 || x >= 4.142135623730950488017e-01) {
    const bool far = a >= 0x1p53;
    const double u = far ? x : 1.0 + x;
    long long b = bits64(u);
    int n = (int)(b >> 52) - 1023;
    if (!far) {
      c = (n > 0 ? 1.0 - (u - x) : x - (u - 1.0)) / u;
    }
    b &= 0xfffffffffffffll;
    if (b < 0x6a09e667f3bcdll) {
      f = of_bits64(b | 0x3ff0000000000000ll) - 1.0;
      small = b == 0;
    } else {
      f = of_bits64(b | 0x3fe0000000000000ll) - 1.0;
      small = 0x10000000000000ll - b < 4;
      n++;
    }
    k = (double)n;
  }
  const double half = 0.5 * f * f, lo = k * 1.90821492927058770002e-10 + c, hi = k * 6.93147180369123816490e-01;
  if (f == 0.0) {
    return hi + lo;
  }
  if (small) {
    const double r = half * (1.0 - 0.66666666666666666 * f);
    return hi - ((r - lo) - f);
  }
  const double s = f / (2.0 + f), z = s * s;
  double r = z * 1.479819860511658591e-01 + 1.531383769920937332e-01;
  r = z * r + 1.818357216161805012e-01;
  r = z * r + 2.222219843214978396e-01;
  r = z * r + 2.857142874366239149e-01;
  r = z * r + 3.999999999940941908e-01;
  r = z * (z * r + 6.666666666666735130e-01);
  if (k == 0.0) {
    return f - (half - s * (half + r));
  }
  return hi - ((half - (s * (half + r) + lo)) - f);
}

// log2_64 is scalar.Log2 of a float32.
INLINE double log2_64(double x) {
  if (!(x > 0.0) || x > 1.79769313486231570815e+308) {
    return log64(x);
  }
  const long long b = bits64(x);
  const int n = (int)(b >> 52) - 1022;
  const double f = of_bits64((b & 0xfffffffffffffll) | 0x3fe0000000000000ll);
  if (f == 0.5) {
    return (double)(n - 1);
  }
  return log64(f) * 1.44269504088896338700 + (double)n;
}

// expm1_64 is scalar.Expm1.
INLINE double expm1_64(double x) {
  const double a = abs64(x);
  if (x != x || a < 0x1p-54) {
    return x;
  }
  if (x <= -3.88162421113569373274e+01) {
    return -1.0;
  }
  if (x >= 7.09782712893383973096e+02) {
    return inf64();
  }
  double r = x, c = 0.0;
  int k = 0;
  if (a > 3.46573590279972654709e-01) {
    if (a < 1.03972077083991796413e+00) {
      k = x < 0.0 ? -1 : 1;
    } else {
      k = (int)(1.44269504088896338700 * x + with_sign64(0.5, x));
    }
    const double t = (double)k, hi = x - t * 6.93147180369123816490e-01, lo = t * 1.90821492927058770002e-10;
    r = hi - lo;
    c = (hi - r) - lo;
  }
  const double half = 0.5 * r, s = r * half;
  double p = s * -2.01099218183624371326e-07 + 4.00821782732936239552e-06;
  p = s * p - 7.93650757867487942473e-05;
  p = s * p + 1.58730158725481460165e-03;
  p = s * p - 3.33333333333331316428e-02;
  p = 1.0 + s * p;
  const double t = 3.0 - p * half;
  double e = s * ((p - t) / (6.0 - r * t));
  if (k == 0) {
    return r - (r * e - s);
  }
  e = r * (e - c) - c;
  e -= s;
  if (k == -1) {
    return 0.5 * (r - e) - 0.5;
  }
  if (k == 1) {
    return r < -0.25 ? -2.0 * (e - (r + 0.5)) : 1.0 + 2.0 * (r - e);
  }
  if (k <= -2 || k > 56) {
    return times_power_of_2(1.0 - (e - r), k) - 1.0;
  }
  if (k < 20) {
    return times_power_of_2((1.0 - power_of_2(-k)) - (e - r), k);
  }
  return times_power_of_2((r - (e + power_of_2(-k))) + 1.0, k);
}

// softplus64 is elem.Softplus.
INLINE double softplus64(double x) { return (x > 0.0 ? x : 0.0) + log1p64(exp64(-abs64(x))); }

// Octant is j·π/4 + z, with an even j, up to turns.
struct Octant {
  int j;
  double z;
};

// four_over_pi returns 64 bits of 4/π, from bit 64·i + shift on, i ≤ 4.
INLINE unsigned long long four_over_pi(int i, int shift) {
  unsigned long long high = 0xfca2c757bd778ac3ull, low = 0x6e48dc74849ba5c0ull;
  switch (i) {
  case 0: high = 0x0000000000000001ull, low = 0x45f306dc9c882a53ull; break;
  case 1: high = 0x45f306dc9c882a53ull, low = 0xf84eafa3ea69bb81ull; break;
  case 2: high = 0xf84eafa3ea69bb81ull, low = 0xb6c52b3278872083ull; break;
  case 3: high = 0xb6c52b3278872083ull, low = 0xfca2c757bd778ac3ull; break;
  }
  return high << shift | low >> 1 >> (63 - shift);
}

// octant is scalar's of a float32 x ≥ 0.
INLINE Octant octant(double x) {
  if (x < 0x1p29) {
    int j = (int)(x * 1.2732395447351628);
    j += j & 1;
    const double y = (double)j;
    double z = x - y * 7.85398125648498535156e-1;
    z = z - y * 3.77489470793079817668e-8;
    z = z - y * 2.69515142907905952645e-15;
    return Octant{j & 7, z};
  }
  const unsigned long long b = (unsigned long long)bits64(x), m = (b & 0xfffffffffffffull) | 0x10000000000000ull;
  const int at = (int)(b >> 52) - 1023 - 52 + 61, i = at / 64, shift = at % 64;
  const unsigned long long w1 = four_over_pi(i + 1, shift), carried = high64(four_over_pi(i + 2, shift), m);
  const unsigned long long lo = w1 * m + carried;
  unsigned long long hi = four_over_pi(i, shift) * m + high64(w1, m) + (lo < carried ? 1 : 0);
  int j = (int)(hi >> 61);
  hi = hi << 3 | lo >> 61;
  const int n = leading_zeros64(hi) + 1;
  double z = of_bits64((long long)((unsigned long long)(1023 - n) << 52 | (hi << n | lo >> (64 - n)) >> 12));
  if (j & 1) {
    j = (j + 1) & 7;
    z -= 1.0;
  }
  return Octant{j, z * 0.785398163397448309616};
}

INLINE double sin_near(double z) {
  const double s = z * z;
  double p = 1.58962301576546568060e-10 * s - 2.50507477628578072866e-8;
  p = p * s + 2.75573136213857245213e-6;
  p = p * s - 1.98412698295895385996e-4;
  p = p * s + 8.33333333332211858878e-3;
  p = p * s - 1.66666666666666307295e-1;
  return z + z * s * p;
}

INLINE double cos_near(double z) {
  const double s = z * z;
  double p = -1.13585365213876817300e-11 * s + 2.08757008419747316778e-9;
  p = p * s - 2.75573141792967388112e-7;
  p = p * s + 2.48015872888517045348e-5;
  p = p * s - 1.38888888888730564116e-3;
  p = p * s + 4.16666666666665929218e-2;
  return (1.0 - 0.5 * s) + s * s * p;
}

// sin64 is scalar.Sin of a float32, or with quarter scalar.Cos.
INLINE double sin64(double x, bool quarter) {
  if (x - x != 0.0) {
    return nan64();
  }
  if (x == 0.0 && !quarter) {
    return x;
  }
  const Octant o = octant(abs64(x));
  const bool minus = quarter ? o.j == 2 || o.j == 4 : (o.j > 3) != (x < 0.0);
  const double y = ((o.j & 2) != 0) != quarter ? cos_near(o.z) : sin_near(o.z);
  return minus ? -y : y;
}

// pow64 is scalar.Pow of two float32; what is too small for a normal number is 0.
INLINE double pow64(double x, double y) {
  if (y == 0.0 || x == 1.0) {
    return 1.0;
  }
  if (y == 1.0) {
    return x;
  }
  if (x != x || y != y) {
    return nan64();
  }
  const double a = abs64(y);
  const bool large = a >= 0x1p63;
  long long whole = large ? 0 : (long long)a;
  double rest = large ? 0.0 : a - (double)whole;
  if (x == 0.0 || x - x != 0.0) {
    double r = abs64(x);
    if (y < 0.0) {
      r = 1.0 / r;
    }
    return rest == 0.0 && (whole & 1) == 1 ? with_sign64(r, x) : r;
  }
  if (a == 0.5) {
    const double r = sqrt64(x);
    return y < 0.0 ? 1.0 / r : r;
  }
  if (large) {
    return x == -1.0 ? 1.0 : (abs64(x) < 1.0) == (y > 0.0) ? 0.0 : inf64();
  }
  if (rest != 0.0 && x < 0.0) {
    return nan64();
  }
  double p = 1.0;
  int n = 0;
  if (rest != 0.0) {
    if (rest > 0.5) {
      rest -= 1.0;
      whole++;
    }
    p = exp64(rest * log64(x));
  }
  const long long b = bits64(x);
  double f = with_sign64(of_bits64((b & 0xfffffffffffffll) | 0x3fe0000000000000ll), x);
  int e = (int)(b >> 52 & 0x7ff) - 1022;
#pragma unroll 1
  for (; whole != 0; whole >>= 1) {
    if (e < -4096 || e > 4096) {
      n += e;
      break;
    }
    if (whole & 1) {
      p *= f;
      n += e;
    }
    f *= f;
    e *= 2;
    if (f < 0.5) {
      f += f;
      e--;
    }
  }
  if (y < 0.0) {
    p = 1.0 / p;
    n = -n;
  }
  const long long bp = bits64(p);
  n += (int)(bp >> 52 & 0x7ff) - 1023;
  if (n < -1022) {
    return with_sign64(0.0, p);
  }
  if (n > 1023) {
    return with_sign64(inf64(), p);
  }
  return with_sign64(of_bits64((bp & 0xfffffffffffffll) | (long long)(n + 1023) << 52), p);
}

// pow_each is pow64 of four, each in turn first: one function's code for all.
INLINE Four pow_each(Four x, Four y) {
#pragma unroll 1
  for (int c = 0; c < 4; c++) {
    x = Four{{x.v[1], x.v[2], x.v[3], float32(pow64((double)x.v[0], (double)y.v[0]))}};
    y = Four{{y.v[1], y.v[2], y.v[3], 0.0f}};
  }
  return x;
}
