#include "device.h"
// C[M×N] = A[M×K]·B[K×N] + bias, row major. A block of 256 threads computes 32×32
// elements, a thread 2×2, in steps of 16 along K.
enum { TM = 32, TN = 32, TK = 16 };
__global__ void __launch_bounds__(256) sgemm(const float *__restrict__ A, const float *__restrict__ B,
    const float *__restrict__ bias, float *__restrict__ C, int M, int N, int K) {
  __shared__ float As[TK][TM + 1];
  __shared__ float Bs[TK][TN];
  int tx = tid() & 15, ty = tid() >> 4, row0 = bidY() * TM, col0 = bid() * TN;
  float acc[2][2] = {{0, 0}, {0, 0}};
  for (int k0 = 0; k0 < K; k0 += TK) {
    for (int i = tid(); i < TM * TK; i += 256) {
      int r = i / TK, k = i % TK;
      As[k][r] = row0 + r < M && k0 + k < K ? A[(row0 + r) * K + k0 + k] : 0;
    }
    for (int i = tid(); i < TK * TN; i += 256) {
      int k = i / TN, c = i % TN;
      Bs[k][c] = col0 + c < N && k0 + k < K ? B[(k0 + k) * N + col0 + c] : 0;
    }
    sync();
#pragma unroll
    for (int k = 0; k < TK; k++) {
      float a0 = As[k][ty * 2], a1 = As[k][ty * 2 + 1], b0 = Bs[k][tx * 2], b1 = Bs[k][tx * 2 + 1];
      acc[0][0] = fma(a0, b0, acc[0][0]);
      acc[0][1] = fma(a0, b1, acc[0][1]);
      acc[1][0] = fma(a1, b0, acc[1][0]);
      acc[1][1] = fma(a1, b1, acc[1][1]);
    }
    sync();
  }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      int r = row0 + ty * 2 + i, c = col0 + tx * 2 + j;
      if (r < M && c < N) C[r * N + c] = acc[i][j] + bias[c];
    }
}
