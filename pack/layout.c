#include "pack/layout_private.h"

#include <assert.h>
#include <string.h>

#include "pack/codec.h"
#include "runtime/base/foreign.h"
#include "runtime/base/hash.h"

static const unsigned char magic[8] = {0x89, 'V', 'L', 'M', '\r', '\n', 0x1A, '\n'};

static const struct section_row {
  const char *name, *what;
  int32_t least, most;
} rows[] = {
#define X(name, least, most, what) {#name, what, least, most},
#include "pack/sections.def"
#undef X
};

const char *vlm_section_name(vlm_section_kind kind) {
  return kind < VLM_SECTION_KINDS ? rows[kind].name : "?";
}
const char *vlm_section_what(vlm_section_kind kind) {
  return kind < VLM_SECTION_KINDS ? rows[kind].what : "unknown";
}

const char *vlm_section_codec_name(vlm_section_codec codec) {
  static const char *const names[] = {"raw", "zstd", "frames", "index"};
  return codec < VLM_SECTION_CODECS ? names[codec] : "?";
}

bool vlm_section_unpacks(vlm_section_kind kind, uint64_t stored, uint64_t raw) {
  /* Early writers left weights of one value smaller. */
  const uint64_t free_bytes = (uint64_t)(kind == VLM_SECTION_WGHT ? 256 : 1) << 20;
  return raw <= free_bytes || raw / VLM_CODEC_MAX_RATIO <= stored;
}

uint64_t vlm_section_begin(uint64_t end, const vlm_section *s) {
  if (s->kind != VLM_SECTION_WGHT || s->codec != VLM_SECTION_RAW) return end;
  const uint64_t align = s->stored >= VLM_PACK_MAPPED_BYTES ? VLM_PACK_MAP_ALIGN : VLM_PACK_ALIGN;
  return (end + align - 1) / align * align;
}

void vlm_layout_free(vlm_layout *layout) {
  vlm_free(layout->index);
  *layout = (vlm_layout){.count = 0};
}

/* ---- the header ---- */

void vlm_layout_encode_header(vlm_encoder *e, const vlm_layout *layout, const void *index,
                              size_t index_bytes) {
  assert(layout->count >= 1 && layout->count <= VLM_PACK_MAX_SECTIONS);
  vlm_put_bytes(e, magic, sizeof(magic));
  vlm_put_u32(e, VLM_PACK_MAJOR | VLM_PACK_MINOR << 16);
  vlm_put_u32(e, VLM_PACK_HEADER_BYTES);
  vlm_put_u64(e, layout->file_bytes);
  vlm_put_u64(e, layout->features | VLM_PACK_FEATURE_COMPACT);
  vlm_put_u64(e, 0);
  vlm_put_u64(e, layout->index_offset);
  vlm_put_u32(e, (uint32_t)index_bytes);
  vlm_put_u32(e, (uint32_t)layout->count);
  vlm_put_u64(e, vlm_xxh64(index, index_bytes));
  if (e->status == VLM_OK) vlm_put_u64(e, vlm_xxh64(e->bytes.data, e->bytes.bytes));
}

static vlm_status check_magic(const vlm_layout_reader *r) {
  size_t same = 0;
  for (size_t i = 0; i < sizeof(magic) && i < r->bytes; i++) same += r->data[i] == magic[i];
  if (same == sizeof(magic) && r->bytes >= VLM_PACK_HEADER_BYTES) return VLM_OK;
  if (same == sizeof(magic) || (r->bytes > 0 && same == r->bytes))
    return vlm_fail(r->err, VLM_INTEGRITY, "%s: %zu bytes, the header alone has %d: the file is truncated",
                    r->file, r->bytes, VLM_PACK_HEADER_BYTES);
  if (same >= 5)
    return vlm_fail(r->err, VLM_INTEGRITY, "%s: the first 8 bytes are damaged, as a text-mode transfer does",
                    r->file);
  const vlm_foreign *f = vlm_foreign_find(r->data, r->bytes);
  if (f)
    return vlm_fail(r->err, VLM_INPUT, "%s: is not a packed model (.vlmq) but %s: %s", r->file, f->name,
                    f->advice);
  return vlm_fail(r->err, VLM_INPUT, "%s: is not a packed model (.vlmq)", r->file);
}

static bool is_compact(const vlm_layout *layout) { return layout->features & VLM_PACK_FEATURE_COMPACT; }

