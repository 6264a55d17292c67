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

vlm_status vlm_packer_begin(vlm_packer *p, vlm_section **out, vlm_section_kind kind, vlm_section_codec codec) {
  vlm_status st = VLM_OK;
  VLM_CHECK(p->layout.count < VLM_PACK_MAX_SECTIONS, p->err, VLM_LIMIT, "more than %d sections", VLM_PACK_MAX_SECTIONS);
  assert(kind < VLM_SECTION_KINDS && codec < VLM_SECTION_CODECS);
  vlm_section *s = &p->layout.sections[p->layout.count++];
  *s = (vlm_section){.kind = kind, .codec = codec, .offset = vlm_section_begin(p->at, kind, codec)};
  memcpy(s->name, vlm_section_name(kind), 4);
  if (codec != VLM_SECTION_RAW) p->layout.features |= VLM_PACK_FEATURE_ZSTD;
  VLM_TRY(vlm_packer_pad_to(p, s->offset));
  *out = s;
out:
  return st;
}

/* A section from memory; compressed when that makes it smaller. */
vlm_status vlm_packer_put_section(vlm_packer *p, vlm_section_kind kind, const void *data, size_t bytes) {
  vlm_status st = VLM_OK;
  unsigned char *small = NULL;
  size_t used = bytes;
  vlm_section *s;
  VLM_CHECK(bytes <= VLM_PACK_MAX_SECTION_BYTES, p->err, VLM_LIMIT, "section %s (%s): %zu bytes, the limit is %llu", vlm_section_name(kind),
            vlm_section_what(kind), bytes, (unsigned long long)VLM_PACK_MAX_SECTION_BYTES);
  if (p->codec == VLM_PACK_ZSTD) {
    const size_t room = vlm_codec_bound(bytes);
    VLM_TRY(vlm_new(&small, room, p->err));
    VLM_TRY(vlm_codec_compress(small, room, &used, data, bytes, p->level, p->err));
  }
  const bool packed = used < bytes && vlm_section_unpacks(kind, used, bytes);
  const void *stored = packed ? small : data;
  const size_t stored_bytes = packed ? used : bytes;
  VLM_TRY(vlm_packer_begin(p, &s, kind, packed ? VLM_SECTION_ZSTD : VLM_SECTION_RAW));
  s->stored = stored_bytes;
  s->raw = bytes;
  s->raw_hash = vlm_xxh64(data, bytes);
  s->stored_hash = packed ? vlm_xxh64(stored, stored_bytes) : s->raw_hash;
  VLM_TRY(vlm_packer_put(p, stored, stored_bytes));
out:
  vlm_free(small);
  return st;
}

vlm_status vlm_packer_put_encoder(vlm_packer *p, vlm_section_kind kind, vlm_encoder *e) {
  vlm_status st = e->status;
  if (st == VLM_OK) st = vlm_packer_put_section(p, kind, vlm_text_get(&e->bytes), e->bytes.bytes);
  vlm_text_free(&e->bytes);
  return st;
}
