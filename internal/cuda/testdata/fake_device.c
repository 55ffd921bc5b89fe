/* The functions of the fake driver that answer something. They replace those
   that fake.c defines with ALL. */
#include <cuda.h>
#include <stdio.h>

CUresult cuGetErrorName(CUresult e, const char **s) {
  if (e == 600) return CUDA_ERROR_INVALID_VALUE;
  *s = e == 999 ? "FAKE_ERROR_UNKNOWN" : "FAKE_ERROR";
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult e, const char **s) {
  if (e == 600) return CUDA_ERROR_INVALID_VALUE;
  *s = "says the fake driver";
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *d, int n) {
  *d = n;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *s, int n, CUdevice d) {
  snprintf(s, n, "fake device %d", d);
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(size_t *n, CUdevice d) {
  *n = (size_t)(d + 1) << 30;
  return CUDA_SUCCESS;
}

/* Device 0 has compute capability 6.1, device 1 9.0. */
CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
  *v = a == 75 ? (d ? 9 : 6) : a == 76 ? (d ? 0 : 1) : a == 16 ? 132 : (int)a;
  return CUDA_SUCCESS;
}

CUresult cuStreamQuery(CUstream s) { return CUDA_ERROR_NOT_READY; }
