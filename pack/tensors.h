/* The tensors of a file: collected from graphs without repetition, and the table TENS. */
#ifndef VLM_PACK_TENSORS_H
#define VLM_PACK_TENSORS_H

#include "pack/encode.h"
#include "pack/layout.h"
#include "pack/pack.h"
#include "runtime/base/file.h"

/* How a tensor is stored. */
typedef enum vlm_tensor_codec {
  VLM_TENSOR_PLAIN,
  VLM_TENSOR_FRAME, /* one zstd frame */
  VLM_TENSOR_INSIDE /* in the table: of every element the first byte, then of every element the second, ... */
} vlm_tensor_codec;

enum { VLM_TENSOR_INSIDE_BYTES = 1024 }; /* up to here, unless weights are to be mapped */

/* The order of VLM_TENSOR_INSIDE and back; `to` and `from` have the tensor's bytes. */
void vlm_planes_split(unsigned char *to, const unsigned char *from, const vlm_tensor *tensor, size_t bytes);
void vlm_planes_join(unsigned char *to, const unsigned char *from, const vlm_tensor *tensor, size_t bytes);

/* ---- writing ---- */

/* Tensors to be stored, equal ones once, in the order of first appearance. Zeroed = empty. The data stays the caller's. */
typedef struct vlm_tensor_pool {
  vlm_pack_tensor *items;
  unsigned char *codecs; /* vlm_tensor_codec; set when the weights are written */
  int32_t count, capacity;
  int32_t *slots; /* open addressing: index + 1; twice the capacity */
} vlm_tensor_pool;

vlm_status vlm_tensor_pool_add(vlm_tensor_pool *pool, int32_t *index, const vlm_tensor *tensor,
                               vlm_error *err);
void vlm_tensor_pool_free(vlm_tensor_pool *pool);
void vlm_tensor_pool_encode(vlm_encoder *e, const vlm_tensor_pool *pool, bool raw);

/* ---- reading ---- */

typedef struct vlm_tensor_table {
  vlm_pack_tensor *items;
  unsigned char *codecs; /* vlm_tensor_codec */
  size_t *raw_offsets,
      *stored_offsets;  /* in the unpacked and in the stored section; VLM_TENSOR_INSIDE: in the table */
  unsigned char *table; /* a copy of TENS */
  struct vlm_lazy_weights *lazy; /* tensors that are unpacked when they are wanted, or NULL */
  int32_t count;
  size_t raw_bytes;
} vlm_tensor_table;

/* Reads TENS and checks it against the section WGHT. Only compact files have tensors in the table. */
vlm_status vlm_tensor_table_decode(vlm_tensor_table *out, vlm_byte_reader *d, const vlm_section *weights,
                                   bool compact);
void vlm_tensor_table_free(vlm_tensor_table *table);
/* Points every tensor into `raw` (the unpacked section), after unpacking into it from `stored` when the codec is frames, and checks hashes
 * unless `trust`; lazy ones are set already and left alone. `file` is for messages. */
vlm_status vlm_tensor_table_load(vlm_tensor_table *table, unsigned char *raw, const vlm_file *mapping,
                                 const unsigned char *stored, const vlm_section *weights, bool trust,
                                 vlm_threads *threads, const char *file, vlm_error *err);

#endif
