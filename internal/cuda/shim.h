/* What shim.c offers the rest of the package: see doc.go, "Loader". */
#pragma once
#include <cuda.h>

enum shim_state {
  SHIM_UNLOADED,     /* nothing has called the driver yet */
  SHIM_NO_LIBRARY,   /* dlopen failed: detail is dlerror's text */
  SHIM_BAD_LIBRARY,  /* not a driver: detail names the symbol it lacks */
  SHIM_TOO_OLD,      /* by its version */
  SHIM_INCOMPLETE,   /* lacks symbols that every supported driver has: detail names them */
  SHIM_INIT_FAILED,  /* cuInit's result is in init_error */
  SHIM_REAL,
  SHIM_VIRTUAL,
};

struct shim_report {
  enum shim_state state;
  int version;          /* cuDriverGetVersion, 0 if not known */
  CUresult init_error;
  char path[1024];      /* of the library */
  char detail[1024];
};

/* The oldest driver that will do, as cuDriverGetVersion writes it. */
#define SHIM_MIN_VERSION 11000

/* Loads the driver if that has not been tried, and returns how it went. */
const struct shim_report *shim_load(void);

/* Where else than on the loader's path the driver may be: folders with ":" between
   them, which have to stay in memory. Before the driver is loaded. */
void shim_search(const char *folders);

/* Its state without loading it. */
enum shim_state shim_state(void);

/* Makes the virtual driver the driver; 0 if another was loaded before. */
int shim_use_virtual(void);

/* The symbol that the last call answered with CUDA_ERROR_NOT_SUPPORTED lacked,
   or NULL. */
const char *shim_missing(void);

/* Instantiates by whichever function the driver has. */
CUresult shim_graph_instantiate(CUgraphExec *exec, CUgraph graph);

/* For virtual.c. */
enum shim_index {
#define T(symbol, params, args) SHIM_##symbol,
#include "trampolines.h"
#undef T
  SHIM_SYMBOLS
};
void shim_bind(enum shim_index i, void *function);
void virtual_bind(void);
