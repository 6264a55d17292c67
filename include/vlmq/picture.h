/* Pictures: pixels of the caller's, and what the model's own preprocessing makes of them. */
#ifndef VLMQ_PICTURE_H
#define VLMQ_PICTURE_H

#include <vlmq/runner.h>

VLM_BEGIN_DECLS

/* Bytes of a pixel in memory order. Alpha is dropped, not blended; grey counts for all three channels. */
typedef enum vlm_pixel_order {
  VLM_ORDER_RGB = 0,
  VLM_ORDER_BGR = 1,
  VLM_ORDER_RGBA = 2,
  VLM_ORDER_BGRA = 3,
  VLM_ORDER_GREY = 4
} vlm_pixel_order;

/* Pixel (x, y), y counted from the top, starts at data + y * stride + x * bytes per pixel. */
typedef struct vlm_picture {
  size_t size;           /* sizeof(vlm_picture) */
  const void *data;      /* the top left pixel */
  size_t bytes;          /* readable from data on; 0 = as many as width, height and stride ask for */
  int32_t width, height; /* in pixels; 1 or more, 100 million pixels at most */
  vlm_pixel_order order;
  /* Bytes from one row to the next below it; 0 = rows without gaps; negative = stored bottom up (`bytes`
   * is not looked at then). */
  int64_t stride;
} vlm_picture;

static inline vlm_picture vlm_picture_init(void) {
  vlm_picture picture;
  memset(&picture, 0, sizeof picture);
  picture.size = sizeof picture;
  return picture;
}

/* A picture as the model takes it. */
typedef struct vlm_prepared vlm_prepared;

/* Converts, resizes, normalises as the model states; the picture may go when the call returns. One
 * prepared picture serves any number of prompts. It belongs to the runner's model and must be freed
 * (vlm_prepared_free) before it. VLM_USAGE: sizes and strides that cannot be. VLM_INPUT: a model that
 * takes no pictures, or does not state how. */
VLM_API vlm_status vlm_runner_prepare(vlm_prepared **out, vlm_runner *runner, const vlm_picture *picture,
                                      vlm_error *err);
VLM_API void vlm_prepared_free(vlm_prepared *prepared);
/* The tensor "pixel_values": float32 [1,3,H,W] or [1,H,W,3], with tiles [1,N,3,H,W] or [1,N,H,W,3]. Its
 * data lives as long as the prepared picture. */
VLM_API vlm_status vlm_prepared_array(const vlm_prepared *prepared, vlm_array *out, vlm_error *err);
/* Milliseconds that the preparation took; 0 for NULL. */
VLM_API double vlm_prepared_ms(const vlm_prepared *prepared);

VLM_END_DECLS

#endif
