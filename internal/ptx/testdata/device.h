// The few names of CUDA C++ that the test kernels use, for clang without a
// CUDA SDK.
#pragma once
#define __global__ extern "C" __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(n) __attribute__((launch_bounds(n)))
#define INLINE __device__ inline __attribute__((always_inline))

typedef float float4 __attribute__((ext_vector_type(4)));
typedef unsigned char uchar;

INLINE int tid() { return __nvvm_read_ptx_sreg_tid_x(); }
INLINE int bid() { return __nvvm_read_ptx_sreg_ctaid_x(); }
INLINE int bidY() { return __nvvm_read_ptx_sreg_ctaid_y(); }
INLINE int threads() { return __nvvm_read_ptx_sreg_ntid_x(); }
INLINE int blocks() { return __nvvm_read_ptx_sreg_nctaid_x(); }
INLINE void sync() { __syncthreads(); }
INLINE void syncWarp() { __nvvm_bar_warp_sync(0xffffffffu); }
INLINE float fma(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
INLINE float div(float a, float b) { return __nvvm_div_rn_f(a, b); }
INLINE float root(float a) { return __nvvm_sqrt_rn_f(a); }
INLINE float shuffleXor(float v, int m) { return __nvvm_shfl_sync_bfly_f32(0xffffffffu, v, m, 31); }
INLINE float shuffleDown(float v, int d) { return __nvvm_shfl_sync_down_f32(0xffffffffu, v, d, 31); }
INLINE float shuffleUp(float v, int d) { return __nvvm_shfl_sync_up_f32(0xffffffffu, v, d, 0); }
INLINE float shuffle(float v, int lane) { return __nvvm_shfl_sync_idx_f32(0xffffffffu, v, lane, 31); }
