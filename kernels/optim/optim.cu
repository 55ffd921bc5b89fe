// optim.cu is package optim in CUDA, four columns of a parameter a thread. The
// learning rate and Adam's powers of beta are read from the device's state, so
// that a captured graph follows them. Parameters and slots are updated in place;
// each statement is one rounding an operation.
#include "../cuda/driftless.h"

// sgd: p = fma(-lr, g, p).
KERNEL(QUAD_THREADS)
sgd(CONTROL, TENSOR(const float, g), TENSOR(float, p), TENSOR(const double, lr), int m, int d, int ldg, int ldp) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float rate = -float32(*REPLICA(lr));
  float *to = at(REPLICA(p), ldp, q.i, q.j);
  Four grad = load4(at(REPLICA(g), ldg, q.i, q.j), q.n);
  store4(to, q.n, each(grad, load4(to, q.n), [rate](float s, float w) { return fma32(rate, s, w); }));
}

// momentum: v = mu·v + g, then p = p - lr·v.
KERNEL(QUAD_THREADS)
momentum(CONTROL, TENSOR(const float, g), TENSOR(float, p), TENSOR(float, v), TENSOR(const double, lr), int m, int d,
         int ldg, int ldp, int ldv, float mu) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const float rate = float32(*REPLICA(lr));
  float *to = at(REPLICA(p), ldp, q.i, q.j), *slot = at(REPLICA(v), ldv, q.i, q.j);
  Four grad = load4(at(REPLICA(g), ldg, q.i, q.j), q.n), velocity = load4(slot, q.n);
  velocity = each(velocity, grad, [mu](float s, float t) { return mu * s + t; });
  store4(slot, q.n, velocity);
  store4(to, q.n, each(load4(to, q.n), velocity, [rate](float w, float s) { return w - rate * s; }));
}

// adam, and adamw where shrinking is not 0, from the powers beta1^t, beta2^t of the
// step's t, in float32 but for what is said to be float64:
//
//	c1 = 1 - beta1^t, c2 = 1 - beta2^t           // float64, rounded
//	step = lr/c1, root = √c2
//	shrink = 1 - lr·decay                        // float64, rounded
//	m = decay1·m + gain1·g
//	v = decay2·v + (gain2·g)·g
//	p = shrink·p - (step·m)/(√v/root + eps)
//
// decay1, gain1, … are beta1, 1-beta1, …, each rounded once from float64.
KERNEL(QUAD_THREADS)
adam(CONTROL, TENSOR(const float, g), TENSOR(const double, powers), TENSOR(float, p), TENSOR(float, m1),
     TENSOR(float, m2), TENSOR(const double, lr), int m, int d, int ldg, int ldp, int ldm1, int ldm2, float decay1,
     float gain1, float decay2, float gain2, float eps, double decay) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  const double *power = REPLICA(powers);
  const float rate = float32(*REPLICA(lr));
  const float step = rate / float32(1.0 - power[0]), root = sqrt32(float32(1.0 - power[1]));
  const float shrink = float32(1.0 - (double)rate * decay);
  float *to = at(REPLICA(p), ldp, q.i, q.j);
  float *slot1 = at(REPLICA(m1), ldm1, q.i, q.j), *slot2 = at(REPLICA(m2), ldm2, q.i, q.j);
  Four grad = load4(at(REPLICA(g), ldg, q.i, q.j), q.n), first = load4(slot1, q.n), second = load4(slot2, q.n);
  Four w = load4(to, q.n);
#pragma unroll
  for (int c = 0; c < 4; c++) {
    const float s = grad.v[c];
    first.v[c] = decay1 * first.v[c] + gain1 * s;
    second.v[c] = decay2 * second.v[c] + gain2 * s * s;
    w.v[c] = shrink * w.v[c] - step * first.v[c] / (sqrt32(second.v[c]) / root + eps);
  }
  store4(slot1, q.n, first);
  store4(slot2, q.n, second);
  store4(to, q.n, w);
}

// beta_power: powers = (powers[0]·beta1, powers[1]·beta2), in float64.
KERNEL(32)
beta_power(CONTROL, TENSOR(double, powers), double beta1, double beta2) {
  RETURN_IF_DIVERGED
  if (threadX() == 0) {
    double *p = REPLICA(powers);
    p[0] *= beta1;
    p[1] *= beta2;
  }
}
