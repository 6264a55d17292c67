/* Compression of one block of bytes. The one user of zstd is codec_zstd.c. */
#ifndef VLM_PACK_CODEC_H
#define VLM_PACK_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* No frame of ours unpacks to more than this many times its size: a reader may refuse what does, as made to fill its memory. */
enum { VLM_CODEC_MAX_RATIO = 4096 };

/* Largest compressed size of `bytes` bytes. */
size_t vlm_codec_bound(size_t bytes);
/* One frame with content size, at most VLM_CODEC_MAX_RATIO smaller; *used = its size. `room` >= vlm_codec_bound(bytes). The same input and level give the same bytes. */
vlm_status vlm_codec_compress(void *out, size_t room, size_t *used, const void *data, size_t bytes, int level,
                              vlm_error *err);
/* One frame that must hold exactly `bytes` bytes and end with the data. VLM_INTEGRITY otherwise, without context. */
vlm_status vlm_codec_decompress(void *out, size_t bytes, const void *data, size_t stored, vlm_error *err);
/* How many bytes one frame that ends with the data holds. VLM_INTEGRITY otherwise, without context. */
vlm_status vlm_codec_content(size_t *bytes, const void *data, size_t stored, vlm_error *err);

/* The same for the index of a file, with the words of docs/format-words.txt as the text in front: small files repeat little but those. */
vlm_status vlm_codec_compress_index(void *out, size_t room, size_t *used, const void *data, size_t bytes,
                                    vlm_error *err);
vlm_status vlm_codec_decompress_index(void *out, size_t bytes, const void *data, size_t stored,
                                      vlm_error *err);
/* The words, for the test that compares them with the page. They never change: files are made with them. */
extern const char vlm_codec_words[];

#endif
