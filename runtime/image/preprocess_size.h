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

/* Columns and rows of the tiles that a rule with a grid (RATIO, GRID, STRIPS, BOARD) cuts out of an image, 0 = it stays whole. */
typedef struct vlm_tile_grid {
  int64_t columns, rows;
} vlm_tile_grid;
vlm_tile_grid vlm_preprocess_ratio_grid(const vlm_preprocess_op *op, int64_t width, int64_t height);
vlm_tile_grid vlm_preprocess_strips(const vlm_preprocess_op *op, int64_t width, int64_t height);
/* Index of the size of op->grid that wastes least. */
int vlm_preprocess_best_size(const vlm_preprocess_op *op, int64_t width, int64_t height);

extern const char *const vlm_fit_names[VLM_FIT_COUNT];
extern const struct vlm_tile_rule_info {
  const char *name;
  bool batch, mask;
} vlm_tile_rules[VLM_TILE_COUNT];
int vlm_preprocess_stage(vlm_preprocess_kind kind);

#endif
