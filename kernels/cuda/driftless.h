// driftless.h is what the kernels need of CUDA, for clang without any SDK
// (clang++ -x cuda -nocudainc -nocudalib) and for nvcc, which brings its own.
// doc.go beside this file says how a kernel takes its arguments.
#pragma once

#if defined(__clang__) && defined(__CUDA__)

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

typedef float float4 __attribute__((ext_vector_type(4)));
typedef float float2 __attribute__((ext_vector_type(2)));
typedef unsigned uint2 __attribute__((ext_vector_type(2)));
typedef unsigned uint4 __attribute__((ext_vector_type(4)));

#define METHOD __device__ __forceinline__
#define INLINE static METHOD

INLINE int threadX() { return __nvvm_read_ptx_sreg_tid_x(); }
INLINE int blockX() { return __nvvm_read_ptx_sreg_ctaid_x(); }
INLINE int blockY() { return __nvvm_read_ptx_sreg_ctaid_y(); }
INLINE int blockZ() { return __nvvm_read_ptx_sreg_ctaid_z(); }
INLINE void barrier() { __syncthreads(); }

INLINE float fma32(float x, float y, float z) { return __nvvm_fma_rn_f(x, y, z); }
INLINE float sqrt32(float x) { return __nvvm_sqrt_rn_f(x); }
INLINE double sqrt64(double x) { return __nvvm_sqrt_rn_d(x); }
INLINE double round64(double x) { return __builtin_roundeven(x); } // ties to even
INLINE float float32(double x) { return __nvvm_d2f_rn(x); }
INLINE int bits32(float x) { return __builtin_bit_cast(int, x); }
INLINE float of_bits32(int x) { return __builtin_bit_cast(float, x); }
INLINE long long bits64(double x) { return __builtin_bit_cast(long long, x); }
INLINE double of_bits64(long long x) { return __builtin_bit_cast(double, x); }
INLINE float ceil32(float x) { return __builtin_ceilf(x); }
INLINE float floor32(float x) { return __builtin_floorf(x); }
INLINE int leading_zeros64(unsigned long long x) { return __builtin_clzll(x); }
INLINE unsigned long long high64(unsigned long long x, unsigned long long y) { return __nvvm_mulhi_ull(x, y); }

// The whole warp takes part in a shuffle.
INLINE float shuffle(float x, int lane) { return __nvvm_shfl_sync_idx_f32(0xffffffffu, x, lane, 31); }
INLINE float shuffle_xor(float x, int mask) { return __nvvm_shfl_sync_bfly_f32(0xffffffffu, x, mask, 31); }
INLINE int shuffle_xor(int x, int mask) { return __nvvm_shfl_sync_bfly_i32(0xffffffffu, x, mask, 31); }

// in_global tells the compiler that a pointer which was read from memory points to
// global memory, which is faster to access than memory of any kind.
template <class T>
METHOD T *in_global(T *p) {
  unsigned long long at;
  asm("cvta.to.global.u64 %0, %1;" : "=l"(at) : "l"(p));
  return (T *)(__attribute__((address_space(1))) T *)at;
}

#if __CUDA_ARCH__ >= 800
// copy_async copies 4 or 16 bytes to shared memory until their group has been waited for.
template <int BYTES>
METHOD void copy_async(float *to, const float *from) {
  auto *shared = (__attribute__((address_space(3))) void *)to;
  auto *global = (const __attribute__((address_space(1))) void *)from;
  if (BYTES == 4) {
    __nvvm_cp_async_ca_shared_global_4(shared, global);
  } else {
    __nvvm_cp_async_cg_shared_global_16(shared, global);
  }
}
INLINE void close_copies() { __nvvm_cp_async_commit_group(); }
template <int LEFT>
METHOD void wait_for_copies() {
  __nvvm_cp_async_wait_group(LEFT);
}
#endif

#else // nvcc, called with -fmad=false

#define METHOD __device__ __forceinline__
#define INLINE static METHOD

