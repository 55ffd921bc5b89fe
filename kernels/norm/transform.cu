// transform.cu is transform.go in CUDA, and the forward half of affine.go. Where a
// transform needs statistics of its input, a block owns 16 columns (columns.h);
// the rest goes four columns a thread. Outputs may be the input of their shape.
#include "columns.h"

// center: mean as column_mean, y = (x - hi) - lo, of which hi is the mean and lo what
// its rounding took.
KERNEL(COLUMN_THREADS, 1)
center(CONTROL, TENSOR(const float, x), TENSOR(float, y), TENSOR(float, mean), int m, int d, int ldx, int ldy) {
  RETURN_IF_DIVERGED
  __shared__ Shared shared;
  centred(shared, REPLICA(x), REPLICA(y), REPLICA(mean), m, d, ldx, ldy);
}

// standardize: mean as column_mean, variance as column_var but about it unrounded,
// invstd = 1/√(variance + eps) in float64, xhat = ((x - hi) - lo)·invstd.
KERNEL(COLUMN_THREADS, 1)
standardize(CONTROL, TENSOR(const float, x), TENSOR(float, xhat), TENSOR(float, mean), TENSOR(float, variance),
            TENSOR(float, invstd), int m, int d, int ldx, int ldxhat, double eps) {
  RETURN_IF_DIVERGED
  __shared__ Shared shared;
  float *to = REPLICA(xhat);
  standardized(shared, REPLICA(x), REPLICA(mean), REPLICA(variance), REPLICA(invstd), m, d, ldx, eps,
               [=](int i, int j, float v) { *at(to, ldxhat, i, j) = v; });
}

// standardize_affine: standardize, then y = xhat·gamma + beta, rounded twice.
KERNEL(COLUMN_THREADS, 1)
standardize_affine(CONTROL, TENSOR(const float, x), TENSOR(const float, gamma), TENSOR(const float, beta),
                   TENSOR(float, xhat), TENSOR(float, mean), TENSOR(float, variance), TENSOR(float, invstd),
                   TENSOR(float, y), int m, int d, int ldx, int ldxhat, int ldy, double eps) {
  RETURN_IF_DIVERGED
  __shared__ Shared shared;
  float *to = REPLICA(xhat), *out = REPLICA(y);
  const float *g = REPLICA(gamma), *b = REPLICA(beta);
  standardized(shared, REPLICA(x), REPLICA(mean), REPLICA(variance), REPLICA(invstd), m, d, ldx, eps,
               [=](int i, int j, float v) {
                 *at(to, ldxhat, i, j) = v;
                 *at(out, ldy, i, j) = v * g[j] + b[j];
               });
}

// rescale: square = (Σ x²)/m as column_var about 0, inv = 1/√(square + eps) as in
// standardize, y = x·inv. One thread a column. y may be x.
KERNEL(STATS_THREADS)
rescale(CONTROL, TENSOR(const float, x), TENSOR(float, y), TENSOR(float, inv), int m, int d, int ldx, int ldy,
        double eps) {
  RETURN_IF_DIVERGED
  const int j = stats_column();
  if (j < d) {
    const float *from = REPLICA(x) + j;
    float *to = REPLICA(y) + j;
    const double s = add_up(0, m, [=](int i) {
      const double v = (double)from[(long long)i * ldx];
      return v * v;
    });
    const float by = inverse_std(float32(s / (double)m), eps);
    REPLICA(inv)[j] = by;
    for (int i = 0; i < m; i++) {
      to[(long long)i * ldy] = from[(long long)i * ldx] * by;
    }
  }
}

// renorm_scale: r = ((variance + eps)·a)·b held between 1/limit and limit, with a and b
// the inverse deviations of variance and running, and limit = 1 + (max - 1)·open.
KERNEL(QUAD_THREADS)
renorm_scale(CONTROL, TENSOR(const float, variance), TENSOR(const float, running), TENSOR(const float, steps),
             TENSOR(float, r), int m, int d, int ldvariance, int ldrunning, int ldr, double eps, double max,
             double from, double to) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  const Four v = load4(at(REPLICA(variance), ldvariance, q.i, q.j), q.n), u = load4(at(REPLICA(running), ldrunning, q.i, q.j), q.n);
  store4(at(REPLICA(r), ldr, q.i, q.j), q.n, renorm_scaled(v, u, eps, Ramp{max, from, to}, *REPLICA(steps)));
}

