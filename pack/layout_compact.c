/* The index of a compact file (docs/format.md section 1.2): a list of sections that holds the small ones itself, compressed as a whole. */
#include <assert.h>

#include "pack/codec.h"
#include "pack/layout_private.h"

enum { STORED_RAW, STORED_ZSTD, STORED_FORMS }; /* the first byte of the index */

/* ---- writing ---- */

static void put_section(vlm_encoder *e, const vlm_section *s) {
  assert(s->kind < VLM_SECTION_KINDS && s->codec < VLM_SECTION_CODECS);
  vlm_put_u8(e, (unsigned)s->kind + 1);
  vlm_put_u8(e, (unsigned)s->codec | s->flags << 4);
  if (s->codec == VLM_SECTION_INSIDE) {
    vlm_put_uint(e, s->raw);
    vlm_put_bytes(e, s->data, (size_t)s->raw);
    return;
  }
  vlm_put_uint(e, s->stored);
  if (s->codec != VLM_SECTION_RAW) vlm_put_uint(e, s->raw);
  vlm_put_u64(e, s->stored_hash);
}

static vlm_status put_compressed(vlm_encoder *e, const vlm_encoder *list) {
  vlm_status st = VLM_OK;
  unsigned char *small = NULL;
  const size_t room = vlm_codec_bound(list->bytes.bytes);
  size_t used = 0;
  VLM_TRY(vlm_new(&small, room, e->err));
  VLM_TRY(vlm_codec_compress_index(small, room, &used, list->bytes.data, list->bytes.bytes, e->err));
  const bool packed = used < list->bytes.bytes;
  vlm_put_u8(e, packed ? STORED_ZSTD : STORED_RAW);
  vlm_put_bytes(e, packed ? small : (const unsigned char *)list->bytes.data,
                packed ? used : list->bytes.bytes);
out:
  vlm_free(small);
  return st;
}

void vlm_layout_encode_index(vlm_encoder *e, const vlm_layout *layout) {
  vlm_encoder list = {.err = e->err};
  for (int32_t i = 0; i < layout->count; i++) put_section(&list, &layout->sections[i]);
  if (list.status == VLM_OK && layout->features & VLM_PACK_FEATURE_ZSTD) {
    list.status = put_compressed(e, &list);
  } else {
    vlm_put_u8(e, STORED_RAW);
    vlm_put_bytes(e, vlm_text_get(&list.bytes), list.bytes.bytes);
  }
  if (e->status == VLM_OK) e->status = list.status;
  vlm_text_free(&list.bytes);
}

/* ---- reading ---- */

static vlm_status read_name(vlm_layout_reader *r, vlm_byte_reader *d, vlm_section *s, unsigned kind) {
  const unsigned char *name =
      kind == 0 ? vlm_get_bytes(d, 4) : (const unsigned char *)vlm_section_name((vlm_section_kind)(kind - 1));
  if (kind > VLM_SECTION_KINDS) vlm_get_fail(d, "section name %u is unknown", kind);
  return d->status == VLM_OK ? vlm_layout_set_name(r, s, name) : d->status;
}

static vlm_status read_outside(vlm_layout_reader *r, vlm_byte_reader *d, vlm_section *s, uint64_t *end) {
  vlm_status st = VLM_OK;
  s->stored = vlm_get_uint(d);
  s->raw = s->codec == VLM_SECTION_RAW ? s->stored : vlm_get_uint(d);
  s->stored_hash = vlm_get_u64(d);
  VLM_TRY(d->status);
  VLM_CHECK(*end <= r->out->index_offset, r->err, VLM_INTEGRITY, "%s: section %s runs into the index",
            r->file, s->name);
  s->offset = vlm_section_begin(*end, s);
  VLM_TRY(vlm_layout_check_section(r, s, s->offset, end));
out:
  return st;
}

static vlm_status read_section(vlm_layout_reader *r, vlm_byte_reader *d, vlm_section *s, uint64_t *end) {
  vlm_status st = VLM_OK;
  const unsigned kind = vlm_get_u8(d), form = vlm_get_u8(d), codec = form & 15;
  s->flags = form >> 4;
  s->codec = codec < VLM_SECTION_CODECS ? (vlm_section_codec)codec : VLM_SECTION_CODECS;
  VLM_TRY(read_name(r, d, s, kind));
  if (s->codec != VLM_SECTION_INSIDE) {
    VLM_TRY(read_outside(r, d, s, end));
    goto out;
  }
  VLM_CHECK(s->kind != VLM_SECTION_WGHT && s->flags <= VLM_SECTION_OPTIONAL, r->err, VLM_INTEGRITY,
            "%s: section %s: codec %u does not go with it", r->file, s->name, form);
  s->stored = s->raw = vlm_get_uint(d);
  s->offset = r->out->index_offset;
  s->data = vlm_get_bytes(d, s->raw > SIZE_MAX ? SIZE_MAX : (size_t)s->raw);
  VLM_TRY(d->status);
out:
  return st;
}

/* The list of sections in *list, owned by the layout when it was compressed. */
static vlm_status unpack(vlm_layout_reader *r, vlm_byte_reader *list) {
  vlm_status st = VLM_OK;
  const unsigned char *stored = r->data + r->out->index_offset;
  size_t n = (size_t)r->out->index_bytes, bytes = 0;
  *list = (vlm_byte_reader){
      .data = stored + 1, .bytes = n - 1, .file = r->file, .section = "index", .err = r->err};
  VLM_CHECK(n > 0 && stored[0] < STORED_FORMS, r->err, VLM_INTEGRITY, "%s: index: unknown form", r->file);
  VLM_CHECK(stored[0] == STORED_RAW || r->out->features & VLM_PACK_FEATURE_ZSTD, r->err, VLM_INTEGRITY,
            "%s: index: is compressed, but the header does not say so", r->file);
  if (stored[0] == STORED_RAW) goto out;
  st = vlm_codec_content(&bytes, stored + 1, n - 1, r->err);
  if (st == VLM_OK && bytes > VLM_PACK_MAX_INDEX_BYTES)
    st = vlm_fail(r->err, VLM_INTEGRITY, "%zu bytes unpacked, the limit is %d", bytes,
                  VLM_PACK_MAX_INDEX_BYTES);
  if (st == VLM_OK) st = vlm_new(&r->out->index, bytes + 1, r->err);
  if (st == VLM_OK) st = vlm_codec_decompress_index(r->out->index, bytes, stored + 1, n - 1, r->err);
  if (st != VLM_OK) vlm_error_context(r->err, "%s: index", r->file);
  list->data = r->out->index;
  list->bytes = bytes;
out:
  return st;
}

vlm_status vlm_layout_read_compact(vlm_layout_reader *r) {
  vlm_status st = VLM_OK;
  vlm_byte_reader list;
  uint64_t end = r->out->header_bytes;
  VLM_TRY(unpack(r, &list));
  for (int32_t i = 0; i < r->out->count; i++) VLM_TRY(read_section(r, &list, &r->out->sections[i], &end));
  VLM_TRY(vlm_get_end(&list));
  VLM_CHECK(r->out->index_offset == end, r->err, VLM_INTEGRITY, "%s: index at %llu, wanted %llu", r->file,
            (unsigned long long)r->out->index_offset, (unsigned long long)end);
out:
  return st;
}