INLINE int threadX() { return threadIdx.x; }
INLINE int blockX() { return blockIdx.x; }
INLINE int blockY() { return blockIdx.y; }
INLINE int blockZ() { return blockIdx.z; }
INLINE void barrier() { __syncthreads(); }

INLINE float fma32(float x, float y, float z) { return __fmaf_rn(x, y, z); }
INLINE float sqrt32(float x) { return __fsqrt_rn(x); }
INLINE double sqrt64(double x) { return __dsqrt_rn(x); }
INLINE double round64(double x) { return rint(x); } // ties to even
INLINE float float32(double x) { return __double2float_rn(x); }
INLINE int bits32(float x) { return __float_as_int(x); }
INLINE float of_bits32(int x) { return __int_as_float(x); }
INLINE long long bits64(double x) { return __double_as_longlong(x); }
INLINE double of_bits64(long long x) { return __longlong_as_double(x); }
INLINE float ceil32(float x) { return ceilf(x); }
INLINE float floor32(float x) { return floorf(x); }
INLINE int leading_zeros64(unsigned long long x) { return __clzll((long long)x); }
INLINE unsigned long long high64(unsigned long long x, unsigned long long y) { return __umul64hi(x, y); }

INLINE float shuffle(float x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
INLINE float shuffle_xor(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
INLINE int shuffle_xor(int x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }

template <class T>
METHOD T *in_global(T *p) {
  __builtin_assume(__isGlobal(p));
  return p;
}

#if __CUDA_ARCH__ >= 800
template <int BYTES>
METHOD void copy_async(float *to, const float *from) {
  const unsigned at = (unsigned)__cvta_generic_to_shared(to);
  if (BYTES == 4) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(at), "l"(from) : "memory");
  } else {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(from) : "memory");
  }
}
INLINE void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int LEFT>
METHOD void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}
#endif

#endif

// ASYNC says whether the kernels are compiled for devices that copy to shared memory by
// themselves.
#if __CUDA_ARCH__ >= 800
#define ASYNC 1
#else
#define ASYNC 0
#endif

// KERNEL begins the definition of a kernel for blocks of so many threads, of which
// a second argument wants so many on a multiprocessor.
#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)

// TENSOR is an argument of a kernel: where the tensor of replica 0 lies, and how
// many bytes farther that of the next replica does. REPLICA is where that of
// the block's own replica lies; a null pointer, whose distance is 0, stays null.
#define TENSOR(type, x) type *x, long long z_##x
#define REPLICA(x) replica(x, z_##x)

// UNUSED is a TENSOR that an instruction has and its kernel does not need.
#define UNUSED(type, x) type *, long long

// ---- launches that begin early, on sm_90 and later ----

// after_launch_before waits for the end of the launch before and then lets the one after
// begin, where these have been launched to overlap: in this order no more than one waits. It
// comes before any access to global memory, in all threads: a kernel begins with it, or with
// RETURN_IF_DIVERGED.
INLINE void after_launch_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n\tgriddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// CONTROL is the first argument: not below 0 once the replica has diverged, after
// which a kernel does nothing more to it.
#define CONTROL TENSOR(const long long, nonfinite)
#define RETURN_IF_DIVERGED                     \
  after_launch_before();                       \
  if (*replica(nonfinite, z_nonfinite) >= 0) { \
    return;                                    \
  }

template <class T>
INLINE T *replica(T *p, long long distance) {
  return (T *)((char *)p + blockZ() * distance);
}
template <class T>
INLINE const T *replica(const T *p, long long distance) {
  return (const T *)((const char *)p + blockZ() * distance);
}

INLINE float nan32() { return of_bits32(0x7fc00000); }
INLINE float inf32() { return of_bits32(0x7f800000); }

// halves splits a word of 64 bits.
INLINE void halves(unsigned long long x, unsigned &low, unsigned &high) {
  asm("mov.b64 {%0, %1}, %2;" : "=r"(low), "=r"(high) : "l"(x));
}

// opaque is x, of which the compiler then knows nothing: it makes no branch of it.
INLINE int opaque(int x) {
  asm("" : "+r"(x));
  return x;
}

// ---- clusters of blocks, of sm_90 and later ----

