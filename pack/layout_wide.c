/* The index of format 1.0: records of 56 bytes, sections at multiples of 64. Written no more. */
#include "pack/layout_private.h"

static uint64_t begin_of(uint64_t end, const vlm_section *s) {
  const uint64_t align =
      s->kind == VLM_SECTION_WGHT && s->codec == VLM_SECTION_RAW ? VLM_PACK_MAP_ALIGN : VLM_PACK_ALIGN;
  return (end + align - 1) / align * align;
}

static vlm_status read_record(vlm_layout_reader *r, vlm_byte_reader *d, vlm_section *s, uint64_t *end) {
  vlm_status st = VLM_OK;
  const unsigned char *name = vlm_get_bytes(d, 4);
  s->flags = vlm_get_u32(d);
  const uint32_t codec = vlm_get_u32(d), reserved = vlm_get_u32(d);
  s->codec = codec < VLM_SECTION_CODECS ? (vlm_section_codec)codec : VLM_SECTION_CODECS;
  s->offset = vlm_get_u64(d);
  s->stored = vlm_get_u64(d);
  s->raw = vlm_get_u64(d);
  s->stored_hash = vlm_get_u64(d);
  s->raw_hash = vlm_get_u64(d);
  s->raw_hashed = true;
  VLM_TRY(d->status);
  VLM_TRY(vlm_layout_set_name(r, s, name));
  const uint64_t begin = begin_of(*end, s);
  VLM_CHECK(reserved == 0, r->err, VLM_INTEGRITY, "%s: section %s: reserved %#x, wanted 0", r->file, s->name,
            (unsigned)reserved);
  VLM_CHECK(s->offset == begin, r->err, VLM_INTEGRITY, "%s: section %s: offset %llu, wanted %llu", r->file,
            s->name, (unsigned long long)s->offset, (unsigned long long)begin);
  VLM_TRY(vlm_layout_check_section(r, s, begin, end));
  VLM_CHECK(s->codec != VLM_SECTION_RAW || s->stored_hash == s->raw_hash, r->err, VLM_INTEGRITY,
            "%s: section %s: raw, but with two hashes", r->file, s->name);
out:
  return st;
}

vlm_status vlm_layout_read_wide(vlm_layout_reader *r) {
  vlm_status st = VLM_OK;
  vlm_byte_reader d = {.data = r->data + r->out->index_offset,
                       .bytes = (size_t)r->out->index_bytes,
                       .file = r->file,
                       .section = "index",
                       .err = r->err};
  uint64_t end = r->out->header_bytes;
  for (int32_t i = 0; i < r->out->count; i++) VLM_TRY(read_record(r, &d, &r->out->sections[i], &end));
  const uint64_t index_at = begin_of(end, &(vlm_section){.kind = VLM_SECTION_KINDS});
  VLM_CHECK(r->out->index_offset == index_at, r->err, VLM_INTEGRITY, "%s: index at %llu, wanted %llu",
            r->file, (unsigned long long)r->out->index_offset, (unsigned long long)index_at);
  VLM_TRY(vlm_layout_check_gap(r, end, index_at, "the index"));
out:
  return st;
}
