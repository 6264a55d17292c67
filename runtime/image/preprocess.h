/* Preprocessing: an ordered list of operations that turns an RGB image into the tensor a vision encoder takes.
 *
 * The list comes from the model: from the "preprocess" array of vlm.json, or from preprocessor_config.json. What neither states is an
 * error that names the missing key; nothing is guessed. The list is plain data with a JSON text of its own, which packed and statistics
 * files carry.
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
 *   {"op": "center_crop", "width": W, "height": H}          what the image lacks is filled with black
 *   {"op": "pad", "width": W, "height": H, "color": [r, g, b], "position": "center|top_left"}
 *   {"op": "pad", "square": true, "color": [r, g, b], "position": …}     to the longer side
 *   {"op": "tile", "size": S, "filter": …, "split": true}
 *       enlarges both sides to multiples of S, cuts S x S tiles row by row, then adds the whole image at S x S; an image of one tile is
 *       alone; "split": false: only the whole image at S x S
 *   {"op": "scale", "by": x}      {"op": "normalize", "mean": [3], "std": [3]}
 *   {"op": "layout", "order": "NCHW|NHWC"}                  NCHW when left out
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
#define VLM_PREPROCESS_MAX_SIDE 16384 /* of a stated size */

typedef enum vlm_preprocess_kind {
#define X(name, text, stage) VLM_PREPROCESS_##name,
#include "runtime/image/preprocess_ops.def"
#undef X
  VLM_PREPROCESS_KIND_COUNT
} vlm_preprocess_kind;

typedef enum vlm_fit {
  VLM_FIT_STRETCH,
  VLM_FIT_COVER,
  VLM_FIT_CONTAIN,
  VLM_FIT_CONTAIN_EVEN,
  VLM_FIT_SHRINK,
  VLM_FIT_COUNT
} vlm_fit;

typedef struct vlm_preprocess_op {
  vlm_preprocess_kind kind;
  int width, height;        /* sizes; tile: both are S; pad: 0 = square */
  vlm_resize_filter filter; /* resize, tile */
  vlm_fit fit;              /* resize */
  uint8_t color[3];         /* pad */
  bool top_left;            /* pad: else centred (the smaller half above and left) */
  bool split;               /* tile */
  bool nhwc;                /* layout */
  double by;                /* scale */
  double mean[3], std[3];
} vlm_preprocess_op;

typedef struct vlm_preprocess {
  int count;
  vlm_preprocess_op ops[VLM_PREPROCESS_MAX_OPS];
} vlm_preprocess;

/* What a vision encoder takes, batch 1. Owned by the caller, free with vlm_pixels_free. */
typedef struct vlm_pixels {
  vlm_tensor values; /* f32 [1,3,H,W] or [1,H,W,3]; with tiles [1,N,3,H,W] or [1,N,H,W,3] */
  vlm_tensor
      mask; /* with tiles: bool [1,N,H,W], true where the image is (pixel_attention_mask); else rank 0 and no data */
  int rows, columns; /* of tiles, without the whole image; 0 when the image is alone */
} vlm_pixels;

const char *vlm_preprocess_name(vlm_preprocess_kind kind);

/* From the array of vlm.json, or from the text written by vlm_preprocess_format. */
vlm_status vlm_preprocess_from_json(vlm_preprocess *out, vlm_json array, vlm_error *err);
vlm_status vlm_preprocess_parse(vlm_preprocess *out, const char *text, const char *source, vlm_error *err);
/* Compact JSON, zero-terminated; the same list always gives the same text. Free with vlm_free. */
vlm_status vlm_preprocess_format(char **out, const vlm_preprocess *ops, vlm_error *err);
/* Refuses a list that cannot run: wrong order, sizes out of range, zero std. The readers above call it. */
vlm_status vlm_preprocess_check(const vlm_preprocess *ops, vlm_error *err);

/* From preprocessor_config.json. Understood: the CLIP, SigLIP, ViT, DeiT, BLIP, ConvNeXT, Donut, LLaVA, Idefics3 / SmolVLM and Florence-2
 * processors (with and without "Fast"; the older "feature_extractor_type" too) and files without a type that state everything.
 * `model` is config.json or absent: there original LLaVA-style models keep "image_aspect_ratio": "pad". */
vlm_status vlm_preprocess_from_config(vlm_preprocess *out, vlm_json config, vlm_json model, vlm_error *err);

/* Whoever reads the images blends transparency on white. */
bool vlm_preprocess_on_white(const vlm_preprocess *ops);

/* True when every image comes out in the same height and width. */
bool vlm_preprocess_fixed_size(const vlm_preprocess *ops, int *width, int *height);

/* The result does not depend on the number of threads; threads NULL = this thread. */
vlm_status vlm_preprocess_run(vlm_pixels *out, const vlm_preprocess *ops, const vlm_image *image,
                              vlm_threads *threads, vlm_error *err);
void vlm_pixels_free(vlm_pixels *pixels);

#endif
