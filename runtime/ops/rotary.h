/* Rotary position embedding of rows of one head: pairs (x1, x2) become (x1 c - x2 s, x1 s + x2 c). */
#ifndef VLM_OPS_ROTARY_H
#define VLM_OPS_ROTARY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vlm_rotary {
  const float *cosine, *sine; /* [rows][half] */
  int64_t half, rows;
  bool interleaved; /* pair k is 2 k and 2 k + 1, else k and half + k */
} vlm_rotary;

/* The first 2 * half values are rotated by row `at` of the tables; the rest up to size is copied. y may be x. */
void vlm_rotate_row(float *y, const float *x, int64_t size, const vlm_rotary *r, int64_t at);

#endif
