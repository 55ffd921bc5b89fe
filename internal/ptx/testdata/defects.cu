#include "device.h"
// Kernels with defects, each named by the test that expects it.

__global__ void copy(const float *x, float *y, int n) {
  int i = bid() * threads() + tid();
  if (i < n) y[i] = x[i];
}
__global__ void copy4(const float4 *x, float4 *y, int n) {
  int i = bid() * threads() + tid();
  if (i < n) y[i] = x[i];
}
// Neighbours write x[i+1] and read x[i] with no barrier.
__global__ void shiftGlobal(float *x) {
  int i = bid() * threads() + tid();
  float v = x[i];
  x[i + 1] = v;
}
__global__ void shiftGlobalWithin(float *x) {
  float v = x[tid()];
  sync();
  x[tid() + 1] = v;
}
// Every thread writes the same element.
__global__ void sameElement(float *x, int shared) {
  __shared__ float s[32];
  if (shared) {
    s[0] = tid();
    sync();
    if (tid() == 0) x[0] = s[0];
  } else x[0] = tid();
}
// Every block writes the same element.
__global__ void sameElementByBlock(float *x) {
  if (tid() == 0) x[0] = bid();
}
// A block reads what another writes.
__global__ void readOtherBlock(float *x) {
  if (bid() == 0) x[tid()] = 1;
  else x[threads() * bid() + tid()] = x[tid()];
}
__global__ void sharedNoBarrier(float *y, int warp) {
  __shared__ float s[128];
  s[tid()] = 0;
  sync();
  s[tid()] = tid();
  if (warp) syncWarp();
  y[tid()] = s[warp ? tid() ^ 1 : 127 - tid()];
}
__global__ void sharedUninitialised(float *y) {
  __shared__ float s[64];
  if (tid() != 5) s[tid()] = 1;
  sync();
  y[tid()] = s[tid()];
}
__global__ void sharedBeyond(float *y, int i) {
  __shared__ float s[32];
  __shared__ float u[32];
  s[tid()] = 1;
  u[tid()] = 2;
  sync();
  y[tid()] = s[tid() + i] + u[tid()];
}
__global__ void barrierInBranch(float *y, int n) {
  __shared__ float s[64];
  s[tid()] = tid();
  if (tid() < n) {
    sync();
    y[tid()] = s[tid() ^ 32];
  }
}
__global__ void twoBarriers(float *y, int n) {
  if (tid() < n) { y[tid()] = 1; sync(); y[tid()] += 1; }
  else { y[tid()] = 2; sync(); y[tid()] += 2; }
}
__global__ void endless(volatile int *flag) {
  while (*flag == 0) {}
}
__global__ void divideBy(int *x, int d) { x[tid()] = x[tid()] / (d - tid()); }
__global__ void halfShuffle(float *x) {
  float v = x[tid()];
  if (tid() < 16) v = shuffleXor(v, 16);
  x[tid()] = v;
}
__global__ void writeConst(const float *__restrict__ x, float *y) { y[tid()] = x[tid() ^ 1]; }
