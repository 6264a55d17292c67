#include <string.h>

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

vlm_status vlm_codec_compress(void *out, size_t room, size_t *used, const void *data, size_t bytes, int level,
                              vlm_error *err) {
  size_t n = ZSTD_compress(out, room, data, bytes, level);
  if (!ZSTD_isError(n) && bytes / VLM_CODEC_MAX_RATIO > n)
    n = compress_modestly(out, room, data, bytes, level);
  if (ZSTD_isError(n)) return vlm_fail(err, VLM_INTERNAL, "compression failed: %s", ZSTD_getErrorName(n));
  *used = n;
  return VLM_OK;
}

vlm_status vlm_codec_content(size_t *bytes, const void *data, size_t stored, vlm_error *err) {
  vlm_status st = VLM_OK;
  const size_t frame = ZSTD_findFrameCompressedSize(data, stored);
  VLM_CHECK(!ZSTD_isError(frame) && frame == stored, err, VLM_INTEGRITY,
            "%zu stored bytes are not one complete zstd frame", stored);
  const unsigned long long content = ZSTD_getFrameContentSize(data, stored);
  VLM_CHECK(content != ZSTD_CONTENTSIZE_UNKNOWN && content != ZSTD_CONTENTSIZE_ERROR && content <= SIZE_MAX,
            err, VLM_INTEGRITY, "the zstd frame does not say how much it holds");
  *bytes = (size_t)content;
out:
  return st;
}

/* words: what the frame was made with; 0 bytes = nothing. */
static vlm_status decompress(void *out, size_t bytes, const void *data, size_t stored, const void *words,
                             size_t n_words, vlm_error *err) {
  vlm_status st = VLM_OK;
  ZSTD_DCtx *context = NULL;
  size_t content = 0;
  VLM_TRY(vlm_codec_content(&content, data, stored, err));
  VLM_CHECK(content == bytes, err, VLM_INTEGRITY, "the zstd frame holds %zu bytes, wanted %zu", content,
            bytes);
  context = ZSTD_createDCtx();
  VLM_CHECK(context, err, VLM_MEMORY, "out of memory");
  const size_t n = ZSTD_decompress_usingDict(context, out, bytes, data, stored, words, n_words);
  VLM_CHECK(!ZSTD_isError(n), err, VLM_INTEGRITY, "the zstd frame is damaged: %s", ZSTD_getErrorName(n));
  VLM_CHECK(n == bytes, err, VLM_INTEGRITY, "the zstd frame holds %zu bytes, wanted %zu", n, bytes);
out:
  ZSTD_freeDCtx(context);
  return st;
}

vlm_status vlm_codec_decompress(void *out, size_t bytes, const void *data, size_t stored, vlm_error *err) {
  return decompress(out, bytes, data, stored, NULL, 0, err);
}

/* ---- the index ---- */

enum { INDEX_LEVEL = 19 };

vlm_status vlm_codec_compress_index(void *out, size_t room, size_t *used, const void *data, size_t bytes,
                                    vlm_error *err) {
  vlm_status st = VLM_OK;
  ZSTD_CCtx *context = ZSTD_createCCtx();
  VLM_CHECK(context, err, VLM_MEMORY, "out of memory");
  const size_t n = ZSTD_compress_usingDict(context, out, room, data, bytes, vlm_codec_words,
                                           strlen(vlm_codec_words), INDEX_LEVEL);
  VLM_CHECK(!ZSTD_isError(n), err, VLM_INTERNAL, "compression failed: %s", ZSTD_getErrorName(n));
  *used = n;
out:
  ZSTD_freeCCtx(context);
  return st;
}

vlm_status vlm_codec_decompress_index(void *out, size_t bytes, const void *data, size_t stored,
                                      vlm_error *err) {
  return decompress(out, bytes, data, stored, vlm_codec_words, strlen(vlm_codec_words), err);
}
