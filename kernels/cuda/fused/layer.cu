// layer.cu holds instructions that follow one another in a layer, as one launch each.
// Their bits are those of the instructions one by one. Where columns need statistics, a
// block owns 16 columns of a layer's output with all rows of the batch, so that the
// matrix product, the statistics and what follows them meet only at barriers.
#include "../../gemm/multiply.h"
#include "../../norm/columns.h"

// Tiles of a block that owns COLUMNS columns: 64 rows at a time, 2×4 sums a thread.
#define LAYER 64, COLUMNS, 32, 2, 4
#define LAYER_OWN 64, COLUMNS, 2, 4

// linear_norm: gemm, then standardize_affine, then activation:
//
//	h = a·b + bias
//	xhat, mean, variance, invstd   of the columns of h
//	y = act(xhat·gamma + beta)
//
// bias may be null.
KERNEL(COLUMN_THREADS, 1)
linear_norm(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, bias),
            TENSOR(const float, gamma), TENSOR(const float, beta), TENSOR(float, h), TENSOR(float, xhat),
            TENSOR(float, mean), TENSOR(float, variance), TENSOR(float, invstd), TENSOR(float, y), int m, int n, int k,
            int lda, int ldb, int ldh, int ldxhat, int ldy, int act, double eps) {
  RETURN_IF_DIVERGED
  for (int i0 = 0; i0 < m; i0 += 64) {
    multiply<LAYER, false, false>(REPLICA(a), REPLICA(b), REPLICA(bias), REPLICA(h), 0, m, n, k, lda, ldb, ldh, i0,
                                  blockX() * COLUMNS);
  }
  barrier();
  float *to = REPLICA(xhat), *out = REPLICA(y);
  const float *g = REPLICA(gamma), *s = REPLICA(beta);
  standardized(REPLICA(h), REPLICA(mean), REPLICA(variance), REPLICA(invstd), m, n, ldh, eps,
               [=](int i, int j, float v) {
                 *at(to, ldxhat, i, j) = v;
                 *at(out, ldy, i, j) = activate(act, v * g[j] + s[j]);
               });
}

// linear_norm_grad: gemm of a transposed b, then activation_grad, then affine_grad,
// then with lr sgd of gamma and beta:
//
//	g = activation_grad(y, a·bᵀ)
//	dx, dgamma, dbeta              as affine_grad of xhat and g
//	gamma = fma(-lr, dgamma, gamma), beta likewise
//
// y is the output of the activation. lr may be null.
KERNEL(COLUMN_THREADS, 1)
linear_norm_grad(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, y),
                 TENSOR(const float, xhat), TENSOR(const float, invstd), TENSOR(float, g), TENSOR(float, dx),
                 TENSOR(float, dgamma), TENSOR(float, dbeta), TENSOR(float, gamma), TENSOR(float, beta),
                 TENSOR(const double, lr), int m, int n, int k, int lda, int ldb, int ldy, int ldxhat, int ldg,
                 int lddx, int act) {
  RETURN_IF_DIVERGED
  float *grad = REPLICA(g);
  const float *out = REPLICA(y);
  for (int i0 = 0; i0 < m; i0 += 64) {
    const int j0 = blockX() * COLUMNS;
    multiply<LAYER, false, true>(REPLICA(a), REPLICA(b), 0, grad, 0, m, n, k, lda, ldb, ldg, i0, j0);
    own<LAYER_OWN>(m, n, i0, j0, [=](int i, int j, int w) {
      float *p = at(grad, ldg, i, j);
      store4(p, w, activate_grad(act, load4(at(out, ldy, i, j), w), load4(p, w)));
    });
  }
  barrier();
  const Gradient to = {REPLICA(dx), REPLICA(dgamma), REPLICA(dbeta), lddx};
  standardized_grad<true>(REPLICA(xhat), ldxhat, grad, ldg, REPLICA(gamma), REPLICA(invstd), to, m, n);
  barrier();
  const int j = column();
  if (lr && j < n && group_of_columns() < 2) {
    const float rate = -float32(*REPLICA(lr));
    if (group_of_columns() == 0) {
      REPLICA(gamma)[j] = fma32(rate, to.dgamma[j], REPLICA(gamma)[j]);
    } else {
      REPLICA(beta)[j] = fma32(rate, to.dbeta[j], REPLICA(beta)[j]);
    }
  }
}

// linear_grad: gemm of a transposed b, then activation_grad: dx =
// activation_grad(y, a·bᵀ).
KERNEL(64, 6)
linear_grad(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(const float, y), TENSOR(float, dx), int m,
            int n, int k, int lda, int ldb, int ldy, int lddx, int act) {
  RETURN_IF_DIVERGED
  const int i0 = blockY() * 32, j0 = blockX() * 32;
  float *to = REPLICA(dx);
  const float *out = REPLICA(y);
  multiply<32, 32, 16, 4, 4, false, true>(REPLICA(a), REPLICA(b), 0, to, 0, m, n, k, lda, ldb, lddx, i0, j0);
  own<32, 32, 4, 4>(m, n, i0, j0, [=](int i, int j, int w) {
    float *p = at(to, lddx, i, j);
    store4(p, w, activate_grad(act, load4(at(out, ldy, i, j), w), load4(p, w)));
  });
}

// linear_step: the steps of SGD of a layer's weights and bias, of k examples:
//
//	c = c - lr·aᵀ·b                as gemm
//	bias = fma(-lr, Σ_p b_p, bias)  the sum as column_sum
//
// bias may be null.
KERNEL(64, 6)
linear_step(CONTROL, TENSOR(const float, a), TENSOR(const float, b), TENSOR(float, c), TENSOR(float, bias),
            TENSOR(const double, lr), int m, int n, int k, int lda, int ldb, int ldc) {
  RETURN_IF_DIVERGED
  const int i0 = blockY() * 32, j0 = blockX() * 32;
  const float *grad = REPLICA(b);
  const int j = j0 + threadX();
  if (bias && i0 == 0 && threadX() < 32 && j < n) {
    float *shift = REPLICA(bias) + j;
    const float sum = float32(add_up(0, k, [=](int i) { return (double)*at(grad, ldb, i, j); }));
    *shift = fma32(-float32(*REPLICA(lr)), sum, *shift);
  }
  multiply<32, 32, 16, 4, 4, true, false>(REPLICA(a), grad, 0, REPLICA(c), REPLICA(lr), m, n, k, lda, ldb, ldc, i0, j0);
}
