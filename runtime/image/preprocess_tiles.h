/* Internal to preprocessing: the images that one image becomes. */
#ifndef VLM_IMAGE_PREPROCESS_TILES_H
#define VLM_IMAGE_PREPROCESS_TILES_H

#include "runtime/image/preprocess_size.h"

#define VLM_MAX_TILES 256

typedef struct vlm_tiles {
  vlm_image images[VLM_MAX_TILES + 1];
  int count, rows, columns;
  int blank;       /* tiles of zeros behind them */
  vlm_image board; /* the first tile is this one made small, of float values; empty = no */
} vlm_tiles;

/* Cuts `image` as the operation says. */
vlm_status vlm_tiles_cut(vlm_tiles *out, const vlm_image *image, const vlm_preprocess_op *op,
                         vlm_threads *threads, vlm_error *err);
void vlm_tiles_clear(vlm_tiles *tiles);

/* Values, mask and sizes of the tiles. */
vlm_status vlm_tiles_store(vlm_pixels *out, const vlm_preprocess *ops, const vlm_tiles *tiles,
                           vlm_threads *threads, vlm_error *err);

const vlm_preprocess_op *vlm_preprocess_find(const vlm_preprocess *ops, vlm_preprocess_kind kind);

#endif
