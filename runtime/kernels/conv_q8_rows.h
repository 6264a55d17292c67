/* Integer convolution by input rows: tap rows are segments of the sums, read from a ring; no activation is gathered. */
#ifndef VLM_KERNELS_CONV_Q8_ROWS_H
#define VLM_KERNELS_CONV_Q8_ROWS_H

#include "runtime/kernels/conv_input.h"
#include "runtime/kernels/conv_q8.h"

/* Whether the convolution can run so: channels last, kernel columns times channels are whole steps of the kernel. */
bool vlm_conv_q8_has_rows(const vlm_conv_q8 *conv, const vlm_kernels *kernels);
size_t vlm_conv_q8_rows_scratch(const vlm_conv_q8 *conv, const vlm_threads *threads);
/* in: the bytes of x. */
void vlm_conv_q8_rows_run(const vlm_conv_q8 *conv, const vlm_conv_input *in, const vlm_kernels *kernels,
                          vlm_threads *threads, void *scratch);

#endif
