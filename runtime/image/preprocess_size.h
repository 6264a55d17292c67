/* Internal to preprocessing: which size an operation makes of which size, and the names and order of operations. */
#ifndef VLM_IMAGE_PREPROCESS_SIZE_H
#define VLM_IMAGE_PREPROCESS_SIZE_H

#include "runtime/image/preprocess.h"

/* Size of the result of one resize, pad, crop or align operation on an image of width x height (replaced by the result). */
void vlm_preprocess_op_size(const vlm_preprocess_op *op, int64_t *width, int64_t *height);
/* True when align_long_axis turns an image of this size. */
bool vlm_preprocess_turns(const vlm_preprocess_op *op, int64_t width, int64_t height);
/* Rounds both sides up to multiples of the tile size in the Idefics3 way (the long side first, the other from the aspect ratio). */
void vlm_preprocess_tile_size(int64_t size, int64_t *width, int64_t *height);

extern const char *const vlm_fit_names[VLM_FIT_COUNT];
int vlm_preprocess_stage(vlm_preprocess_kind kind);

#endif
