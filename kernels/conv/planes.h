// planes.h is what the kernels share of images whose channels lie one after another, h×w each, and of
// windows, oh×ow of them a plane. A thread has one element of the result.
#pragma once

#include "../cuda/scalar.h"

#define ELEMENT_THREADS 128

// Element is a thread's element of an m×d matrix, in its row i; it has none if i is m.
struct Element {
  int i, j;
};

INLINE Element element(int m, int d) {
  const unsigned e = (unsigned)blockX() * ELEMENT_THREADS + (unsigned)threadX(), i = e / (unsigned)d;
  return i < (unsigned)m ? Element{(int)i, (int)(e - i * (unsigned)d)} : Element{m, 0};
}

// WINDOWS are how windows of kh×kw go over a plane.
#define WINDOWS int h, int w, int kh, int kw, int stride_h, int stride_w, int pad_h, int pad_w, int oh, int ow

// Part is the part of a plane that a window sees.
struct Part {
  int top, left, bottom, right;
};

// Range is windows, counted along one side.
struct Range {
  int from, to;
};

// covering is the windows that reach over position p of the padded plane.
INLINE Range covering(int p, int kernel, int dilation, int stride, int n) {
  const int size = (kernel - 1) * dilation + 1;
  return {p >= size ? (p - size) / stride + 1 : 0, lesser_of(n, p / stride + 1)};
}

// Windows has a method for each question about them.
struct Windows {
  int h, w, kh, kw, stride_h, stride_w, pad_h, pad_w, oh, ow;

  METHOD Part part(int y, int x) const {
    const int top = y * stride_h - pad_h, left = x * stride_w - pad_w;
    return {top < 0 ? 0 : top, left < 0 ? 0 : left, lesser_of(top + kh, h), lesser_of(left + kw, w)};
  }

  // down and across are the windows that reach over an element.
  METHOD Range down(int y, int dilation) const { return covering(y + pad_h, kh, dilation, stride_h, oh); }
  METHOD Range across(int x, int dilation) const { return covering(x + pad_w, kw, dilation, stride_w, ow); }

  // largest is Go's max of what a window sees of a plane.
  METHOD float largest(const float *plane, const Part &p) const {
    float best = plane[p.top * w + p.left];
    for (int y = p.top; y < p.bottom; y++) {
      for (int x = p.left; x < p.right; x++) {
        best = max32(best, plane[y * w + x]);
      }
    }
    return best;
  }

  // first is the position of the first element that equals the largest, or if that is NaN of the first.
  METHOD int first(const float *plane, const Part &p) const {
    const int begin = p.top * w + p.left;
    float best = plane[begin];
    int found = begin;
    bool none = false;
    for (int y = p.top; y < p.bottom; y++) {
      for (int x = p.left; x < p.right; x++) {
        const float v = plane[y * w + x];
        none |= v != v;
        found = v > best ? y * w + x : found;
        best = v > best ? v : best;
      }
    }
    return none ? begin : found;
  }
};

#define THE_WINDOWS Windows{h, w, kh, kw, stride_h, stride_w, pad_h, pad_w, oh, ow}
