/* Reading zip archives of .npy files. Layout: PKWARE APPNOTE 6.3, the end record, the central directory, then local headers. zlib
 * inflates. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "calib/npy.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"

enum {
  END_BYTES = 22,
  CENTRAL_BYTES = 46,
  LOCAL_BYTES = 30,
  LOCATOR_BYTES = 20,
  END64_BYTES = 56,
  METHOD_STORED = 0,
  METHOD_DEFLATED = 8
};
enum { MAX_ENTRIES = 16384 };
enum {
  FREE_BYTES = 64 << 20,
  MOST_TIMES = 64
}; /* arrays above FREE_BYTES unpack to at most MOST_TIMES their size */

typedef struct archive_entry {
  char *name;
  uint64_t stored, raw, local_at;
  uint32_t crc;
  unsigned method, flags;
  bool array; /* NAME.npy, and no hidden copy of one */
} archive_entry;

struct vlm_npz {
  vlm_file file;
  char *path;
  archive_entry *entries;
  size_t count;
};

static uint64_t le(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
  return v;
}

/* Position of the end record: the last signature whose comment ends with the file. */
static bool find_end(const vlm_file *f, size_t *at) {
  for (size_t back = END_BYTES; back <= f->bytes && back <= END_BYTES + 65535; back++) {
    const unsigned char *p = f->data + f->bytes - back;
    if (le(p, 4) == 0x06054b50 && le(p + 20, 2) == back - END_BYTES) {
      *at = f->bytes - back;
      return true;
    }
  }
  return false;
}

/* Where the central directory is and how many entries it has, from the end record or its zip64 form. */
static vlm_status find_directory(const vlm_npz *z, uint64_t *at, uint64_t *bytes, uint64_t *count,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_file *f = &z->file;
  size_t end = 0;
  VLM_CHECK(find_end(f, &end), err, VLM_INPUT, "%s: is not a complete .npz (zip) file", z->path);
  const unsigned char *p = f->data + end;
  *count = le(p + 10, 2);
  *bytes = le(p + 12, 4);
  *at = le(p + 16, 4);
  if (*count == 0xffff || *bytes == 0xffffffff || *at == 0xffffffff) {
    VLM_CHECK(end >= LOCATOR_BYTES && le(p - LOCATOR_BYTES, 4) == 0x07064b50, err, VLM_INPUT,
              "%s: the zip64 locator is missing", z->path);
    uint64_t end64 = le(p - LOCATOR_BYTES + 8, 8);
    VLM_CHECK(
        f->bytes >= END64_BYTES && end64 <= f->bytes - END64_BYTES && le(f->data + end64, 4) == 0x06064b50,
        err, VLM_INPUT, "%s: the zip64 end record is damaged", z->path);
    *count = le(f->data + end64 + 32, 8);
    *bytes = le(f->data + end64 + 40, 8);
    *at = le(f->data + end64 + 48, 8);
  }
  VLM_CHECK(*at <= f->bytes && *bytes <= f->bytes - *at && *count <= *bytes / CENTRAL_BYTES, err, VLM_INPUT,
            "%s: the zip directory lies outside of the file", z->path);
out:
  return st;
}

/* 64-bit values of the extra field replace those that are all ones, in this order. */
static vlm_status read_extra(archive_entry *e, const unsigned char *p, size_t bytes, const char *path,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  uint64_t *const values[] = {&e->raw, &e->stored, &e->local_at};
  while (bytes >= 4) {
    size_t id = le(p, 2), size = le(p + 2, 2), at = 4;
    VLM_CHECK(size <= bytes - 4, err, VLM_INPUT, "%s: entry \"%s\": the extra field is damaged", path,
              e->name);
    for (int i = 0; i < 3 && id == 1; i++) {
      if (*values[i] != 0xffffffff) continue;
      VLM_CHECK(at + 8 <= size + 4, err, VLM_INPUT, "%s: entry \"%s\": the zip64 field is too short", path,
                e->name);
      *values[i] = le(p + at, 8);
      at += 8;
    }
    p += size + 4;
    bytes -= size + 4;
  }
out:
  return st;
}