// rank is the block's number in its cluster, blocks how many that has.
INLINE int rank() {
  int r;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
  return r;
}
INLINE int blocks() {
  int n;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(n));
  return n;
}

// prefetch sends for what is at p of global memory, to be near when it is read.
INLINE void prefetch(const void *p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }

// cluster_barrier is a barrier of all threads of the cluster.
INLINE void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.aligned;\n\tbarrier.cluster.wait.aligned;" ::: "memory");
}

// lesser_of is the smaller of two sizes.
INLINE int lesser_of(int a, int b) { return a < b ? a : b; }

// ---- matrices, four columns a thread ----

// Threads of a block of the kernels that work on quads.
#define QUAD_THREADS 256

// Quad is a thread's share of an m×d matrix: n ≤ 4 columns of row i from j on.
struct Quad {
  int i, j, n;
};

// quad returns the thread's share; its n is 0 for a thread beyond the matrix.
INLINE Quad quad(int m, int d) {
  Quad q = {0, 0, 0};
  if (d > 0) {
    unsigned per_row = (unsigned)(d + 3) / 4;
    unsigned at = (unsigned)blockX() * QUAD_THREADS + (unsigned)threadX();
    unsigned i = at / per_row;
    if (i < (unsigned)m) {
      q.i = (int)i;
      q.j = (int)(at - i * per_row) * 4;
      q.n = lesser_of(4, d - q.j);
    }
  }
  return q;
}

// Four holds four elements of a row.
struct Four {
  float v[4];
};

// Far is memory that block r of the cluster shares where the block's own has p.
struct Far {
  unsigned long long at;
  METHOD Far(const float *p, int r) {
    asm("cvta.to.shared.u64 %0, %1;" : "=l"(at) : "l"(p));
    asm("mapa.shared::cluster.u64 %0, %0, %1;" : "+l"(at) : "r"(r));
  }
  METHOD float one(int i) const {
    float r;
    asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(r) : "l"(at + 4ll * i) : "memory");
    return r;
  }
  METHOD Four four(int i) const { // i is a multiple of 4
    Four r;
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(r.v[0]), "=f"(r.v[1]), "=f"(r.v[2]), "=f"(r.v[3])
                 : "l"(at + 4ll * i)
                 : "memory");
    return r;
  }
};

// group reads four elements that are aligned to 16 bytes.
INLINE Four group(const float *p) {
  float4 q = *(const float4 *)p;
  return Four{{q.x, q.y, q.z, q.w}};
}

INLINE bool aligned16(const void *p) { return ((unsigned long long)p & 15) == 0; }

// load4 reads n elements, 16 bytes at once where they are aligned; the others are
// set to fill.
INLINE Four load4(const float *p, int n, float fill = 0) {
  Four r;
  if (n == 4 && aligned16(p)) {
    float4 q = *(const float4 *)p;
    r.v[0] = q.x, r.v[1] = q.y, r.v[2] = q.z, r.v[3] = q.w;
  } else {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      r.v[c] = c < n ? p[c] : fill;
    }
  }
  return r;
}

// store4 writes n elements.
INLINE void store4(float *p, int n, const Four &r) {
  if (n == 4 && aligned16(p)) {
    float4 q;
    q.x = r.v[0], q.y = r.v[1], q.z = r.v[2], q.w = r.v[3];
    *(float4 *)p = q;
  } else {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      if (c < n) {
        p[c] = r.v[c];
      }
    }
  }
}

// at is the address of element (i, j) of a matrix.
template <class T>
INLINE T *at(T *x, int ld, int i, int j) {
  return x + (long long)i * ld + j;
}

// each sets out to f of x, element by element.
template <class F>
INLINE Four each(const Four &x, F f) {
  Four r;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    r.v[c] = f(x.v[c]);
  }
  return r;
}
template <class F>
INLINE Four each(const Four &x, const Four &y, F f) {
  Four r;
#pragma unroll
  for (int c = 0; c < 4; c++) {
    r.v[c] = f(x.v[c], y.v[c]);
  }
  return r;
}
