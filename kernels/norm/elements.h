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

// held is v within bounds, NaN where it is NaN, and open how far a ramp is after so many
// steps.
INLINE float held(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }
INLINE double open(double steps, double from, double to) {
  return steps >= to ? 1.0 : steps <= from ? 0.0 : (steps - from) / (to - from);
}

// Ramp is how far a renormalization may go after so many steps.
struct Ramp {
  double max, from, to;
  METHOD double open_at(float steps) const { return open((double)steps, from, to); }
};

// renorm_scaled is norm.RenormScale of four columns, and renorm_shifted norm.RenormShift.
INLINE Four renorm_scaled(const Four &variance, const Four &running, double eps, const Ramp &ramp, float steps) {
  const float limit = float32(1.0 + (ramp.max - 1.0) * ramp.open_at(steps)), e = float32(eps);
  const Four v = each(variance, [=](float s) { return s + e; });
  return each(times(times(v, inverse_std(variance, eps)), inverse_std(running, eps)), [=](float s) { return held(s, 1.0f / limit, limit); });
}
INLINE Four renorm_shifted(const Four &mean, const Four &running, const Four &variance, double eps, const Ramp &ramp, float steps) {
  const float limit = float32(ramp.max * ramp.open_at(steps));
  return each(times(minus(mean, running), inverse_std(variance, eps)), [=](float s) { return held(s, -limit, limit); });
}
