/* A driver for the loader's tests, without a device behind it. It appends the
   name of each function that is called to the file that FAKE_LOG names.
   Compiled as it is, with ALL for every symbol that the loader knows, with
   VERSION, INIT (the result of cuInit) and DEVICES. */
#include <cuda.h>
#include <stdio.h>
#include <string.h>

#ifndef VERSION
#define VERSION 12040
#endif
#ifndef INIT
#define INIT 0
#endif
#ifndef DEVICES
#define DEVICES 2
#endif

static CUresult called(const char *name) {
  const char *file = getenv("FAKE_LOG");
  FILE *f = file ? fopen(file, "a") : NULL;
  if (f) {
    fprintf(f, "%s\n", name);
    fclose(f);
  }
  return CUDA_SUCCESS;
}

CUresult cuInit(unsigned int flags) {
  called("cuInit");
  return INIT;
}

CUresult cuDriverGetVersion(int *v) {
  *v = VERSION;
  return called("cuDriverGetVersion");
}

CUresult cuDeviceGetCount(int *n) {
  *n = DEVICES;
  return called("cuDeviceGetCount");
}

#ifdef ALL
#define T(symbol, params, args) \
  __attribute__((weak)) CUresult symbol params { return called(#symbol); }
#include "trampolines.h"
#undef T
#endif
