#include "device.h"
// Kernels that use, between them, what the kernels of a training engine use.

__constant__ float table[8] = {1, 2, 4, 8, 16, 32, 64, 128};
__device__ int launches = 5;

// y = x·table[i mod 8] + s
__global__ void tableScale(const float *x, float *y, float s, int n) {
  int i = bid() * threads() + tid();
  if (i < n) y[i] = fma(x[i], table[i & 7], s);
  if (i == 0) launches++;
}

__global__ void readLaunches(int *out) {
  if (tid() == 0) *out = launches;
}

// Column means and variances in two passes, one block a column.
__global__ void __launch_bounds__(128) columnStats(const float *__restrict__ x, float *__restrict__ mean,
    float *__restrict__ var, int rows, int cols) {
  __shared__ float part[4];
  __shared__ float total;
  int c = bid(), t = tid();
  float m = 0;
  for (int pass = 0; pass < 2; pass++) {
    float s = 0;
    for (int r = t; r < rows; r += threads()) {
      float d = x[r * cols + c] - m;
      s = pass == 0 ? s + d : fma(d, d, s);
    }
    for (int k = 16; k; k >>= 1) s += shuffleXor(s, k);
    if ((t & 31) == 0) part[t >> 5] = s;
    sync();
    if (t == 0) {
      float q = part[0];
      for (int i = 1; i < threads() / 32; i++) q += part[i];
      total = div(q, (float)rows);
    }
    sync();
    if (pass == 0) m = total;
    else if (t == 1) { mean[c] = m; var[c] = total; }
  }
}

// Rows of float4 through dynamic shared memory, reversed.
__global__ void __launch_bounds__(64) reverseRows(const float4 *__restrict__ x, float4 *__restrict__ y, int n4) {
  extern __shared__ float4 row[];
  for (int i = tid(); i < n4; i += threads()) row[i] = x[bid() * n4 + i];
  sync();
  for (int i = tid(); i < n4; i += threads()) {
    float4 v = row[n4 - 1 - i];
    y[bid() * n4 + i] = (float4){v.w, v.z, v.y, v.x};
  }
}

// A mask of bytes, and a count in global memory.
__global__ void positive(const float *x, uchar *mask, int *count, int n) {
  int i = bid() * threads() + tid();
  bool p = i < n && x[i] > 0;
  unsigned votes = __nvvm_vote_ballot_sync(0xffffffffu, p);
  if ((tid() & 31) == 0) __nvvm_atom_add_gen_i(count, __builtin_popcount(votes));
  if (i < n) mask[i] = p;
}

// Gather of bytes by index, to floats.
__global__ void gather(const uchar *__restrict__ images, const int *__restrict__ index, float *__restrict__ out, int pixels) {
  for (int i = tid(); i < pixels; i += threads())
    out[bid() * pixels + i] = div((float)images[(long long)index[bid()] * pixels + i], 255.0f);
}

// Iterations of Collatz: loops of different length in the lanes of a warp, a
// shuffle after them.
__global__ void collatz(int *out, int *next, int n) {
  int i = bid() * threads() + tid();
  unsigned v = i + 1;
  int steps = 0;
  while (v != 1) {
    if (v & 1) v = 3 * v + 1;
    else v >>= 1;
    steps++;
    if (steps > 1000) return;
  }
  float up = shuffleDown((float)steps, 1);
  if (i < n) { out[i] = steps; next[i] = (int)up; }
}

// Inclusive prefix sum of a warp.
__global__ void __launch_bounds__(32) scan(const float *x, float *y) {
  float v = x[tid()];
  for (int d = 1; d < 32; d *= 2) {
    float u = shuffleUp(v, d);
    if (tid() >= d) v += u;
  }
  y[tid()] = v + shuffle(v, 31);
}

// An array in local memory, indexed by what is not constant; 64-bit rotation.
__global__ void histogram(const uchar *x, int *out, unsigned long long *hash, int n) {
  int bins[16];
  for (int b = 0; b < 16; b++) bins[b] = 0;
  unsigned long long h = 1;
  for (int i = 0; i < n; i++) {
    int v = x[tid() * n + i];
    bins[v & 15]++;
    h = __builtin_rotateleft64(h, 7) ^ v;
  }
  for (int b = 0; b < 16; b++) out[tid() * 16 + b] = bins[b];
  hash[tid()] = h;
}

// A pointer that is to shared memory or to global memory.
__global__ void __launch_bounds__(32) eitherSpace(float *x, int shared, float *y) {
  __shared__ float s[32];
  float *p = shared ? s : x;
  p[tid()] = tid() * 2;
  sync();
  y[tid()] = p[31 - tid()];
}

struct Pair { float a; int b; double c; };
__global__ void pairs(struct Pair p, double *out) {
  out[tid()] = (double)p.a + p.b * p.c + tid();
}
