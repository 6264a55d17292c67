/* Sine and cosine of whole fractions of a turn: exact reduction in integers, then one polynomial; the same bits on every machine. */
#ifndef VLM_OPS_TURN_H
#define VLM_OPS_TURN_H

#include <stdint.h>

/* Of the angle 2 pi k / n; n > 0, k >= 0, 4 k must not overflow. Error below 1e-15. */
void vlm_sincos_turn(int64_t k, int64_t n, double *sine, double *cosine);

#endif
