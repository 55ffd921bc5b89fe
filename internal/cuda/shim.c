//go:build gpu

/* Every driver function that gorgonia.org/cu or this project calls, as a hidden
   trampoline to a function of libcuda.so.1, which is opened at the first call,
   or of the virtual driver: see doc.go, "Loader". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* The headers of the system are not hidden, and those that cuda.h includes are
   therefore above. */
#pragma GCC visibility push(hidden)
#include "shim.h"
#pragma GCC visibility pop

#define LIBRARY "libcuda.so.1"

static const char *const names[SHIM_SYMBOLS] = {
#define T(symbol, params, args) [SHIM_##symbol] = #symbol,
#include "trampolines.h"
#undef T
};

#define INDEX_OF(symbol) SHIM_##symbol
#define R(name) INDEX_OF(name), /* after cuda.h has mapped the name to its symbol */
static const enum shim_index required[] = {
#include "required.h"
};
#undef R

static void *function[SHIM_SYMBOLS];
static CUresult (*count_devices)(int *);
static struct shim_report report; /* written once, by load */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int loaded_state = SHIM_UNLOADED;
static atomic_int want_virtual;
static _Atomic(const char *) missing;

static const char *folders = "";

void shim_search(const char *list) { folders = list; }

/* The library from the loader's path, or else from the first of the folders that has
   one; NULL with the reason in the report, which is that of a file rather than that
   there is none. */
static void *open_library(void) {
  void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (lib) return lib;
  const char *why = dlerror();
  snprintf(report.detail, sizeof report.detail, "%s", why ? why : "dlopen gave no reason");
  int missing = strstr(report.detail, "No such file") != NULL;
  for (const char *at = folders; *at;) {
    char path[1024];
    size_t n = strcspn(at, ":");
    snprintf(path, sizeof path, "%.*s/" LIBRARY, (int)n, at);
    at += n + (at[n] == ':');
    if (access(path, F_OK)) continue;
    if ((lib = dlopen(path, RTLD_NOW | RTLD_LOCAL))) {
      report.detail[0] = 0;
      return lib;
    }
    why = dlerror();
    if (missing && why) snprintf(report.detail, sizeof report.detail, "%s", why);
    missing = 0;
  }
  return NULL;
}

static void load_real(void) {
  void *lib = open_library();
  if (!lib) {
    report.state = SHIM_NO_LIBRARY;
    return;
  }
  CUresult (*init)(unsigned) = dlsym(lib, "cuInit");
  CUresult (*version)(int *) = dlsym(lib, "cuDriverGetVersion");
  count_devices = dlsym(lib, "cuDeviceGetCount");
  struct link_map *where;
  if (!dlinfo(lib, RTLD_DI_LINKMAP, &where))
    snprintf(report.path, sizeof report.path, "%s", where->l_name);
  if (!init || !version || !count_devices) {
    const char *lacks = !init ? "cuInit" : !version ? "cuDriverGetVersion" : "cuDeviceGetCount";
    snprintf(report.detail, sizeof report.detail, "%s", lacks);
    report.state = SHIM_BAD_LIBRARY;
    return;
  }
  /* The texts of errors work before, and without, a cuInit that succeeds. */
  function[SHIM_cuGetErrorName] = dlsym(lib, "cuGetErrorName");
  function[SHIM_cuGetErrorString] = dlsym(lib, "cuGetErrorString");
  if (version(&report.version) != CUDA_SUCCESS) report.version = 0;
  if (report.version && report.version < SHIM_MIN_VERSION) {
    report.state = SHIM_TOO_OLD;
    return;
  }
  void *found[SHIM_SYMBOLS];
  for (int i = 0; i < SHIM_SYMBOLS; i++) found[i] = dlsym(lib, names[i]);
  for (size_t i = 0; i < sizeof required / sizeof *required; i++)
    if (!found[required[i]]) {
      size_t n = strlen(report.detail);
      snprintf(report.detail + n, sizeof report.detail - n, "%s%s", n ? ", " : "", names[required[i]]);
    }
  if (report.detail[0]) {
    report.state = SHIM_INCOMPLETE;
    return;
  }
  report.init_error = init(0);
  if (report.init_error != CUDA_SUCCESS) {
    report.state = SHIM_INIT_FAILED;
    return;
  }
  memcpy(function, found, sizeof function);
  report.state = SHIM_REAL;
}

static void load(void) {
  if (atomic_load(&want_virtual)) {
    virtual_bind();
    report.state = SHIM_VIRTUAL;
  } else {
    load_real();
  }
  atomic_store(&loaded_state, report.state);
}

const struct shim_report *shim_load(void) {
  pthread_once(&once, load);
  return &report;
}

enum shim_state shim_state(void) { return atomic_load(&loaded_state); }

int shim_use_virtual(void) {
  atomic_store(&want_virtual, 1);
  return shim_load()->state == SHIM_VIRTUAL;
}

void shim_bind(enum shim_index i, void *f) { function[i] = f; }

const char *shim_missing(void) { return atomic_load(&missing); }

/* The answer of a function that the driver, or the lack of one, leaves out. */
static CUresult absent(enum shim_index i) {
  switch (report.state) {
  case SHIM_REAL:
  case SHIM_VIRTUAL:
    atomic_store(&missing, names[i]);
    return CUDA_ERROR_NOT_SUPPORTED;
  case SHIM_INIT_FAILED:
    return report.init_error;
  default:
    return CUDA_ERROR_NO_DEVICE;
  }
}

/* cu calls cuInit as its package is initialised, and ends the process if that
   fails: so it does nothing, and the driver is opened by whatever comes next. */
CUresult cuInit(unsigned int flags) {
  (void)flags;
  return CUDA_SUCCESS;
}

/* cu reports an error of these two as -1 and as an error: a machine without a
   driver has version 0 and no devices. */
CUresult cuDriverGetVersion(int *version) {
  if (!version) return CUDA_ERROR_INVALID_VALUE;
  *version = shim_load()->version;
  if (report.state == SHIM_VIRTUAL) *version = SHIM_MIN_VERSION;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  if (!count) return CUDA_ERROR_INVALID_VALUE;
  *count = shim_load()->state == SHIM_VIRTUAL;
  return report.state == SHIM_REAL ? count_devices(count) : CUDA_SUCCESS;
}

#define T(symbol, params, args)                                               \
  CUresult symbol params {                                                    \
    pthread_once(&once, load);                                                \
    CUresult(*shim_f) params = function[SHIM_##symbol];                       \
    return shim_f ? shim_f args : absent(SHIM_##symbol);                      \
  }
#include "trampolines.h"
#undef T

/* cuGraphInstantiate is three symbols: the bare one of CUDA 10, _v2 of 11.0 with
   the same parameters, WithFlags of 11.4, which is what the name means from 12
   on. */
CUresult shim_graph_instantiate(CUgraphExec *exec, CUgraph graph) {
  shim_load();
  if (function[SHIM_cuGraphInstantiateWithFlags]) return cuGraphInstantiateWithFlags(exec, graph, 0);
  if (function[SHIM_cuGraphInstantiate_v2]) return cuGraphInstantiate_v2(exec, graph, NULL, NULL, 0);
  return cuGraphInstantiate(exec, graph, NULL, NULL, 0);
}
