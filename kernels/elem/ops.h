// ops.h is elem.Binary in CUDA.
#pragma once

#include "../cuda/driftless.h"

// Numbered as elem.Binary. Pow has kernels of its own.
enum Binary { ADD, SUB, MUL, DIV, GT, GTE, LT, LTE, EQ, NE, MIN, MAX };

INLINE float indicator(bool holds) { return holds ? 1.0f : 0.0f; }

// binary_of is elem.Apply: one IEEE operation an element, 1 and 0 for a comparison, or one of the two.
INLINE Four binary_of(int op, const Four &u, const Four &v) {
  switch (op) {
  case ADD: return each(u, v, [](float s, float t) { return s + t; });
  case SUB: return each(u, v, [](float s, float t) { return s - t; });
  case MUL: return each(u, v, [](float s, float t) { return s * t; });
  case DIV: return each(u, v, [](float s, float t) { return s / t; });
  case GT: return each(u, v, [](float s, float t) { return indicator(s > t); });
  case GTE: return each(u, v, [](float s, float t) { return indicator(s >= t); });
  case LT: return each(u, v, [](float s, float t) { return indicator(s < t); });
  case LTE: return each(u, v, [](float s, float t) { return indicator(s <= t); });
  case EQ: return each(u, v, [](float s, float t) { return indicator(s == t); });
  case NE: return each(u, v, [](float s, float t) { return indicator(s != t); });
  case MIN: return each(u, v, [](float s, float t) { return t < s ? t : s; });
  default: return each(u, v, [](float s, float t) { return t > s ? t : s; });
  }
}