static vlm_status read_header(vlm_layout_reader *r) {
  vlm_status st = VLM_OK;
  vlm_byte_reader d = {.data = r->data,
                       .bytes = VLM_PACK_HEADER_BYTES,
                       .at = 8,
                       .file = r->file,
                       .section = "header",
                       .err = r->err};
  const uint32_t version = vlm_get_u32(&d), header_bytes = vlm_get_u32(&d);
  r->out->file_bytes = vlm_get_u64(&d);
  r->out->features = vlm_get_u64(&d);
  vlm_get_u64(&d); /* compatible features */
  r->out->index_offset = vlm_get_u64(&d);
  r->out->index_bytes = vlm_get_u32(&d);
  const uint32_t count = vlm_get_u32(&d);
  r->out->index_hash = vlm_get_u64(&d);
  const uint64_t hash = vlm_get_u64(&d), wanted = vlm_xxh64(r->data, VLM_PACK_HEADER_BYTES - 8);
  VLM_CHECK(hash == wanted, r->err, VLM_INTEGRITY, "%s: header: stored hash %016llx, computed %016llx",
            r->file, (unsigned long long)hash, (unsigned long long)wanted);
  VLM_CHECK((version & 0xFFFF) == VLM_PACK_MAJOR, r->err, VLM_UNSUPPORTED,
            "%s: format version %u.%u; this program reads version %d", r->file, (unsigned)(version & 0xFFFF),
            (unsigned)(version >> 16), VLM_PACK_MAJOR);
  VLM_CHECK(!(r->out->features & ~VLM_PACK_FEATURES), r->err, VLM_UNSUPPORTED,
            "%s: needs features %#llx that this program does not know", r->file,
            (unsigned long long)(r->out->features & ~VLM_PACK_FEATURES));
  VLM_CHECK(r->out->file_bytes == r->bytes, r->err, VLM_INTEGRITY,
            "%s: header: the file should have %llu bytes, it has %zu", r->file,
            (unsigned long long)r->out->file_bytes, r->bytes);
  VLM_CHECK(header_bytes >= VLM_PACK_HEADER_BYTES && header_bytes <= r->bytes, r->err, VLM_INTEGRITY,
            "%s: header: size %u, wanted %d to %zu", r->file, (unsigned)header_bytes, VLM_PACK_HEADER_BYTES,
            r->bytes);
  VLM_CHECK(count >= 1 && count <= VLM_PACK_MAX_SECTIONS, r->err, VLM_INTEGRITY,
            "%s: header: %u sections, wanted 1 to %d", r->file, (unsigned)count, VLM_PACK_MAX_SECTIONS);
  VLM_CHECK(r->out->index_offset >= header_bytes && r->out->index_offset <= r->bytes &&
                r->bytes - r->out->index_offset == r->out->index_bytes &&
                (is_compact(r->out) || r->out->index_bytes == (uint64_t)count * VLM_PACK_RECORD_BYTES),
            r->err, VLM_INTEGRITY,
            "%s: header: an index of %llu bytes for %u sections at %llu does not end a file of %zu bytes",
            r->file, (unsigned long long)r->out->index_bytes, (unsigned)count,
            (unsigned long long)r->out->index_offset, r->bytes);
  r->out->count = (int32_t)count;
  r->out->header_bytes = header_bytes;
out:
  return st;
}

static vlm_section_kind find_kind(const char *name) {
  int kind = 0;
  while (kind < VLM_SECTION_KINDS && strcmp(rows[kind].name, name) != 0) kind++;
  return (vlm_section_kind)kind;
}

vlm_status vlm_layout_set_name(const vlm_layout_reader *r, vlm_section *s, const unsigned char name[4]) {
  vlm_status st = VLM_OK;
  for (int i = 0; i < 4; i++) {
    VLM_CHECK(name[i] >= 'A' && name[i] <= 'Z', r->err, VLM_INTEGRITY,
              "%s: index: section name %02x %02x %02x %02x, wanted four capitals", r->file, name[0], name[1],
              name[2], name[3]);
  }
  memcpy(s->name, name, 4);
  s->kind = find_kind(s->name);
  VLM_CHECK(s->kind < VLM_SECTION_KINDS || (s->flags & VLM_SECTION_OPTIONAL), r->err, VLM_UNSUPPORTED,
            "%s: section %s is unknown to this program and not optional", r->file, s->name);
out:
  return st;
}

