/* Internal to preprocessing: tiles on their way to float values. */
#ifndef VLM_IMAGE_PREPROCESS_STORE_H
#define VLM_IMAGE_PREPROCESS_STORE_H

#include "runtime/image/preprocess_tiles.h"

typedef struct vlm_tile_store {
  const vlm_tiles *from;
  const vlm_preprocess_op *layout; /* NULL = NCHW */
  float *to;
  float table[3][256];
  size_t width, height; /* of every tile, as stored */
} vlm_tile_store;

/* What becomes of each value of each channel. */
void vlm_preprocess_table(float table[3][256], const vlm_preprocess *ops);
/* Fills the first tile of a board. */
void vlm_store_board(const vlm_tile_store *store);

#endif
