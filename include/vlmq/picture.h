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

typedef enum vlm_yuv_matrix { VLM_YUV_BT601 = 0, VLM_YUV_BT709 = 1 } vlm_yuv_matrix;

/* A camera's frame, YUV 4:2:0: I420, NV12, NV21 or any other strides. Sample (x, y) of a plane is the byte
 * at y * row + x * pixel; chroma has (width + 1) / 2 by (height + 1) / 2 samples. Planes may overlap, and
 * may end with the last sample of their last row. */
typedef struct vlm_yuv420 {
  size_t size;           /* sizeof(vlm_yuv420) */
  const void *y, *u, *v; /* the first sample */
  size_t y_bytes, u_bytes, v_bytes;
  int32_t width, height;
  int32_t y_row, u_row, v_row;
  int32_t y_pixel, u_pixel, v_pixel; /* 0 = 1 for Y; U and V: 1 in I420, 2 in NV12 and NV21 */
  int32_t crop_left, crop_top, crop_width, crop_height; /* width and height 0 = all of it; odd places too */
  int32_t rotation;      /* degrees clockwise that make it upright: 0, 90, 180, 270 */
  int32_t mirror;        /* 1: left and right change places, after the rotation (front cameras) */
  vlm_yuv_matrix matrix; /* cameras: BT.601, full range */
  int32_t limited;       /* 1: Y from 16 to 235, as video decoders give */
} vlm_yuv420;

static inline vlm_yuv420 vlm_yuv420_init(void) {
  vlm_yuv420 frame;
  memset(&frame, 0, sizeof frame);
  frame.size = sizeof frame;
  return frame;
}

/* vlm_runner_prepare of a frame: resampled plane by plane and stored upright where the model reads it, without
 * an RGB frame between. The planes may go when the call returns. */
VLM_API vlm_status vlm_image_from_yuv420(vlm_prepared **out, vlm_runner *runner, const vlm_yuv420 *frame,
                                         vlm_error *err);
VLM_API void vlm_prepared_free(vlm_prepared *prepared);
/* The tensor "pixel_values": float32 [1,3,H,W] or [1,H,W,3], with tiles [1,N,3,H,W] or [1,N,H,W,3]. Its
 * data lives as long as the prepared picture. */
VLM_API vlm_status vlm_prepared_array(const vlm_prepared *prepared, vlm_array *out, vlm_error *err);
/* Milliseconds that the preparation took; 0 for NULL. */
VLM_API double vlm_prepared_ms(const vlm_prepared *prepared);

VLM_END_DECLS

#endif