vlm_status vlm_layout_check_gap(const vlm_layout_reader *r, uint64_t from, uint64_t to, const char *name) {
  for (uint64_t i = from; i < to; i++) {
    if (r->data[i])
      return vlm_fail(r->err, VLM_INTEGRITY, "%s: byte %llu in front of %s is %u, wanted 0", r->file,
                      (unsigned long long)i, name, r->data[i]);
  }
  return VLM_OK;
}

vlm_status vlm_layout_check_section(const vlm_layout_reader *r, const vlm_section *s, uint64_t begin,
                                    uint64_t *end) {
  vlm_status st = VLM_OK;
  const bool weights = s->kind == VLM_SECTION_WGHT;
  VLM_CHECK(!(s->flags & ~(uint32_t)VLM_SECTION_OPTIONAL), r->err, VLM_INTEGRITY,
            "%s: section %s: flags %#x, wanted 0 or 1", r->file, s->name, (unsigned)s->flags);
  VLM_CHECK(
      weights ? s->codec == VLM_SECTION_RAW || s->codec == VLM_SECTION_FRAMES : s->codec < VLM_SECTION_FRAMES,
      r->err, VLM_INTEGRITY, "%s: section %s: codec %u does not go with it", r->file, s->name,
      (unsigned)s->codec);
  VLM_CHECK(begin <= r->out->index_offset && s->stored <= r->out->index_offset - begin, r->err, VLM_INTEGRITY,
            "%s: section %s: %llu bytes at %llu run into the index at %llu", r->file, s->name,
            (unsigned long long)s->stored, (unsigned long long)begin,
            (unsigned long long)r->out->index_offset);
  VLM_CHECK(weights || s->raw <= VLM_PACK_MAX_SECTION_BYTES, r->err, VLM_INTEGRITY,
            "%s: section %s: %llu bytes unpacked, the limit is %llu", r->file, s->name,
            (unsigned long long)s->raw, (unsigned long long)VLM_PACK_MAX_SECTION_BYTES);
  VLM_CHECK(vlm_section_unpacks(s->kind, s->stored, s->raw), r->err, VLM_INTEGRITY,
            "%s: section %s: %llu stored bytes would unpack to %llu, more than %d times as much", r->file,
            s->name, (unsigned long long)s->stored, (unsigned long long)s->raw, VLM_CODEC_MAX_RATIO);
  VLM_CHECK(s->codec != VLM_SECTION_RAW || s->stored == s->raw, r->err, VLM_INTEGRITY,
            "%s: section %s: raw, but stored as %llu bytes of %llu", r->file, s->name,
            (unsigned long long)s->stored, (unsigned long long)s->raw);
  VLM_CHECK(s->codec == VLM_SECTION_RAW || (r->out->features & VLM_PACK_FEATURE_ZSTD), r->err, VLM_INTEGRITY,
            "%s: section %s is compressed, but the header does not say so", r->file, s->name);
  VLM_TRY(vlm_layout_check_gap(r, *end, begin, s->name));
  *end = begin + s->stored;
out:
  return st;
}

static vlm_status check_counts(const vlm_layout_reader *r) {
  vlm_status st = VLM_OK;
  int32_t counts[VLM_SECTION_KINDS + 1] = {0};
  for (int32_t i = 0; i < r->out->count; i++) counts[r->out->sections[i].kind]++;
  for (int k = 0; k < VLM_SECTION_KINDS; k++) {
    VLM_CHECK(counts[k] >= rows[k].least && counts[k] <= rows[k].most, r->err, VLM_INTEGRITY,
              "%s: %d sections %s (%s), wanted %d to %d", r->file, (int)counts[k], rows[k].name, rows[k].what,
              (int)rows[k].least, (int)rows[k].most);
  }
out:
  return st;
}

vlm_status vlm_layout_decode(vlm_layout *out, const unsigned char *data, size_t bytes, const char *file,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_layout){.count = 0};
  vlm_layout_reader r = {.out = out, .data = data, .bytes = bytes, .file = file, .err = err};
  VLM_TRY(check_magic(&r));
  VLM_TRY(read_header(&r));
  const uint64_t hash = vlm_xxh64(data + out->index_offset, out->index_bytes);
  VLM_CHECK(hash == out->index_hash, err, VLM_INTEGRITY, "%s: index: stored hash %016llx, computed %016llx",
            file, (unsigned long long)out->index_hash, (unsigned long long)hash);
  VLM_TRY(is_compact(out) ? vlm_layout_read_compact(&r) : vlm_layout_read_wide(&r));
  VLM_TRY(check_counts(&r));
out:
  return st;
}
