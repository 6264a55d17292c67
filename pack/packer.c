#include "pack/packer.h"

#include <assert.h>
#include <string.h>

#include "pack/codec.h"
#include "runtime/base/hash.h"

vlm_status vlm_packer_put(vlm_packer *p, const void *data, size_t bytes) {
  const vlm_status st = vlm_writer_write(p->writer, data, bytes, p->err);
  p->at += bytes;
  return st;
}

vlm_status vlm_packer_pad_to(vlm_packer *p, uint64_t offset) {
  static const unsigned char zeros[4096];
  vlm_status st = VLM_OK;
  assert(p->at <= offset); /* sections come in the order of their places */
  while (p->at < offset) {
    const uint64_t left = offset - p->at;
    VLM_TRY(vlm_packer_put(p, zeros, left < sizeof(zeros) ? (size_t)left : sizeof(zeros)));
  }
out:
  return st;
}

static vlm_status add_section(vlm_packer *p, vlm_section **out, vlm_section_kind kind,
                              vlm_section_codec codec) {
  vlm_status st = VLM_OK;
  VLM_CHECK(p->layout.count < VLM_PACK_MAX_SECTIONS, p->err, VLM_LIMIT, "more than %d sections",
            VLM_PACK_MAX_SECTIONS);
  assert(kind < VLM_SECTION_KINDS && codec < VLM_SECTION_CODECS);
  *out = &p->layout.sections[p->layout.count++];
  **out = (vlm_section){.kind = kind, .codec = codec};
  memcpy((*out)->name, vlm_section_name(kind), 4);
out:
  return st;
}

vlm_status vlm_packer_begin(vlm_packer *p, vlm_section **out, vlm_section_kind kind, vlm_section_codec codec,
                            uint64_t stored) {
  vlm_status st = VLM_OK;
  VLM_TRY(add_section(p, out, kind, codec));
  (*out)->stored = stored;
  (*out)->offset = vlm_section_begin(p->at, *out);
  if (codec != VLM_SECTION_RAW) p->layout.features |= VLM_PACK_FEATURE_ZSTD;
  VLM_TRY(vlm_packer_pad_to(p, (*out)->offset));
out:
  return st;
}

static vlm_status put_inside(vlm_packer *p, vlm_section_kind kind, const void *data, size_t bytes) {
  vlm_status st = VLM_OK;
  vlm_section *s;
  unsigned char *copy = NULL;
  VLM_TRY(add_section(p, &s, kind, VLM_SECTION_INSIDE));
  VLM_TRY(vlm_arena_new(p->arena, &copy, bytes, p->err));
  if (bytes) memcpy(copy, data, bytes);
  s->data = copy;
  s->stored = s->raw = bytes;
out:
  return st;
}

static vlm_status put_outside(vlm_packer *p, vlm_section_kind kind, const void *data, size_t bytes) {
  vlm_status st = VLM_OK;
  unsigned char *small = NULL;
  size_t used = bytes;
  vlm_section *s;
  if (p->codec == VLM_PACK_ZSTD) {
    const size_t room = vlm_codec_bound(bytes);
    VLM_TRY(vlm_new(&small, room, p->err));
    VLM_TRY(vlm_codec_compress(small, room, &used, data, bytes, p->level, p->err));
  }
  const bool packed = used < bytes && vlm_section_unpacks(kind, used, bytes);
  const void *stored = packed ? small : data;
  VLM_TRY(vlm_packer_begin(p, &s, kind, packed ? VLM_SECTION_ZSTD : VLM_SECTION_RAW, packed ? used : bytes));
  s->raw = bytes;
  s->stored_hash = vlm_xxh64(stored, (size_t)s->stored);
  VLM_TRY(vlm_packer_put(p, stored, (size_t)s->stored));
out:
  vlm_free(small);
  return st;
}

vlm_status vlm_packer_put_section(vlm_packer *p, vlm_section_kind kind, const void *data, size_t bytes) {
  vlm_status st = VLM_OK;
  VLM_CHECK(bytes <= VLM_PACK_MAX_SECTION_BYTES, p->err, VLM_LIMIT,
            "section %s (%s): %zu bytes, the limit is %llu", vlm_section_name(kind), vlm_section_what(kind),
            bytes, (unsigned long long)VLM_PACK_MAX_SECTION_BYTES);
  VLM_TRY(bytes <= VLM_PACK_INSIDE_BYTES ? put_inside(p, kind, data, bytes)
                                         : put_outside(p, kind, data, bytes));
out:
  return st;
}

vlm_status vlm_packer_put_encoder(vlm_packer *p, vlm_section_kind kind, vlm_encoder *e) {
  vlm_status st = e->status;
  if (st == VLM_OK) st = vlm_packer_put_section(p, kind, vlm_text_get(&e->bytes), e->bytes.bytes);
  vlm_text_free(&e->bytes);
  return st;
}
