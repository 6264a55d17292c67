#include "pack/lazy_weights.h"

#include <string.h>

#include "pack/codec.h"
#include "runtime/base/hash.h"

enum { SMALLEST = 1 << 14 }; /* bytes: below, pages of its own cost more than they save */

typedef struct {
  const unsigned char *stored;
  size_t bytes, stored_bytes;
  uint64_t hash;
  int32_t tensor; /* number in the table, for messages */
  bool frame;
} lazy_source;

struct vlm_lazy_weights {
  vlm_lazy *blocks;
  lazy_source *sources; /* per block */
  int32_t count;
  const vlm_file *mapping;
  const unsigned char *section;
  size_t section_bytes;
  char *file;
};

/* Only matrices of small integers: they are read by few, who say so. Scales and biases are read by many and are there at once. */
static bool may_wait(const vlm_tensor_table *table, int32_t i) {
  const vlm_pack_tensor *t = &table->items[i];
  const bool codes = vlm_dtype_bits(t->tensor.dtype) <= 8 && t->tensor.dtype != VLM_BOOL;
  return codes && t->tensor.rank >= 2 && t->bytes >= SMALLEST && table->codecs[i] != VLM_TENSOR_INSIDE;
}

static vlm_status fill(void *user, int32_t i, void *block, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_lazy_weights *w = user;
  const lazy_source *s = &w->sources[i];
  if (s->frame) VLM_TRY(vlm_codec_decompress(block, s->bytes, s->stored, s->stored_bytes, err));
  else memcpy(block, s->stored, s->bytes);
  const uint64_t hash = vlm_xxh64(block, s->bytes);
  VLM_CHECK(hash == s->hash, err, VLM_INTEGRITY, "stored hash %016llx, computed %016llx",
            (unsigned long long)s->hash, (unsigned long long)hash);
out:
  if (st != VLM_OK) vlm_error_context(err, "%s: section WGHT, tensor %d", w->file, (int)s->tensor);
  vlm_file_drop(w->mapping, w->section, w->section_bytes); /* what the system read around it too */
  return st;
}

static vlm_status choose(vlm_lazy_weights *w, size_t *bytes, const vlm_tensor_table *table,
                         const unsigned char *stored, vlm_error *err) {
  const vlm_status st = vlm_new(&w->sources, table->count, err);
  for (int32_t i = 0; st == VLM_OK && i < table->count; i++) {
    const vlm_pack_tensor *t = &table->items[i];
    if (!may_wait(table, i)) continue;
    bytes[w->count] = t->bytes;
    w->sources[w->count++] = (lazy_source){.stored = stored + table->stored_offsets[i],
                                           .bytes = t->bytes,
                                           .stored_bytes = t->stored_bytes,
                                           .hash = t->hash,
                                           .tensor = i,
                                           .frame = table->codecs[i] == VLM_TENSOR_FRAME};
  }
  return st;
}

vlm_status vlm_lazy_weights_create(vlm_lazy_weights **out, vlm_tensor_table *table, const vlm_file *mapping,
                                   const unsigned char *stored, size_t stored_bytes, const char *file,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lazy_weights *w = NULL;
  size_t *bytes = NULL;
  VLM_TRY(vlm_new(&w, 1, err));
  w->mapping = mapping;
  w->section = stored;
  w->section_bytes = stored_bytes;
  VLM_TRY(vlm_strdup(&w->file, file, err));
  VLM_TRY(vlm_new(&bytes, table->count, err));
  VLM_TRY(choose(w, bytes, table, stored, err));
  VLM_TRY(vlm_lazy_create(&w->blocks, bytes, w->count, fill, w, err));
  for (int32_t i = 0; i < w->count; i++)
    table->items[w->sources[i].tensor].tensor.data = vlm_lazy_block(w->blocks, i);
out:
  vlm_free(bytes);
  if (st != VLM_OK) {
    vlm_lazy_weights_free(w);
    w = NULL;
  }
  *out = w;
  return st;
}

void vlm_lazy_weights_free(vlm_lazy_weights *w) {
  if (!w) return;
  vlm_lazy_free(w->blocks);
  vlm_free(w->sources);
  vlm_free(w->file);
  vlm_free(w);
}

vlm_lazy *vlm_lazy_weights_blocks(const vlm_lazy_weights *w) { return w ? w->blocks : NULL; }
