#include "pack/opened.h"
#include "runtime/base/pages.h"
#include "runtime/base/unconst.h"

#include <string.h>

#define DEFAULT_MAX_WEIGHTS ((size_t)64 << 30)

bool vlm_pack_begins(const void *data, size_t bytes) {
  static const unsigned char start[4] = {0x89, 'V', 'L', 'M'};
  return bytes >= sizeof(start) && memcmp(data, start, sizeof(start)) == 0;
}

bool vlm_pack_is_pack(const char *path) {
  vlm_file file = {0};
  if (vlm_file_map(&file, path, NULL) != VLM_OK) return false;
  const bool is = vlm_pack_begins(file.data, file.bytes);
  vlm_file_unmap(&file);
  return is;
}

static vlm_status load_weights(vlm_pack *pack, const vlm_pack_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_section *s = pack->layout.sections;
  while (s->kind != VLM_SECTION_WGHT) s++;
  const size_t limit = opts->max_weight_bytes ? opts->max_weight_bytes : DEFAULT_MAX_WEIGHTS;
  VLM_CHECK(s->raw <= limit, err, VLM_LIMIT, "%s: section WGHT: %llu bytes of weights, the limit is %zu",
            pack->path, (unsigned long long)s->raw, limit);
  const unsigned char *stored = vlm_pack_bytes(pack) + s->offset;
  /* Mapped weights are read-only memory; the cast only serves vlm_tensor.data, which constants never write. */
  unsigned char *raw = vlm_unconst(stored);
  if (s->codec != VLM_SECTION_RAW) {
    void *pages = NULL;
    VLM_TRY(vlm_pages_take(&pages, (size_t)s->raw, err));
    pack->storage->weights = raw = pages;
    pack->storage->weight_bytes = (size_t)s->raw;
  }
  if (opts->lazy && s->codec == VLM_SECTION_FRAMES) {
    if (!opts->trust_weights)
      VLM_TRY(vlm_pack_check_stored(pack, s, err)); /* damage is told now, not in the middle of an answer */
    VLM_TRY(vlm_lazy_weights_create(&pack->storage->lazy, &pack->tensors, &pack->storage->file, stored,
                                    (size_t)s->stored, pack->path, err));
    pack->tensors.lazy = pack->storage->lazy;
  }
  VLM_TRY(vlm_tensor_table_load(&pack->tensors, raw, &pack->storage->file, stored, s, opts->trust_weights,
                                opts->threads, pack->path, err));
  pack->loaded = true;
out:
  return st;
}

static vlm_status list_sections(vlm_pack *pack, const char *const *labels, vlm_error *err) {
  const size_t n = (size_t)pack->layout.count;
  const vlm_status st = vlm_arena_new(pack->arena, &pack->sections, n, err);
  for (size_t i = 0; st == VLM_OK && i < n; i++) {
    const vlm_section *s = &pack->layout.sections[i];
    pack->sections[i] = (vlm_pack_section){.what = vlm_section_what(s->kind),
                                           .label = labels[i],
                                           .codec = vlm_section_codec_name(s->codec),
                                           .offset = s->offset,
                                           .stored_bytes = s->stored,
                                           .raw_bytes = s->raw};
    memcpy(pack->sections[i].name, s->name, sizeof(s->name));
  }
  return st;
}

vlm_status vlm_pack_open(vlm_pack **out, const char *path, const vlm_pack_open_opts *opts, vlm_error *err) {
  vlm_file file;
  *out = NULL;
  const vlm_status st = vlm_file_map(&file, path, err);
  return st == VLM_OK ? vlm_pack_open_file(out, &file, path, opts, err) : st;
}

vlm_status vlm_pack_open_file(vlm_pack **out, vlm_file *file, const char *path,
                              const vlm_pack_open_opts *opts, vlm_error *err) {
  static const vlm_pack_open_opts defaults = {.threads = NULL};
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  const char *labels[VLM_PACK_MAX_SECTIONS];
  if (!opts) opts = &defaults;
  *out = NULL;
  VLM_TRY(vlm_new(&pack, 1, err));
  VLM_TRY(vlm_new(&pack->storage, 1, err));
  atomic_store(&pack->storage->owners, 1);
  VLM_TRY(vlm_arena_create(&pack->arena, err));
  VLM_TRY(vlm_arena_strdup(pack->arena, &pack->path, path, err));
  pack->storage->file = *file;
  *file = (vlm_file){.bytes = 0};
  VLM_TRY(vlm_layout_decode(&pack->layout, vlm_pack_bytes(pack), vlm_pack_file_bytes(pack), path, err));
  for (int32_t i = 0; i < pack->layout.count; i++)
    VLM_TRY(vlm_pack_read_section(pack, &pack->layout.sections[i], &labels[i], err));
  VLM_TRY(list_sections(pack, labels, err));
  if (!opts->no_weights) VLM_TRY(load_weights(pack, opts, err));
  *out = pack;
  pack = NULL;
out:
  vlm_pack_close(pack);
  vlm_file_unmap(file);
  return st;
}

void vlm_pack_close(vlm_pack *pack) {
  if (!pack) return;
  vlm_pack_release_storage(pack->storage);
  vlm_tensor_table_free(&pack->tensors);
  vlm_layout_free(&pack->layout);
  vlm_arena_free(pack->arena);
  vlm_free(pack);
}

const char *vlm_pack_preprocess(const vlm_pack *pack) { return pack->preprocess; }
const char *vlm_pack_quantization(const vlm_pack *pack) { return pack->quantization; }
const char *vlm_pack_provenance(const vlm_pack *pack) { return pack->provenance; }
const char *vlm_pack_text(const vlm_pack *pack, vlm_bundle_text text) {
  return (unsigned)text < VLM_TEXT_COUNT ? pack->texts[text] : NULL;
}

const char *vlm_pack_meta(const vlm_pack *pack, const char *key) {
  for (int32_t i = 0; i < pack->n_meta; i++) {
    if (strcmp(pack->meta[i].key, key) == 0) return pack->meta[i].value;
  }
  return NULL;
}

const vlm_pack_pair *vlm_pack_meta_all(const vlm_pack *pack, int32_t *count) {
  *count = pack->n_meta;
  return pack->meta;
}

const vlm_pack_golden *vlm_pack_golden_all(const vlm_pack *pack, int32_t *count) {
  *count = pack->n_golden;
  return pack->golden;
}

const vlm_pack_section *vlm_pack_sections(const vlm_pack *pack, int32_t *count) {
  *count = pack->layout.count;
  return pack->sections;
}

const vlm_pack_tensor *vlm_pack_tensors(const vlm_pack *pack, int32_t *count) {
  *count = pack->tensors.count;
  return pack->tensors.items;
}
