// bytes.h is what bytes of a data set stand for.
#pragma once

#include "../cuda/driftless.h"

// Numbered as gather.Map.
enum Map { RAW, UNIT, BINARY };

// bytes4 reads n bytes of a row of the data set.
INLINE Four bytes4(const unsigned char *p, int n) {
  Four r;
  if (n == 4 && ((unsigned long long)p & 3) == 0) {
    unsigned w = *(const unsigned *)p;
#pragma unroll
    for (int c = 0; c < 4; c++) {
      r.v[c] = (float)(w >> (8 * c) & 255);
    }
  } else {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      r.v[c] = c < n ? (float)p[c] : 0.0f;
    }
  }
  return r;
}

// unit is x/255, rounded once, of a byte x: a quotient by the reciprocal, and one correction.
INLINE float unit(float x) {
  const float by = 1.0f / 255.0f, q = x * by;
  return fma32(fma32(-255.0f, q, x), by, q);
}

// mapped turns bytes into numbers: x, x/255, or 1 where x > 127.
INLINE Four mapped(int map, const Four &v) {
  switch (map) {
  case UNIT: return each(v, [](float x) { return unit(x); });
  case BINARY: return each(v, [](float x) { return x > 127.0f ? 1.0f : 0.0f; });
  }
  return v;
}

// word_mapped is mapped of the 4 bytes of a word.
template <int MAP>
INLINE Four word_mapped(unsigned w) {
  Four r;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    r.v[c] = MAP == BINARY ? (w >> (8 * c + 7) & 1 ? 1.0f : 0.0f) : (float)(w >> (8 * c) & 255);
  }
  return MAP == UNIT ? mapped(UNIT, r) : r;
}
