/* Rotary position embedding of rows of one head: pairs (x1, x2) become (x1 c - x2 s, x1 s + x2 c). */
#ifndef VLM_OPS_ROTARY_H
#define VLM_OPS_ROTARY_H

#include <stdbool.h>
#include <stdint.h>

/* The first 2 * half values are rotated, pair k by cosine[k], sine[k]: neighbours when interleaved, else k and half + k; the rest up to
 * size is copied.
 * y may be x. */
void vlm_rotate_row(float *y, const float *x, const float *cosine, const float *sine, int64_t half, int64_t size, bool interleaved);

#endif
