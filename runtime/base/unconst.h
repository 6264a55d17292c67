/* The one way out of const, so that -Wcast-qual finds all others: for C interfaces that take what they only read without
 * const, for owners that free what others may only read, and for tensors over memory that nobody writes. */
#ifndef VLM_BASE_UNCONST_H
#define VLM_BASE_UNCONST_H

#include <stdint.h>

static inline void *vlm_unconst(const void *data) { return (void *)(uintptr_t)data; }

#endif
