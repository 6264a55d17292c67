/* A stable merge sort of indices: the same order on every machine. */
#ifndef VLM_OPS_SORT_H
#define VLM_OPS_SORT_H

#include <stdbool.h>
#include <stdint.h>

/* true when element b must come before element a (strictly). */
typedef bool vlm_sort_after(const void *user, int64_t a, int64_t b);

/* Sorts index[0..n); spare has room for n entries. */
void vlm_sort(int64_t *index, int64_t *spare, int64_t n, vlm_sort_after *after, const void *user);

#endif
