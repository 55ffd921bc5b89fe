/* What virtual.c offers virtual*.go. */
#pragma once
#include <cuda.h>

/* For the types of exported functions: cgo has no const. */
typedef const char const_char;
typedef const void const_void;
typedef const CUlaunchConfig const_config;

/* The calling thread's number, which no other thread has or had. */
unsigned long long virtual_thread(void);

/* n addresses that nothing uses, or NULL. */
void *virtual_reserve(size_t n);

/* Memory for cuMemHostAlloc, aligned to a page; free releases it. */
void *virtual_host_alloc(size_t n);
