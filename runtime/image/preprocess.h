/* Preprocessing: an ordered list of operations that turns an RGB image into the tensor a vision encoder takes.
 *
 * The list comes from the model: from the "preprocess" array of vlm.json, or from its processor's files (hub/processor.h). The list is
 * plain data with a JSON text of its own, which packed and statistics files carry.
 *
 * JSON, one object per operation:
 *   {"op": "flatten"}
 *       transparency is blended on white when the image is read (else it is dropped); the RGB image itself stays
 *   {"op": "align_long_axis", "width": W, "height": H}
 *       a quarter turn clockwise when W x H is portrait and the image landscape, or the reverse
 *   {"op": "resize", "width": W, "height": H, "filter": "nearest|bilinear|bicubic|lanczos|box|hamming", "fit": FIT}
 *       FIT stretch: exactly W x H
 *           cover: keeps the aspect ratio, the smallest size that covers W x H ("shortest edge" when W = H)
 *           contain: keeps the aspect ratio, the largest size within W x H ("longest edge" when W = H)
 *           contain_even: contain with the shorter side rounded up to an even number (Idefics3, SmolVLM; W = H)
 *           shrink: the thumbnail rule of Donut; never enlarges, reduces in two steps (Pillow's reducing_gap 2)
 *   {"op": "resize", "filter": ..., "fit": FIT, "step": S, "least": A, "most": B}, what FIT does not name is left out
 *       FIT area: both sides to multiples of S, the aspect ratio kept, the area between A and B pixels (Qwen2-VL)
 *           steps: never larger than B x B, then both sides up to multiples of S (Pixtral); most left out: down to multiples of S (GLPN)
 *           between: the longer side at most B, then both at least A (Idefics2)
 *   {"op": "center_crop", "width": W, "height": H}          what the image lacks is filled with black
 *   {"op": "pad", "width": W, "height": H, "color": [r, g, b], "position": "center|top_left"}
 *   {"op": "pad", "square": true, "color": [r, g, b], "position": …}     to the longer side
 *   {"op": "flip_channels"}                                 B G R
 *   {"op": "tile", "size": S, "filter": …, "split": true}   rule "multiples"
 *       enlarges both sides to multiples of S, cuts S x S tiles row by row, then adds the whole image at S x S; an image of one tile is
 *       alone; "split": false: only the whole image at S x S
 *   {"op": "tile", "rule": RULE, ...}: what follows works on each tile
 *       RULE grid: "size": S, "width": W, "height": H, "filter", "grid": [[h, w], …]
 *              the whole image at W x H, then the image fit and centred in the best of the sizes, cut in S x S (LLaVA-NeXT)
 *            ratio: "width": W, "height": H, "filter", "least": A, "most": B
 *              A to B tiles of W x H in the grid whose shape is nearest, then the whole image (InternVL)
 *            quarters: "split": true      four quarters, then the whole image; false: only that (Idefics2)
 *            strips: "least": S, "most": N, "ratio": R
 *              the whole image, then, where it is R times as long as wide, 2 to N parts of the long side, none below S (Gemma 3)
 *            board: "size": S, "most": N
 *              as large as N tiles of S x S allow, padded with white: the whole at S x S (bicubic, of float values), the tiles, and black
 *              ones up to N + 1 (Phi-3-vision)
 *   {"op": "scale", "by": x}      {"op": "normalize", "mean": [3], "std": [3]}
 *   {"op": "extend", "step": S}                             zeros at the right and below, up to multiples of S
 *   {"op": "layout", "order": "NCHW|NHWC"}                  NCHW when left out
 *   {"op": "layout", "order": "patches", "patch": P, "merge": M, "frames": T}
 *       rows of T x P x P values of 3 channels, in groups of M x M patches (Qwen2-VL)
 *
 * Arithmetic is that of the transformers image processors on numpy: scale multiplies in double and rounds to float32; normalize is
 * (x - mean) / std with mean, std and both operations in float32. Resizing is Pillow's (resize.h). The result is theirs bit for bit. */
#ifndef VLM_IMAGE_PREPROCESS_H
#define VLM_IMAGE_PREPROCESS_H

#include <stdbool.h>

#include "runtime/base/tensor.h"
#include "runtime/image/image.h"
#include "runtime/base/json.h"
#include "runtime/image/resize.h"

