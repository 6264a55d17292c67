#include <stdatomic.h>
#include <string.h>

#include "pack/codec.h"
#include "pack/tensors.h"
#include "runtime/base/hash.h"
#include "runtime/base/pages.h"

void vlm_tensor_table_free(vlm_tensor_table *table) {
  void *parts[] = {table->items, table->codecs, table->raw_offsets, table->stored_offsets};
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) vlm_free(parts[i]);
  *table = (vlm_tensor_table){.count = 0};
}

static vlm_status reserve(vlm_tensor_table *out, size_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&out->items, count, err));
  VLM_TRY(vlm_new(&out->codecs, count, err));
  VLM_TRY(vlm_new(&out->raw_offsets, count, err));
  VLM_TRY(vlm_new(&out->stored_offsets, count, err));
out:
  return st;
}

/* One row; sizes are added up with overflow checks. */
static void read_row(vlm_tensor_table *out, int32_t i, vlm_byte_reader *d, bool raw, size_t *stored) {
  vlm_pack_tensor *item = &out->items[i];
  item->tensor = vlm_get_shape(d, &item->bytes);
  out->codecs[i] = (unsigned char)vlm_get_below(d, raw ? 1 : 2, "a tensor's codec");
  item->stored_bytes = raw ? item->bytes : (size_t)vlm_get_uint(d);
  item->hash = vlm_get_u64(d);
  if (d->status == VLM_OK && out->codecs[i] == 0 && item->stored_bytes != item->bytes) {
    vlm_get_fail(d, "tensor %d: stored as it is in %zu bytes, wanted %zu", (int)i, item->stored_bytes, item->bytes);
  }
  const size_t begin = (out->raw_bytes + (VLM_PACK_ALIGN - 1)) / VLM_PACK_ALIGN * VLM_PACK_ALIGN;
  out->raw_offsets[i] = begin;
  out->stored_offsets[i] = raw ? begin : *stored;
  const bool fits = vlm_size_add(begin, item->bytes, &out->raw_bytes) && out->raw_bytes < SIZE_MAX / 2 && vlm_size_add(*stored, item->stored_bytes, stored);
  if (!fits) vlm_get_fail(d, "tensor %d: the sizes exceed the address space", (int)i);
}

vlm_status vlm_tensor_table_decode(vlm_tensor_table *out, vlm_byte_reader *d, const vlm_section *weights) {
  vlm_status st = VLM_OK;
  const bool raw = weights->codec == VLM_SECTION_RAW;
  size_t stored = 0;
  *out = (vlm_tensor_table){.count = vlm_get_count(d, 11, VLM_PACK_MAX_TENSORS, "tensors")};
  VLM_TRY(d->status);
  VLM_TRY(reserve(out, (size_t)out->count, d->err));
  for (int32_t i = 0; i < out->count && d->status == VLM_OK; i++) read_row(out, i, d, raw, &stored);
  if (d->status == VLM_OK && out->raw_bytes != weights->raw) {
    vlm_get_fail(d, "the tensors take %zu bytes, section WGHT has %llu", out->raw_bytes, (unsigned long long)weights->raw);
  }
  if (d->status == VLM_OK && !raw && stored != weights->stored) {
    vlm_get_fail(d, "the stored tensors take %zu bytes, section WGHT has %llu", stored, (unsigned long long)weights->stored);
  }
  VLM_TRY(vlm_get_end(d));
out:
  if (st != VLM_OK) vlm_tensor_table_free(out);
  return st;
}

typedef struct load_job {
  vlm_tensor_table *table;
  unsigned char *raw;
  const unsigned char *stored;
  bool mapped, trust;
  const char *file;
  atomic_int failed; /* whether any did */
} load_job;

static vlm_status load_one(const load_job *job, int64_t i, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_pack_tensor *item = &job->table->items[i];
  unsigned char *data = job->raw + job->table->raw_offsets[i];
  const unsigned char *stored = job->stored + job->table->stored_offsets[i];
  if (!job->mapped && job->table->codecs[i] == 0 && item->bytes) memcpy(data, stored, item->bytes);
  if (!job->mapped && job->table->codecs[i] == 1) VLM_TRY(vlm_codec_decompress(data, item->bytes, stored, item->stored_bytes, err));
  if (!job->trust) {
    const uint64_t hash = vlm_xxh64(data, item->bytes);
    VLM_CHECK(hash == item->hash, err, VLM_INTEGRITY, "stored hash %016llx, computed %016llx", (unsigned long long)item->hash, (unsigned long long)hash);
  }
  if (!job->mapped) vlm_pages_drop(stored, item->stored_bytes); /* read once */
out:
  return st;
}

static void load_task(void *user, int64_t i, int worker) {
  load_job *job = user;
  (void)worker;
  if (load_one(job, i, NULL) != VLM_OK) atomic_store(&job->failed, 1);
}

/* Zero bytes between tensors, so that nothing in the section is unchecked. */
static vlm_status check_gaps(const vlm_tensor_table *table, const unsigned char *raw, const char *file, vlm_error *err) {
  size_t end = 0;
  for (int32_t i = 0; i < table->count; i++) {
    for (size_t at = end; at < table->raw_offsets[i]; at++) {
      if (raw[at]) return vlm_fail(err, VLM_INTEGRITY, "%s: section WGHT, byte %zu: padding is %u, wanted 0", file, at, raw[at]);
    }
    end = table->raw_offsets[i] + table->items[i].bytes;
  }
  return VLM_OK;
}

vlm_status vlm_tensor_table_load(vlm_tensor_table *table, unsigned char *raw, const unsigned char *stored, const vlm_section *weights, bool trust,
                                 vlm_threads *threads, const char *file, vlm_error *err) {
  vlm_status st = VLM_OK;
  load_job job = {.table = table, .raw = raw, .stored = stored, .mapped = weights->codec == VLM_SECTION_RAW, .trust = trust, .file = file};
  if (!job.mapped || !trust) vlm_threads_run(threads, table->count, load_task, &job);
  /* Once more, in order, for the message; what failed for want of memory may succeed now. */
  for (int32_t i = 0; atomic_load(&job.failed) && i < table->count; i++) {
    st = load_one(&job, i, err);
    if (st != VLM_OK) vlm_error_context(err, "%s: section WGHT, tensor %d of %d", file, (int)i, (int)table->count);
    if (st != VLM_OK) goto out;
  }
  if (job.mapped && !trust) VLM_TRY(check_gaps(table, raw, file, err));
  for (int32_t i = 0; i < table->count; i++) table->items[i].tensor.data = raw + table->raw_offsets[i];
out:
  return st;
}
