//go:build gpu

/* Binds the virtual driver's functions, which virtual_*.go export to C, in the
   place of libcuda's. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "shim.h"
#include "virtual.h"
#include "_cgo_export.h"

/* That the export has the type of the driver's function is checked here. */
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#define BIND(index, symbol, export) do { __typeof__(&symbol) f = export; shim_bind(index, (void *)f); } while (0);
#define INDEX_OF(symbol) SHIM_##symbol
#define R(name) BIND(INDEX_OF(name), name, v##name)

void virtual_bind(void) {
#include "required.h"
  R(cuGraphInstantiateWithFlags)
  R(cuLaunchKernelEx)
  R(cuOccupancyMaxActiveClusters)
}

unsigned long long virtual_thread(void) {
  static atomic_ullong last;
  static __thread unsigned long long id;
  if (!id) id = atomic_fetch_add(&last, 1) + 1;
  return id;
}

void *virtual_reserve(size_t n) {
  void *p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

void *virtual_host_alloc(size_t n) {
  void *p;
  if (posix_memalign(&p, 4096, n)) return NULL;
  return memset(p, 0xa5, n); /* not 0, lest it looks initialised */
}
