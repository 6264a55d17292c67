/* .npy arrays as images. */
#include <string.h>

#include "calib/image_codec.h"
#include "calib/npy.h"
#include "runtime/base/memory.h"

vlm_status vlm_image_decode_npy(vlm_image *out, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor t = {0};
  char shape[128];
  VLM_TRY(vlm_npy_decode(&t, s->data, s->bytes, s->name, err));
  int64_t channels = t.rank == 3 ? t.dims[2] : 1;
  VLM_CHECK(
      t.dtype == VLM_U8 && (t.rank == 2 || t.rank == 3) && (channels == 1 || channels == 3 || channels == 4),
      err, VLM_INPUT, "%s: %s %s is not an image; uint8 [height, width, 3] is wanted", s->name,
      vlm_dtype_name(t.dtype), vlm_tensor_shape_text(&t, shape, sizeof shape));
  VLM_TRY(vlm_image_start(out, s, (uint64_t)t.dims[1], (uint64_t)t.dims[0], 1, err));
  if (s->look) goto out;
  const uint8_t *from = t.data;
  size_t count = (size_t)out->width * (size_t)out->height;
  for (size_t i = 0; i < count; i++, from += channels)
    for (size_t c = 0; c < 3; c++) out->data[i * 3 + c] = from[channels == 1 ? 0 : c];
out:
  vlm_free(t.data);
  return st;
}
