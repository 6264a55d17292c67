#include <zstd.h>

#include "pack/codec.h"

size_t vlm_codec_bound(size_t bytes) { return ZSTD_compressBound(bytes); }

vlm_status vlm_codec_compress(void *out, size_t room, size_t *used, const void *data, size_t bytes, int level, vlm_error *err) {
  const size_t n = ZSTD_compress(out, room, data, bytes, level);
  if (ZSTD_isError(n)) return vlm_fail(err, VLM_INTERNAL, "compression failed: %s", ZSTD_getErrorName(n));
  *used = n;
  return VLM_OK;
}

vlm_status vlm_codec_decompress(void *out, size_t bytes, const void *data, size_t stored, vlm_error *err) {
  vlm_status st = VLM_OK;
  const size_t frame = ZSTD_findFrameCompressedSize(data, stored);
  VLM_CHECK(!ZSTD_isError(frame) && frame == stored, err, VLM_INTEGRITY, "%zu stored bytes are not one complete zstd frame", stored);
  const unsigned long long content = ZSTD_getFrameContentSize(data, stored);
  VLM_CHECK(content == bytes, err, VLM_INTEGRITY, "the zstd frame holds %llu bytes, wanted %zu", content, bytes);
  const size_t n = ZSTD_decompress(out, bytes, data, stored);
  VLM_CHECK(!ZSTD_isError(n), err, VLM_INTEGRITY, "the zstd frame is damaged: %s", ZSTD_getErrorName(n));
  VLM_CHECK(n == bytes, err, VLM_INTEGRITY, "the zstd frame holds %zu bytes, wanted %zu", n, bytes);
out:
  return st;
}
