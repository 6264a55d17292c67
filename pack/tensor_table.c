#include <stdatomic.h>
#include <string.h>

#include "pack/codec.h"
#include "pack/tensors.h"
#include "runtime/base/hash.h"

void vlm_tensor_table_free(vlm_tensor_table *table) {
  void *parts[] = {table->items, table->codecs, table->raw_offsets, table->stored_offsets, table->table};
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

/* ---- bytes of the table ---- */

static size_t plane_count(const vlm_tensor *t) {
  return vlm_dtype_bits(t->dtype) > 8 ? (size_t)vlm_dtype_bits(t->dtype) / 8 : 1;
}

void vlm_planes_split(unsigned char *to, const unsigned char *from, const vlm_tensor *tensor, size_t bytes) {
  const size_t planes = plane_count(tensor), n = bytes / planes;
  for (size_t i = 0; i < bytes; i++) to[i % planes * n + i / planes] = from[i];
}

void vlm_planes_join(unsigned char *to, const unsigned char *from, const vlm_tensor *tensor, size_t bytes) {
  const size_t planes = plane_count(tensor), n = bytes / planes;
  for (size_t i = 0; i < bytes; i++) to[i] = from[i % planes * n + i / planes];
}

/* ---- the table ---- */

typedef struct row_reader {
  vlm_byte_reader *d;
  bool raw, compact;
  size_t stored; /* so far */
} row_reader;

/* Where the bytes are and how many, by the codec. */
static void read_stored(vlm_tensor_table *out, int32_t i, row_reader *r, size_t begin) {
  vlm_pack_tensor *item = &out->items[i];
  if (out->codecs[i] == VLM_TENSOR_INSIDE) {
    item->stored_bytes = item->bytes;
    out->stored_offsets[i] = r->d->at;
    if (item->bytes > VLM_TENSOR_INSIDE_BYTES)
      vlm_get_fail(r->d, "tensor %d: %zu bytes are too many for the table", (int)i, item->bytes);
    vlm_get_bytes(r->d, item->bytes);
    return;
  }
  item->stored_bytes = r->raw ? item->bytes : (size_t)vlm_get_uint(r->d);
  item->hash = vlm_get_u64(r->d);
  if (r->d->status == VLM_OK && out->codecs[i] == VLM_TENSOR_PLAIN && item->stored_bytes != item->bytes)
    vlm_get_fail(r->d, "tensor %d: stored as it is in %zu bytes, wanted %zu", (int)i, item->stored_bytes,
                 item->bytes);
  out->stored_offsets[i] = r->raw ? begin : r->stored;
  if (!vlm_size_add(r->stored, item->stored_bytes, &r->stored))
    vlm_get_fail(r->d, "tensor %d: the sizes exceed the address space", (int)i);
}

/* One row; sizes are added up with overflow checks. */
static void read_row(vlm_tensor_table *out, int32_t i, row_reader *r) {
  vlm_pack_tensor *item = &out->items[i];
  item->tensor = vlm_get_shape(r->d, &item->bytes);
  const uint64_t codecs = r->raw ? VLM_TENSOR_FRAME : r->compact ? VLM_TENSOR_INSIDE + 1 : VLM_TENSOR_INSIDE;
  out->codecs[i] = (unsigned char)vlm_get_below(r->d, codecs, "a tensor's codec");
  const size_t begin = (out->raw_bytes + (VLM_PACK_ALIGN - 1)) / VLM_PACK_ALIGN * VLM_PACK_ALIGN;
  out->raw_offsets[i] = begin;
  read_stored(out, i, r, begin);
  const bool fits = vlm_size_add(begin, item->bytes, &out->raw_bytes) && out->raw_bytes < SIZE_MAX / 2;
  if (!fits) vlm_get_fail(r->d, "tensor %d: the sizes exceed the address space", (int)i);
}

static vlm_status copy_table(vlm_tensor_table *out, const vlm_byte_reader *d) {
  const vlm_status st = vlm_new(&out->table, d->bytes, d->err);
  if (st != VLM_OK) return st;
  memcpy(out->table, d->data, d->bytes);
  for (int32_t i = 0; i < out->count; i++) {
    vlm_pack_tensor *item = &out->items[i];
    if (out->codecs[i] != VLM_TENSOR_INSIDE) continue;
    unsigned char bytes[VLM_TENSOR_INSIDE_BYTES];
    vlm_planes_join(bytes, out->table + out->stored_offsets[i], &item->tensor, item->bytes);
    item->hash = vlm_xxh64(bytes, item->bytes);
  }
  return VLM_OK;
}

vlm_status vlm_tensor_table_decode(vlm_tensor_table *out, vlm_byte_reader *d, const vlm_section *weights,
                                   bool compact) {
  vlm_status st = VLM_OK;
  row_reader r = {.d = d, .raw = weights->codec == VLM_SECTION_RAW, .compact = compact};
  *out = (vlm_tensor_table){.count = vlm_get_count(d, compact ? 3 : 11, VLM_PACK_MAX_TENSORS, "tensors")};
  VLM_TRY(d->status);
  VLM_TRY(reserve(out, (size_t)out->count, d->err));
  for (int32_t i = 0; i < out->count && d->status == VLM_OK; i++) read_row(out, i, &r);
  if (d->status == VLM_OK && out->raw_bytes != weights->raw) {
    vlm_get_fail(d, "the tensors take %zu bytes, section WGHT has %llu", out->raw_bytes,
                 (unsigned long long)weights->raw);
  }
  if (d->status == VLM_OK && !r.raw && r.stored != weights->stored) {
    vlm_get_fail(d, "the stored tensors take %zu bytes, section WGHT has %llu", r.stored,
                 (unsigned long long)weights->stored);
  }
  VLM_TRY(vlm_get_end(d));
  VLM_TRY(copy_table(out, d));
out:
  if (st != VLM_OK) vlm_tensor_table_free(out);
  return st;
}

static bool is_lazy(const vlm_tensor_table *table, int64_t i) {
  return table->lazy && table->items[i].tensor.data;
}

typedef struct load_job {
  vlm_tensor_table *table;
  unsigned char *raw;
  const unsigned char *stored;
  const vlm_file *mapping;
  bool mapped, trust;
  const char *file;
  atomic_int failed; /* whether any did */
} load_job;

static vlm_status load_one(const load_job *job, int64_t i, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_pack_tensor *item = &job->table->items[i];
  unsigned char *data = job->raw + job->table->raw_offsets[i];
  const bool inside = job->table->codecs[i] == VLM_TENSOR_INSIDE;
  const unsigned char *stored = (inside ? job->table->table : job->stored) + job->table->stored_offsets[i];
  if (inside) vlm_planes_join(data, stored, &item->tensor, item->bytes);
  if (!job->mapped && job->table->codecs[i] == VLM_TENSOR_PLAIN && item->bytes)
    memcpy(data, stored, item->bytes);
  if (!job->mapped && job->table->codecs[i] == VLM_TENSOR_FRAME)
    VLM_TRY(vlm_codec_decompress(data, item->bytes, stored, item->stored_bytes, err));
  if (!job->trust) {
    const uint64_t hash = vlm_xxh64(data, item->bytes);
    VLM_CHECK(hash == item->hash, err, VLM_INTEGRITY, "stored hash %016llx, computed %016llx",
              (unsigned long long)item->hash, (unsigned long long)hash);
  }
  if (!job->mapped && !inside) vlm_file_drop(job->mapping, stored, item->stored_bytes); /* read once */
out:
  return st;
}

static void load_task(void *user, int64_t i, int worker) {
  load_job *job = user;
  (void)worker;
  if (is_lazy(job->table, i)) return;
  if (load_one(job, i, NULL) != VLM_OK) atomic_store(&job->failed, 1);
}

/* Zero bytes between tensors, so that nothing in the section is unchecked. */
static vlm_status check_gaps(const vlm_tensor_table *table, const unsigned char *raw, const char *file,
                             vlm_error *err) {
  size_t end = 0;
  for (int32_t i = 0; i < table->count; i++) {
    for (size_t at = end; at < table->raw_offsets[i]; at++) {
      if (raw[at])
        return vlm_fail(err, VLM_INTEGRITY, "%s: section WGHT, byte %zu: padding is %u, wanted 0", file, at,
                        raw[at]);
    }
    end = table->raw_offsets[i] + table->items[i].bytes;
  }
  return VLM_OK;
}

vlm_status vlm_tensor_table_load(vlm_tensor_table *table, unsigned char *raw, const vlm_file *mapping,
                                 const unsigned char *stored, const vlm_section *weights, bool trust,
                                 vlm_threads *threads, const char *file, vlm_error *err) {
  vlm_status st = VLM_OK;
  load_job job = {.table = table,
                  .raw = raw,
                  .stored = stored,
                  .mapping = mapping,
                  .mapped = weights->codec == VLM_SECTION_RAW,
                  .trust = trust,
                  .file = file};
  if (!job.mapped || !trust) vlm_threads_run(threads, table->count, load_task, &job);
  /* Once more, in order, for the message; what failed for want of memory may succeed now. */
  for (int32_t i = 0; atomic_load(&job.failed) && i < table->count; i++) {
    if (!is_lazy(table, i)) st = load_one(&job, i, err);
    if (st != VLM_OK)
      vlm_error_context(err, "%s: section WGHT, tensor %d of %d", file, (int)i, (int)table->count);
    if (st != VLM_OK) goto out;
  }
  if (job.mapped && !trust) VLM_TRY(check_gaps(table, raw, file, err));
  for (int32_t i = 0; i < table->count; i++)
    if (!is_lazy(table, i)) table->items[i].tensor.data = raw + table->raw_offsets[i];
out:
  return st;
}
