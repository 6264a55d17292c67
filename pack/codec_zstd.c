#include <zstd.h>

#include "pack/codec.h"

size_t vlm_codec_bound(size_t bytes) { return ZSTD_compressBound(bytes); }

/* Blocks of 8 KiB: even one byte repeated for ever then takes a 2048th, where the usual blocks of 128 KiB take a 32,768th. */
static size_t compress_modestly(void *out, size_t room, const void *data, size_t bytes, int level) {
  ZSTD_CCtx *context = ZSTD_createCCtx();
  if (!context) return (size_t)-1;
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 13);
  const size_t n = ZSTD_compress2(context, out, room, data, bytes);
  ZSTD_freeCCtx(context);
  return n;
}

vlm_status vlm_codec_compress(void *out, size_t room, size_t *used, const void *data, size_t bytes, int level, vlm_error *err) {
  size_t n = ZSTD_compress(out, room, data, bytes, level);
  if (!ZSTD_isError(n) && bytes / VLM_CODEC_MAX_RATIO > n) n = compress_modestly(out, room, data, bytes, level);
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
