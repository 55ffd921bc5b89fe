// ops.h is the table that tells a kernel which operations to do. An operation has the
// arguments of the kernel of the same name: its tensors in their order, without
// control; lda, ldb, … by the tensor that they belong to; then its numbers. Package
// fused packs it (Op). Some do more than that: act, ACTIVATED, PACKED.
#pragma once

#include "../../optim/rules.h"
#include "../packed.h"

// Numbered as the list in ops.go, the steps of optimizers last.
enum Code {
  GEMM_NN, GEMM_NT, GEMM_TN,
  ACTIVATION, ACTIVATION_GRAD, ADD_ROW, COPY, PACK,
  COLUMN_SUM, COLUMN_MEAN, COLUMN_VAR, COLUMN_DOT,
  CENTER, CENTER_BY, NORMALIZE_BY, SCALE_BY, AFFINE, SCALE_COLUMNS, SQUARED_DEV,
  STANDARDIZE, STANDARDIZE_AFFINE, STANDARDIZE_GRAD, AFFINE_GRAD,
  EMA, SGD, MOMENTUM, ADAM,
};

// Matrix is an operand of a replica.
struct Matrix {
  float *p;
  int ld;
  METHOD Four get(int i, int j, int w) const { return load4(at(p, ld, i, j), w); }
  METHOD void put(int i, int j, int w, const Four &v) const { store4(at(p, ld, i, j), w, v); }
  METHOD Four row(int j, int w) const { return load4(p + j, w); } // of a vector
  METHOD float &one(int i, int j) const { return *at(p, ld, i, j); }
};

// Packed is a copy in BF16 of a matrix of d columns, if there is one.
struct Packed {
  bool there;
  unsigned *p;
  int ld, d;
  METHOD void put(int i, int j, float v) const {
    if (there) {
      pack1(p, ld, i, j, d, v);
    }
  }
};

// The tensors that an operation may have beside its kernel's: what the activation gave whose
// gradient affine_grad's g goes through first, and a copy of the result in BF16.
enum { ACTIVATED = 8, PACKED };

struct Op {
  int code, m, n, k, act;
  int first; // the number of the tile of the launch that is this operation's first
  int ld[10];
  struct {
    char *p;
    long long z;
  } tensor[10];
  double number[7];

  template <class T>
  METHOD T *get(int i) const {
    return in_global((T *)replica(tensor[i].p, tensor[i].z));
  }
  METHOD float *floats(int i) const { return get<float>(i); }
  METHOD Matrix matrix(int i) const { return Matrix{floats(i), ld[i]}; }
  METHOD int activates() const { return act; } // beside its kernel
  METHOD Matrix activated() const { return matrix(ACTIVATED); }
  METHOD Packed packed() const { return Packed{tensor[PACKED].p != 0, get<unsigned>(PACKED), ld[PACKED], n}; }
  METHOD float rate(int i) const { return float32(*get<const double>(i)); }
  METHOD float single(int i) const { return float32(number[i]); }
};

// ---- the steps of the optimizers, of what f(update) visits as update(i, j, w) ----

template <class O, class F>
INLINE void steps(const O &o, F each_quad) {
  const Matrix g = o.matrix(0);
  switch (o.code) {
  case SGD: {
    const Matrix p = o.matrix(1);
    const float lr = o.rate(2), l2 = o.single(0);
    each_quad([=](int i, int j, int w) {
      const Four x = p.get(i, j, w);
      p.put(i, j, w, sgd_step(decayed(g.get(i, j, w), x, l2), x, lr));
    });
    break;
  }
  case MOMENTUM: {
    const Matrix p = o.matrix(1), v = o.matrix(2);
    const float lr = o.rate(3), mu = o.single(0), nesterov = o.single(1), l2 = o.single(2);
    each_quad([=](int i, int j, int w) {
      Four x = p.get(i, j, w), y = v.get(i, j, w);
      momentum_step(decayed(g.get(i, j, w), x, l2), x, y, lr, mu, nesterov);
      v.put(i, j, w, y);
      p.put(i, j, w, x);
    });
    break;
  }
  default: { // ADAM
    const Matrix p = o.matrix(2), m = o.matrix(3), v = o.matrix(4);
    Adam rule = {o.single(0), o.single(1), o.single(2), o.single(3), o.single(4), 0, 0, 0};
    rule.start(o.rate(5), o.template get<const double>(1), o.number[6]);
    const float l2 = o.single(5);
    each_quad([=](int i, int j, int w) {
      Four x = p.get(i, j, w), y = m.get(i, j, w), z = v.get(i, j, w);
      rule.update(decayed(g.get(i, j, w), x, l2), x, y, z);
      m.put(i, j, w, y);
      v.put(i, j, w, z);
      p.put(i, j, w, x);
    });
  }
  }
}
