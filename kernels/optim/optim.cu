// optim.cu is package optim in CUDA, four columns of a parameter a thread. The
// learning rate and Adam's powers of beta are read from the device's state, so
// that a captured graph follows them. Parameters and slots are updated in place;
// rules.h says how. l2 is the weight decay of the gradient.
#include "../elem/sum.h"
#include "rate.h"
#include "rules.h"

// sgd: a step of p with the gradient g.
KERNEL(QUAD_THREADS)
sgd(CONTROL, TENSOR(const float, g), TENSOR(float, p), TENSOR(const double, lr), int m, int d, int ldg, int ldp,
    float l2) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  float *to = at(REPLICA(p), ldp, q.i, q.j);
  const Four w = load4(to, q.n), grad = decayed(load4(at(REPLICA(g), ldg, q.i, q.j), q.n), w, l2);
  store4(to, q.n, sgd_step(grad, w, float32(*REPLICA(lr))));
}

// momentum: the same with the velocity v.
KERNEL(QUAD_THREADS)
momentum(CONTROL, TENSOR(const float, g), TENSOR(float, p), TENSOR(float, v), TENSOR(const double, lr), int m, int d,
         int ldg, int ldp, int ldv, float mu, float nesterov, float l2) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  float *to = at(REPLICA(p), ldp, q.i, q.j), *slot = at(REPLICA(v), ldv, q.i, q.j);
  Four w = load4(to, q.n), velocity = load4(slot, q.n);
  const Four grad = decayed(load4(at(REPLICA(g), ldg, q.i, q.j), q.n), w, l2);
  momentum_step(grad, w, velocity, float32(*REPLICA(lr)), mu, nesterov);
  store4(slot, q.n, velocity);
  store4(to, q.n, w);
}

// adam: the same with the moments m1 and m2. eps and the numbers before it are
// float32, decay is float64.
KERNEL(QUAD_THREADS)
adam(CONTROL, TENSOR(const float, g), TENSOR(const double, powers), TENSOR(float, p), TENSOR(float, m1),
     TENSOR(float, m2), TENSOR(const double, lr), int m, int d, int ldg, int ldp, int ldm1, int ldm2, float decay1,
     float gain1, float decay2, float gain2, float eps, float l2, double decay) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  if (q.n == 0) {
    return;
  }
  Adam rule = {decay1, gain1, decay2, gain2, eps, 0, 0, 0};
  rule.start(float32(*REPLICA(lr)), REPLICA(powers), decay);
  float *to = at(REPLICA(p), ldp, q.i, q.j);
  float *slot1 = at(REPLICA(m1), ldm1, q.i, q.j), *slot2 = at(REPLICA(m2), ldm2, q.i, q.j);
  Four first = load4(slot1, q.n), second = load4(slot2, q.n), w = load4(to, q.n);
  rule.update(decayed(load4(at(REPLICA(g), ldg, q.i, q.j), q.n), w, l2), w, first, second);
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

// clip_scale: scale is what gradients are multiplied by, min(1, bound/(√(Σ squares) + 1e-6)) in
// float64, the squares in order; NaN stays.
KERNEL(SUM_THREADS)
clip_scale(CONTROL, TENSOR(const float, squares), TENSOR(float, scale), int d, double bound) {
  RETURN_IF_DIVERGED
  const double sum = ordered_sum(REPLICA(squares), 1, d, d);
  if (threadX() == 0) {
    const double s = bound / (sqrt64(sum) + 1e-6);
    *REPLICA(scale) = s >= 1 ? 1.0f : float32(s);
  }
}

// learning_rate: lr = base·factor, that of the step that follows so many.
KERNEL(32)
learning_rate(CONTROL, TENSOR(const double, base), TENSOR(double, lr), TENSOR(const long long, step), int curve,
              int warm, int span, double to) {
  RETURN_IF_DIVERGED
  if (threadX() == 0) {
    *REPLICA(lr) = *REPLICA(base) * factor(curve, *REPLICA(step), warm, span, to);
  }
}
