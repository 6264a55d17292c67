#include "pack/codec.h"
#include "pack/packer.h"
#include "runtime/base/hash.h"

#define BATCH_TENSORS 64
#define BATCH_BYTES ((size_t)64 << 20)

typedef struct batch {
  vlm_packer *p;
  int32_t first, count;
  unsigned char *frames[BATCH_TENSORS];
  size_t sizes[BATCH_TENSORS];
  vlm_status status[BATCH_TENSORS];
} batch;

static void compress_task(void *user, int64_t i, int worker) {
  batch *b = user;
  const vlm_pack_tensor *t = &b->p->pool.items[b->first + i];
  const size_t room = vlm_codec_bound(t->bytes);
  (void)worker;
  b->status[i] = vlm_new(&b->frames[i], room, NULL);
  if (b->status[i] == VLM_OK) b->status[i] = vlm_codec_compress(b->frames[i], room, &b->sizes[i], t->tensor.data, t->bytes, b->p->level, NULL);
}

static vlm_status put_batch(batch *b, vlm_section *s, vlm_xxh64_stream *stored_hash) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < b->count; i++) {
    vlm_pack_tensor *t = &b->p->pool.items[b->first + i];
    VLM_CHECK(b->status[i] == VLM_OK, b->p->err, b->status[i], "compressing tensor %d of %zu bytes failed", (int)(b->first + i), t->bytes);
    const bool packed = b->sizes[i] < t->bytes;
    const void *data = packed ? b->frames[i] : t->tensor.data;
    t->stored_bytes = packed ? b->sizes[i] : t->bytes;
    b->p->pool.codecs[b->first + i] = packed;
    vlm_xxh64_add(stored_hash, data, t->stored_bytes);
    s->stored += t->stored_bytes;
    VLM_TRY(vlm_packer_put(b->p, data, t->stored_bytes));
  }
out:
  return st;
}

/* Compresses some tensors at a time in parallel, so that memory stays bounded, and writes them in order. */
static vlm_status put_frames(vlm_packer *p, vlm_section *s, vlm_xxh64_stream *stored_hash) {
  vlm_status st = VLM_OK;
  for (int32_t next = 0; next < p->pool.count && st == VLM_OK;) {
    batch b = {.p = p, .first = next};
    size_t bytes = 0;
    while (next < p->pool.count && b.count < BATCH_TENSORS && (b.count == 0 || bytes + p->pool.items[next].bytes <= BATCH_BYTES)) {
      bytes += p->pool.items[next++].bytes;
      b.count++;
    }
    vlm_threads_run(p->threads, b.count, compress_task, &b);
    st = put_batch(&b, s, stored_hash);
    for (int32_t i = 0; i < b.count; i++) vlm_free(b.frames[i]);
  }
  return st;
}

/* Walks the raw layout: tensors at multiples of 64, zeros between. Hashes it, and writes it when `write` is set. */
static vlm_status put_raw(vlm_packer *p, vlm_section *s, vlm_xxh64_stream *raw_hash, bool write) {
  static const unsigned char zeros[VLM_PACK_ALIGN];
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < p->pool.count; i++) {
    vlm_pack_tensor *t = &p->pool.items[i];
    const size_t gap = (VLM_PACK_ALIGN - s->raw % VLM_PACK_ALIGN) % VLM_PACK_ALIGN;
    const void *data = t->bytes ? t->tensor.data : "";
    vlm_xxh64_add(raw_hash, zeros, gap);
    vlm_xxh64_add(raw_hash, data, t->bytes);
    s->raw += gap + t->bytes;
    if (!write) continue;
    VLM_TRY(vlm_packer_put(p, zeros, gap));
    VLM_TRY(vlm_packer_put(p, data, t->bytes));
    t->stored_bytes = t->bytes;
  }
out:
  return st;
}

vlm_status vlm_packer_put_weights(vlm_packer *p) {
  vlm_status st = VLM_OK;
  const bool raw = p->codec == VLM_PACK_RAW;
  vlm_xxh64_stream *raw_hash = NULL, *stored_hash = NULL;
  vlm_encoder table = {.err = p->err};
  vlm_section *s;
  VLM_TRY(vlm_xxh64_create(&raw_hash, p->err));
  VLM_TRY(vlm_xxh64_create(&stored_hash, p->err));
  VLM_TRY(vlm_packer_begin(p, &s, VLM_SECTION_WGHT, raw ? VLM_SECTION_RAW : VLM_SECTION_FRAMES));
  VLM_TRY(put_raw(p, s, raw_hash, raw));
  s->raw_hash = vlm_xxh64_value(raw_hash);
  if (!raw) VLM_TRY(put_frames(p, s, stored_hash));
  else s->stored = s->raw;
  s->stored_hash = raw ? s->raw_hash : vlm_xxh64_value(stored_hash);
  vlm_tensor_pool_encode(&table, &p->pool, raw);
  VLM_TRY(vlm_packer_put_encoder(p, VLM_SECTION_TENS, &table));
out:
  vlm_xxh64_free(raw_hash);
  vlm_xxh64_free(stored_hash);
  vlm_text_free(&table.bytes);
  return st;
}