static vlm_status copy_name(char **out, bool *array, const unsigned char *text, size_t bytes,
                            const char *path, vlm_error *err) {
  static const char APPLE[] = "__MACOSX/";
  vlm_status st = VLM_OK;
  VLM_CHECK(memchr(text, 0, bytes) == NULL && bytes > 0, err, VLM_INPUT, "%s: an entry has no valid name",
            path);
  *array = bytes > 4 && memcmp(text + bytes - 4, ".npy", 4) == 0 && text[0] != '.' &&
           !(bytes >= sizeof APPLE - 1 && memcmp(text, APPLE, sizeof APPLE - 1) == 0);
  if (*array) bytes -= 4;
  VLM_TRY(vlm_new(out, bytes + 1, err));
  memcpy(*out, text, bytes);
out:
  return st;
}

/* One record of the central directory; *used gets its length. */
static vlm_status read_record(vlm_npz *z, const unsigned char *p, size_t bytes, size_t *used,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  archive_entry *e = &z->entries[z->count];
  VLM_CHECK(bytes >= CENTRAL_BYTES && le(p, 4) == 0x02014b50, err, VLM_INPUT,
            "%s: the zip directory is damaged", z->path);
  size_t name = le(p + 28, 2), extra = le(p + 30, 2), comment = le(p + 32, 2);
  *used = CENTRAL_BYTES + name + extra + comment;
  VLM_CHECK(*used <= bytes, err, VLM_INPUT, "%s: the zip directory is damaged", z->path);
  VLM_TRY(copy_name(&e->name, &e->array, p + CENTRAL_BYTES, name, z->path, err));
  z->count++;
  e->flags = (unsigned)le(p + 8, 2);
  e->method = (unsigned)le(p + 10, 2);
  e->crc = (uint32_t)le(p + 16, 4);
  e->stored = le(p + 20, 4);
  e->raw = le(p + 24, 4);
  e->local_at = le(p + 42, 4);
  VLM_TRY(read_extra(e, p + CENTRAL_BYTES + name, extra, z->path, err));
  for (size_t i = 0; i + 1 < z->count; i++)
    VLM_CHECK(strcmp(z->entries[i].name, e->name) != 0, err, VLM_INPUT, "%s: two entries are named \"%s\"",
              z->path, e->name);
out:
  return st;
}

vlm_status vlm_npz_open(vlm_npz **out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_npz *z = NULL;
  uint64_t at = 0, bytes = 0, count = 0;
  *out = NULL;
  VLM_TRY(vlm_new(&z, 1, err));
  VLM_TRY(vlm_strdup(&z->path, path, err));
  VLM_TRY(vlm_file_map(&z->file, path, err));
  VLM_TRY(find_directory(z, &at, &bytes, &count, err));
  VLM_CHECK(count <= MAX_ENTRIES, err, VLM_LIMIT, "%s: %llu arrays, at most %d are read", path,
            (unsigned long long)count, MAX_ENTRIES);
  VLM_TRY(vlm_new(&z->entries, count, err));
  const unsigned char *p = z->file.data + at;
  for (uint64_t i = 0; i < count; i++) {
    size_t used = 0;
    VLM_TRY(read_record(z, p, bytes, &used, err));
    p += used;
    bytes -= used;
  }
  *out = z;
out:
  if (st != VLM_OK) vlm_npz_free(z);
  return st;
}

void vlm_npz_free(vlm_npz *z) {
  if (!z) return;
  for (size_t i = 0; i < z->count; i++) vlm_free(z->entries[i].name);
  vlm_free(z->entries);
  vlm_file_unmap(&z->file);
  vlm_free(z->path);
  vlm_free(z);
}

size_t vlm_npz_count(const vlm_npz *z) { return z->count; }
const char *vlm_npz_name(const vlm_npz *z, size_t index) { return z->entries[index].name; }
bool vlm_npz_is_array(const vlm_npz *z, size_t index) { return z->entries[index].array; }

