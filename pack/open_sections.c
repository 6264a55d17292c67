#include <string.h>

#include "pack/opened.h"

static vlm_status copy_text(vlm_pack *pack, const char **out, vlm_byte_reader *d) {
  vlm_status st = VLM_OK;
  char *copy = NULL;
  const size_t bytes = d->bytes - d->at;
  const unsigned char *data = vlm_get_bytes(d, bytes);
  VLM_TRY(d->status);
  if (bytes && memchr(data, 0, bytes)) vlm_get_fail(d, "the text contains a zero byte");
  VLM_TRY(d->status);
  VLM_TRY(vlm_arena_new(pack->arena, &copy, bytes + 1, d->err));
  if (bytes) memcpy(copy, data, bytes);
  *out = copy;
out:
  return st;
}

static vlm_status read_meta(vlm_pack *pack, vlm_byte_reader *d) {
  vlm_status st = VLM_OK;
  pack->n_meta = vlm_get_count(d, 2, VLM_PACK_MAX_ITEMS, "pairs");
  VLM_TRY(vlm_arena_new(pack->arena, &pack->meta, pack->n_meta, d->err));
  for (int32_t i = 0; i < pack->n_meta && d->status == VLM_OK; i++) {
    pack->meta[i].key = vlm_get_text(d, pack->arena);
    pack->meta[i].value = vlm_get_text(d, pack->arena);
    if (i > 0 && d->status == VLM_OK && strcmp(pack->meta[i - 1].key, pack->meta[i].key) >= 0)
      vlm_get_fail(d, "keys do not ascend");
  }
  VLM_TRY(vlm_get_end(d));
out:
  return st;
}

static vlm_status read_text(vlm_pack *pack, vlm_byte_reader *d, const char **label) {
  vlm_status st = VLM_OK;
  const char *name = vlm_get_text(d, pack->arena), *text;
  VLM_TRY(copy_text(pack, &text, d));
  int t = 0;
  while (t < VLM_TEXT_COUNT && strcmp(vlm_text_file((vlm_bundle_text)t), name) != 0) t++;
  if (t < VLM_TEXT_COUNT && pack->texts[t]) vlm_get_fail(d, "%s comes twice", name);
  if (t < VLM_TEXT_COUNT) pack->texts[t] = text;
  *label = name;
  st = d->status;
out:
  return st;
}

static vlm_status read_golden_case(vlm_pack *pack, vlm_byte_reader *d, vlm_pack_golden *g) {
  vlm_status st = VLM_OK;
  const char **names = NULL;
  vlm_tensor *tensors = NULL;
  g->graph = vlm_get_text(d, pack->arena);
  g->n_inputs = vlm_get_count(d, 3, 1 << 16, "golden inputs");
  g->n_outputs = vlm_get_count(d, 3, 1 << 16, "golden outputs");
  VLM_TRY(d->status);
  const size_t n = (size_t)g->n_inputs + (size_t)g->n_outputs;
  VLM_TRY(vlm_arena_new(pack->arena, &names, n, d->err));
  VLM_TRY(vlm_arena_new(pack->arena, &tensors, n, d->err));
  for (size_t k = 0; k < n && d->status == VLM_OK; k++) {
    size_t bytes = 0;
    names[k] = vlm_get_text(d, pack->arena);
    tensors[k] = vlm_get_shape(d, &bytes);
    const unsigned char *data = vlm_get_bytes(d, bytes);
    VLM_TRY(d->status);
    VLM_TRY(vlm_arena_alloc(pack->arena, &tensors[k].data, bytes, 1, d->err));
    if (bytes) memcpy(tensors[k].data, data, bytes);
  }
  g->names = names;
  g->tensors = tensors;
  st = d->status;
out:
  return st;
}

static vlm_status read_golden(vlm_pack *pack, vlm_byte_reader *d) {
  vlm_status st = VLM_OK;
  pack->n_golden = vlm_get_count(d, 3, 1 << 16, "golden cases");
  VLM_TRY(vlm_arena_new(pack->arena, &pack->golden, pack->n_golden, d->err));
  for (int32_t i = 0; i < pack->n_golden && d->status == VLM_OK; i++)
    VLM_TRY(read_golden_case(pack, d, &pack->golden[i]));
  VLM_TRY(vlm_get_end(d));
out:
  return st;
}

static vlm_status read_tensors(vlm_pack *pack, vlm_byte_reader *d) {
  const vlm_section *weights = pack->layout.sections;
  while (weights->kind != VLM_SECTION_WGHT) weights++;
  return vlm_tensor_table_decode(&pack->tensors, d, weights,
                                 pack->layout.features & VLM_PACK_FEATURE_COMPACT);
}

static vlm_status read_roles(vlm_pack *pack, vlm_byte_reader *d, const char **label) {
  const char *roles[VLM_PACK_MAX_ROLES];
  int32_t n;
  const vlm_status st = vlm_graph_decode_roles(d, pack->arena, roles, &n);
  if (st == VLM_OK) *label = roles[0];
  return st;
}

vlm_status vlm_pack_read_section(vlm_pack *pack, const vlm_section *s, const char **label, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned char *data;
  unsigned char *own = NULL;
  *label = "";
  if (s->kind == VLM_SECTION_WGHT) return VLM_OK;
  if (s->kind == VLM_SECTION_KINDS) return vlm_pack_check_stored(pack, s, err);
  VLM_TRY(vlm_pack_unpack(pack, s, &data, &own, err));
  vlm_byte_reader d = {
      .data = data, .bytes = (size_t)s->raw, .file = pack->path, .section = s->name, .err = err};
  switch (s->kind) {
    case VLM_SECTION_META: st = read_meta(pack, &d); break;
    case VLM_SECTION_PREP: st = copy_text(pack, &pack->preprocess, &d); break;
    case VLM_SECTION_TOKN: st = copy_text(pack, &pack->texts[VLM_TEXT_TOKENIZER], &d); break;
    case VLM_SECTION_TEXT: st = read_text(pack, &d, label); break;
    case VLM_SECTION_GRPH: st = read_roles(pack, &d, label); break;
    case VLM_SECTION_TENS: st = read_tensors(pack, &d); break;
    case VLM_SECTION_QPAR: st = copy_text(pack, &pack->quantization, &d); break;
    case VLM_SECTION_CALB: st = copy_text(pack, &pack->provenance, &d); break;
    case VLM_SECTION_GOLD: st = read_golden(pack, &d); break;
    default: break;
  }
out:
  vlm_free(own);
  return st;
}
