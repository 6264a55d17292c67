/* The primitives of docs/format.md section 2.1: writing into a growing buffer, and reading with bounds checks. */
#ifndef VLM_PACK_ENCODE_H
#define VLM_PACK_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/memory.h"
#include "runtime/base/tensor.h"
#include "runtime/base/buffer.h"

/* ---- writing: the first failure is kept in the encoder and returned at the end ---- */

typedef struct vlm_encoder {
  vlm_text bytes;
  vlm_status status;
  vlm_error *err;
} vlm_encoder;

void vlm_put_bytes(vlm_encoder *e, const void *data, size_t bytes);
void vlm_put_u8(vlm_encoder *e, unsigned value);
void vlm_put_u32(vlm_encoder *e, uint32_t value);
void vlm_put_u64(vlm_encoder *e, uint64_t value);
void vlm_put_f32(vlm_encoder *e, float value);
void vlm_put_uint(vlm_encoder *e, uint64_t value);
void vlm_put_sint(vlm_encoder *e, int64_t value);
void vlm_put_text(vlm_encoder *e, const char *text);
void vlm_put_shape(vlm_encoder *e, const vlm_tensor *tensor);

/* ---- reading ---- */

/* A place in a section. Once something is wrong, `status` says so and everything that is read is 0; nothing is read outside. */
typedef struct vlm_byte_reader {
  const unsigned char *data;
  size_t bytes, at;
  const char *file, *section; /* for messages */
  vlm_status status;
  vlm_error *err;
} vlm_byte_reader;

/* Fails the decoder with VLM_INTEGRITY: "FILE: section NAME, byte AT: message". The first failure stays. */
void vlm_get_fail(vlm_byte_reader *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next bytes, or NULL. */
const unsigned char *vlm_get_bytes(vlm_byte_reader *d, size_t bytes);
unsigned vlm_get_u8(vlm_byte_reader *d);
uint32_t vlm_get_u32(vlm_byte_reader *d);
uint64_t vlm_get_u64(vlm_byte_reader *d);
float vlm_get_f32(vlm_byte_reader *d);
uint64_t vlm_get_uint(vlm_byte_reader *d);
int64_t vlm_get_sint(vlm_byte_reader *d);
/* A uint below `limit`; `what` is for the message. */
int64_t vlm_get_below(vlm_byte_reader *d, uint64_t limit, const char *what);
/* A count of elements that take at least `least` bytes each: never more than what is left can hold, nor than `limit`. */
int32_t vlm_get_count(vlm_byte_reader *d, size_t least, int32_t limit, const char *what);
/* A text copied into the arena; "" after a failure. */
const char *vlm_get_text(vlm_byte_reader *d, vlm_arena *arena);
/* Type and dims; *bytes = size of the data, checked. */
vlm_tensor vlm_get_shape(vlm_byte_reader *d, size_t *bytes);
/* An element type by its code; VLM_NONE only when `none` allows it. */
vlm_dtype vlm_get_dtype(vlm_byte_reader *d, bool none);
/* Fails unless the section is used up. */
vlm_status vlm_get_end(vlm_byte_reader *d);

#endif
