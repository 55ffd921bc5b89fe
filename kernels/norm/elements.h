// elements.h holds the elementwise operations of package norm: of four elements of a
// row, and of the four columns' statistics.
#pragma once

#include "../cuda/driftless.h"

// inverse_std is norm.InvStd: in float64, rounded once.
INLINE float inverse_std(float variance, double eps) { return float32(1.0 / sqrt64((double)variance + eps)); }
INLINE Four inverse_std(const Four &variance, double eps) {
  return each(variance, [=](float v) { return inverse_std(v, eps); });
}

INLINE Four plus(const Four &x, const Four &y) {
  return each(x, y, [](float s, float t) { return s + t; });
}
INLINE Four minus(const Four &x, const Four &y) {
  return each(x, y, [](float s, float t) { return s - t; });
}
INLINE Four times(const Four &x, const Four &y) {
  return each(x, y, [](float s, float t) { return s * t; });
}

// square_of is (x - mean)², rounded twice.
INLINE Four square_of(const Four &x, const Four &mean) {
  const Four dev = minus(x, mean);
  return times(dev, dev);
}

// moved is norm.EMA: (1-alpha)·old + alpha·(scale·recent), every operation rounded.
INLINE Four moved(const Four &old, const Four &recent, float alpha, float scale) {
  const float keep = 1.0f - alpha;
  return each(old, recent, [=](float s, float t) { return keep * s + alpha * (scale * t); });
}
