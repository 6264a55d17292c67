#include "pack/opened.h"

#include <assert.h>

#include "pack/codec.h"
#include "runtime/base/pages.h"
#include "runtime/base/hash.h"

enum { HASHED_BYTES = 4 << 20 }; /* at a time */

void vlm_pack_release_storage(void *thing) {
  vlm_pack_storage *s = thing;
  if (!s) return;
  const int owners = atomic_fetch_sub(&s->owners, 1);
  assert(owners > 0);
  if (owners != 1) return;
  vlm_lazy_weights_free(s->lazy);
  vlm_file_unmap(&s->file);
  vlm_pages_free(s->weights, s->weight_bytes);
  vlm_free(s);
}

const unsigned char *vlm_pack_bytes(const vlm_pack *pack) { return pack->storage->file.data; }

size_t vlm_pack_file_bytes(const vlm_pack *pack) { return pack->storage->file.bytes; }

static vlm_status check_hash(const vlm_pack *pack, const vlm_section *s, const char *which, uint64_t got,
                             uint64_t wanted, vlm_error *err) {
  if (got == wanted) return VLM_OK;
  return vlm_fail(err, VLM_INTEGRITY, "%s: section %s at %llu: %s hash %016llx, computed %016llx", pack->path,
                  s->name, (unsigned long long)s->offset, which, (unsigned long long)wanted,
                  (unsigned long long)got);
}

vlm_status vlm_pack_check_stored(const vlm_pack *pack, const vlm_section *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_xxh64_stream *hash = NULL;
  const unsigned char *stored = vlm_pack_bytes(pack) + s->offset;
  if (s->codec == VLM_SECTION_INSIDE) return VLM_OK; /* the hash of the index holds it */
  VLM_TRY(vlm_xxh64_create(&hash, err));
  for (uint64_t at = 0; at < s->stored; at += HASHED_BYTES) {
    const size_t n = s->stored - at < HASHED_BYTES ? (size_t)(s->stored - at) : HASHED_BYTES;
    vlm_xxh64_add(hash, stored + at, n);
    vlm_file_drop(&pack->storage->file, stored + at, n);
  }
  VLM_TRY(check_hash(pack, s, "stored", vlm_xxh64_value(hash), s->stored_hash, err));
out:
  vlm_xxh64_free(hash);
  return st;
}

vlm_status vlm_pack_unpack(vlm_pack *pack, const vlm_section *s, const unsigned char **data,
                           unsigned char **own, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned char *stored = vlm_pack_bytes(pack) + s->offset;
  *own = NULL;
  *data = s->codec == VLM_SECTION_INSIDE ? s->data : stored;
  VLM_TRY(vlm_pack_check_stored(pack, s, err));
  if (s->codec != VLM_SECTION_ZSTD) goto out;
  VLM_TRY(vlm_new(own, (size_t)s->raw + 1, err));
  st = vlm_codec_decompress(*own, (size_t)s->raw, stored, (size_t)s->stored, err);
  if (st != VLM_OK) vlm_error_context(err, "%s: section %s", pack->path, s->name);
  VLM_TRY(st);
  *data = *own;
  if (s->raw_hashed) VLM_TRY(check_hash(pack, s, "raw", vlm_xxh64(*own, (size_t)s->raw), s->raw_hash, err));
out:
  if (st != VLM_OK) {
    vlm_free(*own);
    *own = NULL;
  }
  return st;
}