#define VLM_PREPROCESS_MAX_OPS 16
#define VLM_PREPROCESS_MAX_GRID 64
#define VLM_PREPROCESS_MAX_SIDE 16384 /* of a stated size */

typedef enum vlm_preprocess_kind {
#define X(name, text, stage) VLM_PREPROCESS_##name,
#include "runtime/image/preprocess_ops.def"
#undef X
  VLM_PREPROCESS_KIND_COUNT
} vlm_preprocess_kind;

typedef enum vlm_fit {
#define X(name, text) VLM_FIT_##name,
#include "runtime/image/preprocess_fits.def"
#undef X
  VLM_FIT_COUNT
} vlm_fit;

typedef enum vlm_tile_rule {
#define X(name, text, batch, mask) VLM_TILE_##name,
#include "runtime/image/preprocess_tiles.def"
#undef X
  VLM_TILE_COUNT
} vlm_tile_rule;

typedef struct vlm_preprocess_op {
  vlm_preprocess_kind kind;
  int width, height; /* sizes; pad: 0 = square; resize: 0 where the fit has none; tile: of the whole image */
  vlm_resize_filter filter;             /* resize, tile */
  vlm_fit fit;                          /* resize */
  uint8_t color[3];                     /* pad */
  bool top_left;                        /* pad: else centred (the smaller half above and left) */
  vlm_tile_rule rule;                   /* tile */
  bool split;                           /* tile */
  int size;                             /* tile: of what is cut out, a square */
  int step;                             /* resize, extend */
  int64_t least, most;                  /* resize, tile; 0 = not stated */
  double ratio;                         /* tile */
  int grid[VLM_PREPROCESS_MAX_GRID][2]; /* tile: height, width */
  int n_grid;
  bool nhwc;                /* layout */
  int patch, merge, frames; /* layout; patch 0 = no patches */
  double by;                /* scale */
  double mean[3], std[3];
} vlm_preprocess_op;

typedef struct vlm_preprocess {
  int count;
  vlm_preprocess_op ops[VLM_PREPROCESS_MAX_OPS];
} vlm_preprocess;

/* What a vision encoder takes, batch 1. Owned by the caller, free with vlm_pixels_free. */
typedef struct vlm_pixels {
  vlm_tensor
      values; /* f32 [1,3,H,W] or [1,H,W,3]; with tiles [1,N,3,H,W] or [N,3,H,W]; patches [N, values of a patch] */
  vlm_tensor
      mask; /* where the tile rule has one: bool [1,N,H,W], true where the image is; else rank 0 and no data */
  int rows, columns; /* of tiles, without the whole image; 0 when the image is alone */
  int64_t grid[3];   /* frames, rows and columns of patches; 0 without (image_grid_thw) */
  int64_t size
      [2]; /* height and width (image_sizes): of the image that came for grids, else of what was made of it */
} vlm_pixels;

const char *vlm_preprocess_name(vlm_preprocess_kind kind);

/* From the array of vlm.json, or from the text written by vlm_preprocess_format. */
vlm_status vlm_preprocess_from_json(vlm_preprocess *out, vlm_json array, vlm_error *err);
vlm_status vlm_preprocess_parse(vlm_preprocess *out, const char *text, const char *source, vlm_error *err);
/* Compact JSON, zero-terminated; the same list always gives the same text. Free with vlm_free. */
vlm_status vlm_preprocess_format(char **out, const vlm_preprocess *ops, vlm_error *err);
/* Refuses a list that cannot run: wrong order, sizes out of range, zero std. The readers above call it. */
vlm_status vlm_preprocess_check(const vlm_preprocess *ops, vlm_error *err);

/* Whoever reads the images blends transparency on white. */
bool vlm_preprocess_on_white(const vlm_preprocess *ops);

/* True when every image comes out in the same height and width. */
bool vlm_preprocess_fixed_size(const vlm_preprocess *ops, int *width, int *height);

/* The result does not depend on the number of threads; threads NULL = this thread. */
vlm_status vlm_preprocess_run(vlm_pixels *out, const vlm_preprocess *ops, const vlm_image *image,
                              vlm_threads *threads, vlm_error *err);
void vlm_pixels_free(vlm_pixels *pixels);

#endif