// renorm_shift: y = (mean - running)·b held between -limit and limit, with b the inverse
// deviation of variance, and limit = max·open.
KERNEL(QUAD_THREADS)
renorm_shift(CONTROL, TENSOR(const float, mean), TENSOR(const float, running), TENSOR(const float, variance),
             TENSOR(const float, steps), TENSOR(float, y), int m, int d, int ldmean, int ldrunning, int ldvariance,
             int ldy, double eps, double max, double from, double to) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  const Four mu = load4(at(REPLICA(mean), ldmean, q.i, q.j), q.n), u = load4(at(REPLICA(running), ldrunning, q.i, q.j), q.n);
  const Four v = load4(at(REPLICA(variance), ldvariance, q.i, q.j), q.n);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, renorm_shifted(mu, u, v, eps, Ramp{max, from, to}, *REPLICA(steps)));
}

// center_by: y = x - mean.
KERNEL(QUAD_THREADS)
center_by(CONTROL, TENSOR(const float, x), TENSOR(const float, mean), TENSOR(float, y), int m, int d, int ldx,
          int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n), mu = load4(REPLICA(mean) + q.j, q.n);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, minus(v, mu));
}

// normalize_by: y = (x - mean)·inv with inv = 1/√(variance + eps) as in standardize.
KERNEL(QUAD_THREADS)
normalize_by(CONTROL, TENSOR(const float, x), TENSOR(const float, mean), TENSOR(const float, variance),
             TENSOR(float, y), int m, int d, int ldx, int ldy, double eps) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n), mu = load4(REPLICA(mean) + q.j, q.n);
  Four inv = inverse_std(load4(REPLICA(variance) + q.j, q.n), eps);
  v = minus(v, mu);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, times(v, inv));
}

// scale_by: dx = g·inv, with inv as in normalize_by.
KERNEL(QUAD_THREADS)
scale_by(CONTROL, TENSOR(const float, g), TENSOR(const float, variance), TENSOR(float, dx), int m, int d, int ldg,
         int lddx, double eps) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(g), ldg, q.i, q.j), q.n);
  Four inv = inverse_std(load4(REPLICA(variance) + q.j, q.n), eps);
  store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, times(v, inv));
}

// affine: y = xhat·gamma + beta, rounded twice.
KERNEL(QUAD_THREADS)
affine(CONTROL, TENSOR(const float, xhat), TENSOR(const float, gamma), TENSOR(const float, beta), TENSOR(float, y),
       int m, int d, int ldxhat, int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(xhat), ldxhat, q.i, q.j), q.n);
  v = plus(times(v, load4(REPLICA(gamma) + q.j, q.n)), load4(REPLICA(beta) + q.j, q.n));
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, v);
}

// scale_columns: dx = g·gamma.
KERNEL(QUAD_THREADS)
scale_columns(CONTROL, TENSOR(const float, g), TENSOR(const float, gamma), TENSOR(float, dx), int m, int d, int ldg,
              int lddx) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(g), ldg, q.i, q.j), q.n), f = load4(REPLICA(gamma) + q.j, q.n);
  store4(at(REPLICA(dx), lddx, q.i, q.j), q.n, times(v, f));
}

// squared_dev: y = (x - mean)², rounded twice.
KERNEL(QUAD_THREADS)
squared_dev(CONTROL, TENSOR(const float, x), TENSOR(const float, mean), TENSOR(float, y), int m, int d, int ldx,
            int ldy) {
  RETURN_IF_DIVERGED
  Quad q = quad(m, d);
  Four v = load4(at(REPLICA(x), ldx, q.i, q.j), q.n), mu = load4(REPLICA(mean) + q.j, q.n);
  store4(at(REPLICA(y), ldy, q.i, q.j), q.n, square_of(v, mu));
}
