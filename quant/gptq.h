/* Rounding that makes up for itself: what one weight loses, the next ones of its channel take over.
 *
 * With inputs x, a channel w and its rounded form q, the output errs by (w - q) x; summed over rows that is (w - q)' H (w - q), H = sum x x'.
 * GPTQ (Frantar et al. 2022) rounds one input after the other and moves the rest; the same numbers come out of Babai's nearest plane: with
 * H = R'R, R upper triangular, inputs are rounded from the last to the first, each where its plane wants it. Inputs with most energy come
 * first, ties by index. One percent of H's mean diagonal is added to it, so that inputs that never move stay near their weights. */
#ifndef VLM_QUANT_GPTQ_H
#define VLM_QUANT_GPTQ_H

#include "runtime/base/memory.h"

typedef struct vlm_plane {
  int64_t size;
  int64_t *order; /* inputs, the one that is rounded last first */
  double *factor; /* R, row-major [size, size], rows divided by their diagonal; in the order above */
} vlm_plane;

/* sums: H as its lower triangle, row by row, size (size + 1) / 2 numbers. VLM_INPUT: no energy at all, or not finite. Free with
 * vlm_plane_free. */
vlm_status vlm_plane_make(vlm_plane *out, const double *sums, int64_t size, vlm_error *err);
void vlm_plane_free(vlm_plane *plane);

/* w: `size` weights of a channel; q: in [-127, 127]; lost: size numbers of work space. */
void vlm_plane_round(int8_t *q, const float *w, float scale, const vlm_plane *plane, double *lost);

/* (w - scale q)' H (w - scale q); lost: size numbers of work space. */
double vlm_plane_error(const double *sums, int64_t size, const float *w, const int8_t *q, float scale,
                       double *lost);

#endif
