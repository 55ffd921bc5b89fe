// rules.h holds the steps of the optimizers, of four elements of a parameter. Each
// statement is one rounding an operation.
#pragma once

#include "../cuda/driftless.h"

// decayed returns the gradient of p with a weight decay of l2, fma(l2, p, g); 0 is none.
INLINE Four decayed(const Four &g, const Four &p, float l2) {
  return l2 == 0 ? g : each(p, g, [=](float w, float s) { return fma32(l2, w, s); });
}

// sgd_step returns p = fma(-lr, g, p).
INLINE Four sgd_step(const Four &g, const Four &p, float lr) {
  return each(g, p, [=](float s, float w) { return fma32(-lr, s, w); });
}

// momentum_step sets v = mu·v + g, then p = p - lr·v, or where nesterov is not 0
// p = p - lr·(mu·v + g).
INLINE void momentum_step(const Four &g, Four &p, Four &v, float lr, float mu, float nesterov) {
  const auto moved = [=](float s, float t) { return mu * s + t; };
  v = each(v, g, moved);
  p = each(p, nesterov == 0 ? v : each(v, g, moved), [=](float w, float s) { return w - lr * s; });
}

// Adam holds what a step of Adam, or of AdamW where decay is not 0, has for all
// elements. decay1, gain1, … are beta1, 1-beta1, …, each rounded once from float64.
struct Adam {
  float decay1, gain1, decay2, gain2, eps;
  float step, root, shrink;

  // start takes the powers beta1^t, beta2^t of the step's t:
  //
  //	c1 = 1 - beta1^t, c2 = 1 - beta2^t           // float64, rounded
  //	step = lr/c1, root = √c2
  //	shrink = 1 - lr·decay                        // float64, rounded
  METHOD void start(float lr, const double *powers, double decay) {
    step = lr / float32(1.0 - powers[0]), root = sqrt32(float32(1.0 - powers[1]));
    shrink = float32(1.0 - (double)lr * decay);
  }

  // update sets
  //
  //	m = decay1·m + gain1·g
  //	v = decay2·v + (gain2·g)·g
  //	p = shrink·p - (step·m)/(√v/root + eps)
  METHOD void update(const Four &g, Four &p, Four &m, Four &v) const {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      const float s = g.v[c];
      m.v[c] = decay1 * m.v[c] + gain1 * s;
      v.v[c] = decay2 * v.v[c] + gain2 * s * s;
      p.v[c] = shrink * p.v[c] - step * m.v[c] / (sqrt32(v.v[c]) / root + eps);
    }
  }
};
