#include "pack/opened.h"
#include "runtime/base/hash.h"

/* The section hashes of the weights: open has checked tensor by tensor. The raw hash covers the unpacked section with its padding. */
static vlm_status verify_weights(const vlm_pack *pack, const vlm_section *s, vlm_error *err) {
  static const unsigned char zeros[VLM_PACK_ALIGN];
  vlm_status st = VLM_OK;
  vlm_xxh64_stream *hash = NULL;
  size_t at = 0;
  VLM_TRY(vlm_pack_check_stored(pack, s, err));
  if (!s->raw_hashed) goto out;
  VLM_TRY(vlm_xxh64_create(&hash, err));
  for (int32_t i = 0; i < pack->tensors.count; i++) {
    vlm_xxh64_add(hash, zeros, pack->tensors.raw_offsets[i] - at);
    vlm_xxh64_add(hash, pack->tensors.items[i].tensor.data, pack->tensors.items[i].bytes);
    at = pack->tensors.raw_offsets[i] + pack->tensors.items[i].bytes;
  }
  const uint64_t got = vlm_xxh64_value(hash);
  VLM_CHECK(got == s->raw_hash, err, VLM_INTEGRITY, "%s: section WGHT: raw hash %016llx, computed %016llx",
            pack->path, (unsigned long long)s->raw_hash, (unsigned long long)got);
out:
  vlm_xxh64_free(hash);
  return st;
}

static vlm_status run_golden(vlm_pack *pack, const vlm_bundle *bundle, const vlm_pack_verify_opts *opts,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < pack->n_golden && opts->check; i++) {
    st = opts->check(opts->user, bundle, &pack->golden[i], err);
    if (st != VLM_OK)
      vlm_error_context(err, "%s: golden case %d (%s)", pack->path, (int)i, pack->golden[i].graph);
    VLM_TRY(st);
  }
out:
  return st;
}

static vlm_status verify_open(vlm_pack *pack, const vlm_pack_verify_opts *opts, vlm_pack_report *found,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  VLM_TRY(vlm_pack_bundle(&bundle, pack, err));
  for (int32_t i = 0; i < pack->layout.count; i++) {
    const vlm_section *s = &pack->layout.sections[i];
    found->graphs += s->kind == VLM_SECTION_GRPH;
    if (s->kind == VLM_SECTION_WGHT) VLM_TRY(verify_weights(pack, s, err));
  }
  VLM_TRY(run_golden(pack, bundle, opts, err));
  found->sections = pack->layout.count;
  found->tensors = pack->tensors.count;
  found->golden = opts->check ? pack->n_golden : 0;
  found->file_bytes = vlm_pack_file_bytes(pack);
  for (int32_t i = 0; i < pack->tensors.count; i++) found->weight_bytes += pack->tensors.items[i].bytes;
out:
  vlm_bundle_free(bundle);
  return st;
}

vlm_status vlm_pack_verify(const char *path, const vlm_pack_verify_opts *opts, vlm_pack_report *report,
                           vlm_error *err) {
  static const vlm_pack_verify_opts defaults = {.check = NULL};
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  vlm_pack_report found = {.golden = 0};
  if (!opts) opts = &defaults;
  VLM_TRY(vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.threads = opts->threads}, err));
  VLM_TRY(verify_open(pack, opts, &found, err));
  if (report) *report = found;
out:
  vlm_pack_close(pack);
  return st;
}

vlm_status vlm_pack_verify_written(const char *path, const char *name, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  vlm_file file = {0};
  vlm_pack_report found = {.golden = 0};
  VLM_TRY(vlm_file_map(&file, path, err));
  VLM_TRY(vlm_pack_open_file(&pack, &file, name, &(vlm_pack_open_opts){.threads = threads}, err));
  VLM_TRY(verify_open(pack, &(vlm_pack_verify_opts){.threads = threads}, &found, err));
out:
  if (st != VLM_OK)
    vlm_error_context(err, "what was written cannot be read back (--no-verify leaves that out)");
  vlm_pack_close(pack);
  return st;
}