/* The entry's stored bytes, behind the local header. */
static vlm_status find_bytes(const unsigned char **out, const vlm_npz *z, const archive_entry *e,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_file *f = &z->file;
  VLM_CHECK(e->local_at <= f->bytes && f->bytes - e->local_at >= LOCAL_BYTES &&
                le(f->data + e->local_at, 4) == 0x04034b50,
            err, VLM_INPUT, "%s: entry \"%s\": no local header at byte %llu", z->path, e->name,
            (unsigned long long)e->local_at);
  const unsigned char *p = f->data + e->local_at;
  uint64_t start = e->local_at + LOCAL_BYTES + le(p + 26, 2) + le(p + 28, 2);
  VLM_CHECK(start <= f->bytes && e->stored <= f->bytes - start, err, VLM_INPUT,
            "%s: entry \"%s\": ends behind the file", z->path, e->name);
  *out = f->data + start;
out:
  return st;
}

static vlm_status inflate_entry(void *to, const unsigned char *from, const vlm_npz *z, const archive_entry *e,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  z_stream s = {0};
  uint64_t in_left = e->stored, out_left = e->raw;
  int code = inflateInit2(&s, -MAX_WBITS);
  VLM_CHECK(code == Z_OK, err, VLM_MEMORY, "%s: entry \"%s\": the decompressor does not start", z->path,
            e->name);
  s.next_in = vlm_unconst(from);
  s.next_out = to;
  const uInt most = 1u << 30;
  while (code == Z_OK) {
    if (s.avail_in == 0) in_left -= s.avail_in = (uInt)(in_left < most ? in_left : most);
    if (s.avail_out == 0) out_left -= s.avail_out = (uInt)(out_left < most ? out_left : most);
    code = inflate(&s, Z_NO_FLUSH);
  }
  bool whole = code == Z_STREAM_END && out_left == 0 && s.avail_out == 0;
  inflateEnd(&s);
  VLM_CHECK(whole, err, VLM_INPUT, "%s: entry \"%s\": the compressed data is damaged", z->path, e->name);
out:
  return st;
}

static uint32_t crc_of(const unsigned char *p, size_t bytes) {
  uLong crc = crc32(0, NULL, 0);
  for (; bytes > 0;) {
    uInt part = bytes < (1u << 30) ? (uInt)bytes : 1u << 30;
    crc = crc32(crc, p, part);
    p += part;
    bytes -= part;
  }
  return (uint32_t)crc;
}

vlm_status vlm_npz_read(vlm_tensor *out, const vlm_npz *z, size_t index, vlm_error *err) {
  vlm_status st = VLM_OK;
  const archive_entry *e = &z->entries[index];
  const unsigned char *from = NULL;
  void *raw = NULL;
  char name[512];
  *out = (vlm_tensor){0};
  snprintf(name, sizeof name, "%s: array \"%s\"", z->path, e->name);
  VLM_CHECK(!(e->flags & 1), err, VLM_UNSUPPORTED, "%s: is encrypted", name);
  VLM_CHECK(e->method == METHOD_STORED || e->method == METHOD_DEFLATED, err, VLM_UNSUPPORTED,
            "%s: zip method %u, stored (0) and deflated (8) are supported", name, e->method);
  VLM_TRY(find_bytes(&from, z, e, err));
  if (e->method == METHOD_STORED) {
    VLM_CHECK(e->raw == e->stored, err, VLM_INPUT, "%s: two different sizes are stated", name);
  } else {
    /* Deflate never exceeds 1032:1, so a false size cannot make us allocate much more than the file has. */
    VLM_CHECK(e->raw / 1040 <= e->stored, err, VLM_INPUT, "%s: %llu bytes cannot come out of %llu", name,
              (unsigned long long)e->raw, (unsigned long long)e->stored);
    VLM_CHECK(e->raw <= FREE_BYTES || e->raw / MOST_TIMES <= e->stored, err, VLM_LIMIT,
              "%s: %llu bytes unpack to %llu, more than %d times as many; save it without compression", name,
              (unsigned long long)e->stored, (unsigned long long)e->raw, MOST_TIMES);
    VLM_TRY(vlm_alloc(&raw, e->raw, 1, err));
    VLM_TRY(inflate_entry(raw, from, z, e, err));
    from = raw;
  }
  VLM_CHECK(crc_of(from, e->raw) == e->crc, err, VLM_INPUT, "%s: checksum mismatch, the file is damaged",
            name);
  VLM_TRY(vlm_npy_decode(out, from, e->raw, name, err));
out:
  vlm_free(raw);
  return st;
}
