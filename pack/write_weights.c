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
  if (b->p->pool.codecs[b->first + i] == VLM_TENSOR_INSIDE) return;
  b->status[i] = vlm_new(&b->frames[i], room, NULL);
  if (b->status[i] == VLM_OK)
    b->status[i] =
        vlm_codec_compress(b->frames[i], room, &b->sizes[i], t->tensor.data, t->bytes, b->p->level, NULL);
}

static vlm_status put_batch(batch *b, vlm_section *s, vlm_xxh64_stream *stored_hash) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < b->count; i++) {
    vlm_pack_tensor *t = &b->p->pool.items[b->first + i];
    if (b->p->pool.codecs[b->first + i] == VLM_TENSOR_INSIDE) continue;
    VLM_CHECK(b->status[i] == VLM_OK, b->p->err, b->status[i], "compressing tensor %d of %zu bytes failed",
              (int)(b->first + i), t->bytes);
    const bool packed = b->sizes[i] < t->bytes;
    const void *data = packed ? b->frames[i] : t->tensor.data;
    t->stored_bytes = packed ? b->sizes[i] : t->bytes;
    b->p->pool.codecs[b->first + i] = packed ? VLM_TENSOR_FRAME : VLM_TENSOR_PLAIN;
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
    while (next < p->pool.count && b.count < BATCH_TENSORS &&
           (b.count == 0 || bytes + p->pool.items[next].bytes <= BATCH_BYTES)) {
      bytes += p->pool.items[next++].bytes;
      b.count++;
    }
    if (p->go_on && (st = p->go_on(p->user, p->err)) != VLM_OK) break;
    vlm_threads_run(p->threads, b.count, compress_task, &b);
    st = put_batch(&b, s, stored_hash);
    for (int32_t i = 0; i < b.count; i++) vlm_free(b.frames[i]);
  }
  return st;
}

/* Where every tensor begins when unpacked, at multiples of 64; returns the size of all. */
static uint64_t raw_bytes(const vlm_tensor_pool *pool) {
  uint64_t end = 0;
  for (int32_t i = 0; i < pool->count; i++)
    end = (end + VLM_PACK_ALIGN - 1) / VLM_PACK_ALIGN * VLM_PACK_ALIGN + pool->items[i].bytes;
  return end;
}

/* Tensors as they are, zeros between. */
static vlm_status put_raw(vlm_packer *p, vlm_xxh64_stream *hash) {
  static const unsigned char zeros[VLM_PACK_ALIGN];
  vlm_status st = VLM_OK;
  uint64_t end = 0;
  for (int32_t i = 0; i < p->pool.count; i++) {
    vlm_pack_tensor *t = &p->pool.items[i];
    const size_t gap = (VLM_PACK_ALIGN - end % VLM_PACK_ALIGN) % VLM_PACK_ALIGN;
    const void *data = t->bytes ? t->tensor.data : "";
    vlm_xxh64_add(hash, zeros, gap);
    vlm_xxh64_add(hash, data, t->bytes);
    VLM_TRY(vlm_packer_put(p, zeros, gap));
    VLM_TRY(vlm_packer_put(p, data, t->bytes));
    t->stored_bytes = t->bytes;
    end += gap + t->bytes;
  }
out:
  return st;
}

static void choose_inside(vlm_tensor_pool *pool) {
  for (int32_t i = 0; i < pool->count; i++) {
    if (pool->items[i].bytes > VLM_TENSOR_INSIDE_BYTES) continue;
    pool->codecs[i] = VLM_TENSOR_INSIDE;
    pool->items[i].stored_bytes = pool->items[i].bytes;
  }
}

vlm_status vlm_packer_put_weights(vlm_packer *p) {
  vlm_status st = VLM_OK;
  const bool raw = p->codec == VLM_PACK_RAW;
  const uint64_t bytes = raw_bytes(&p->pool);
  vlm_xxh64_stream *hash = NULL;
  vlm_encoder table = {.err = p->err};
  vlm_section *s;
  VLM_TRY(vlm_xxh64_create(&hash, p->err));
  VLM_TRY(
      vlm_packer_begin(p, &s, VLM_SECTION_WGHT, raw ? VLM_SECTION_RAW : VLM_SECTION_FRAMES, raw ? bytes : 0));
  if (!raw) choose_inside(&p->pool);
  VLM_TRY(raw ? put_raw(p, hash) : put_frames(p, s, hash));
  s->raw = bytes;
  s->stored_hash = vlm_xxh64_value(hash);
  vlm_tensor_pool_encode(&table, &p->pool, raw);
  VLM_TRY(vlm_packer_put_encoder(p, VLM_SECTION_TENS, &table));
out:
  vlm_xxh64_free(hash);
  vlm_text_free(&table.bytes);
  return st;
}
