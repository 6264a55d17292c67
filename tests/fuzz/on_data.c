/* What a data set is made of: pictures, arrays, captions, statistics. */
#include <stdlib.h>

#include "calib/caption_set.h"
#include "calib/image.h"
#include "calib/npy.h"
#include "calib/stats.h"
#include "runtime/base/memory.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_image, fuzz_on_npy, fuzz_on_npz, fuzz_on_captions, fuzz_on_statistics;

void fuzz_on_image(const uint8_t *data, size_t size) {
  vlm_error err;
  vlm_image image;
  vlm_image_info info;
  const vlm_image_opts opts = {.max_pixels = 1 << 20, .max_side = 1 << 16, .on_white = size % 2};
  (void)vlm_image_look_at(&info, data, size, "fuzz", &opts, &err);
  if (vlm_image_decode(&image, data, size, "fuzz", &opts, &err) == VLM_OK) vlm_image_free(&image);
}

void fuzz_on_npy(const uint8_t *data, size_t size) {
  vlm_error err;
  vlm_tensor t;
  if (vlm_npy_decode(&t, data, size, "fuzz.npy", &err) == VLM_OK) vlm_free(t.data);
}

void fuzz_on_npz(const uint8_t *data, size_t size) {
  vlm_error err;
  vlm_npz *npz;
  const char *path = fuzz_file(".npz", data, size);
  if (!path || vlm_npz_open(&npz, path, &err) != VLM_OK) return;
  for (size_t i = 0; i < vlm_npz_count(npz); i++) {
    vlm_tensor t;
    if (vlm_npz_is_array(npz, i) && vlm_npz_read(&t, npz, i, &err) == VLM_OK) vlm_free(t.data);
  }
  vlm_npz_free(npz);
}

void fuzz_on_captions(const uint8_t *data, size_t size) {
  vlm_error err;
  vlm_caption_set set = {0};
  const char *path = fuzz_file(".json", data, size);
  const vlm_caption_opts opts = {.one_per_image = size % 2, .split = size % 3 ? NULL : "test"};
  if (path && vlm_caption_set_load(&set, path, &opts, &err) == VLM_OK) vlm_caption_set_free(&set);
}

void fuzz_on_statistics(const uint8_t *data, size_t size) {
  vlm_error err;
  vlm_stats *stats = NULL;
  vlm_digest digest;
  const char *path = fuzz_file(".h5", data, size);
  if (!path || vlm_stats_open(&stats, path, &err) != VLM_OK) return;
  (void)vlm_stats_digest(&digest, stats, VLM_STATS_WHOLE, &err);
  vlm_stats_free(stats);
}
