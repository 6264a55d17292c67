#include "pack/opened.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pack/codec.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"

#define DEFAULT_MAX_WEIGHTS ((size_t)64 << 30)

/* Mapping and weights, shared by the pack and the graphs made from it. */
struct vlm_pack_storage {
  atomic_int owners;
  vlm_file file;
  unsigned char *weights; /* unpacked; NULL when they are mapped */
};

static void release_storage(void *thing) {
  vlm_pack_storage *s = thing;
  if (!s || atomic_fetch_sub(&s->owners, 1) != 1) return;
  vlm_file_unmap(&s->file);
  vlm_free(s->weights);
  vlm_free(s);
}

const unsigned char *vlm_pack_bytes(const vlm_pack *pack) { return pack->storage->file.data; }
size_t vlm_pack_file_bytes(const vlm_pack *pack) { return pack->storage->file.bytes; }

bool vlm_pack_is_pack(const char *path) {
  static const unsigned char start[4] = {0x89, 'V', 'L', 'M'};
  vlm_file file = {0};
  if (vlm_file_map(&file, path, NULL) != VLM_OK) return false;
  const bool is = file.bytes >= sizeof(start) && memcmp(file.data, start, sizeof(start)) == 0;
  vlm_file_unmap(&file);
  return is;
}

static vlm_status check_hash(const vlm_pack *pack, const vlm_section *s, const char *which, uint64_t got, uint64_t wanted, vlm_error *err) {
  if (got == wanted) return VLM_OK;
  return vlm_fail(err, VLM_INTEGRITY, "%s: section %s at %llu: %s hash %016llx, computed %016llx", pack->path, s->name, (unsigned long long)s->offset,
                  which, (unsigned long long)wanted, (unsigned long long)got);
}

vlm_status vlm_pack_check_stored(const vlm_pack *pack, const vlm_section *s, vlm_error *err) {
  return check_hash(pack, s, "stored", vlm_xxh64(vlm_pack_bytes(pack) + s->offset, (size_t)s->stored), s->stored_hash, err);
}

vlm_status vlm_pack_unpack(vlm_pack *pack, const vlm_section *s, const unsigned char **data, unsigned char **own, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned char *stored = vlm_pack_bytes(pack) + s->offset;
  *own = NULL;
  *data = stored;
  VLM_TRY(vlm_pack_check_stored(pack, s, err));
  if (s->codec == VLM_SECTION_RAW) goto out;
  VLM_TRY(vlm_alloc((void **)own, (size_t)s->raw + 1, 1, err));
  st = vlm_codec_decompress(*own, (size_t)s->raw, stored, (size_t)s->stored, err);
  if (st != VLM_OK) vlm_error_context(err, "%s: section %s", pack->path, s->name);
  VLM_TRY(st);
  *data = *own;
  VLM_TRY(check_hash(pack, s, "raw", vlm_xxh64(*own, (size_t)s->raw), s->raw_hash, err));
out:
  if (st != VLM_OK) {
    vlm_free(*own);
    *own = NULL;
  }
  return st;
}

/* ---- sections ---- */

static vlm_status copy_text(vlm_pack *pack, const char **out, vlm_decoder *d) {
  vlm_status st = VLM_OK;
  char *copy = NULL;
  const size_t bytes = d->bytes - d->at;
  const unsigned char *data = vlm_get_bytes(d, bytes);
  VLM_TRY(d->status);
  if (bytes && memchr(data, 0, bytes)) vlm_get_fail(d, "the text contains a zero byte");
  VLM_TRY(d->status);
  VLM_TRY(vlm_arena_alloc(pack->arena, (void **)&copy, bytes + 1, 1, d->err));
  if (bytes) memcpy(copy, data, bytes);
  *out = copy;
out:
  return st;
}

static vlm_status read_meta(vlm_pack *pack, vlm_decoder *d) {
  vlm_status st = VLM_OK;
  pack->n_meta = vlm_get_count(d, 2, VLM_PACK_MAX_ITEMS, "pairs");
  VLM_TRY(vlm_arena_alloc(pack->arena, (void **)&pack->meta, (size_t)pack->n_meta, sizeof(*pack->meta), d->err));
  for (int32_t i = 0; i < pack->n_meta && d->status == VLM_OK; i++) {
    pack->meta[i].key = vlm_get_text(d, pack->arena);
    pack->meta[i].value = vlm_get_text(d, pack->arena);
    if (i > 0 && d->status == VLM_OK && strcmp(pack->meta[i - 1].key, pack->meta[i].key) >= 0) vlm_get_fail(d, "keys do not ascend");
  }
  VLM_TRY(vlm_get_end(d));
out:
  return st;
}

static vlm_status read_text(vlm_pack *pack, vlm_decoder *d, const char **label) {
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

static vlm_status read_golden_case(vlm_pack *pack, vlm_decoder *d, vlm_pack_golden *g) {
  vlm_status st = VLM_OK;
  const char **names = NULL;
  vlm_tensor *tensors = NULL;
  g->graph = vlm_get_text(d, pack->arena);
  g->n_inputs = vlm_get_count(d, 3, 1 << 16, "golden inputs");
  g->n_outputs = vlm_get_count(d, 3, 1 << 16, "golden outputs");
  VLM_TRY(d->status);
  const size_t n = (size_t)g->n_inputs + (size_t)g->n_outputs;
  VLM_TRY(vlm_arena_alloc(pack->arena, (void **)&names, n, sizeof(*names), d->err));
  VLM_TRY(vlm_arena_alloc(pack->arena, (void **)&tensors, n, sizeof(*tensors), d->err));
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

static vlm_status read_golden(vlm_pack *pack, vlm_decoder *d) {
  vlm_status st = VLM_OK;
  pack->n_golden = vlm_get_count(d, 3, 1 << 16, "golden cases");
  VLM_TRY(vlm_arena_alloc(pack->arena, (void **)&pack->golden, (size_t)pack->n_golden, sizeof(*pack->golden), d->err));
  for (int32_t i = 0; i < pack->n_golden && d->status == VLM_OK; i++) VLM_TRY(read_golden_case(pack, d, &pack->golden[i]));
  VLM_TRY(vlm_get_end(d));
out:
  return st;
}

static vlm_status read_tensors(vlm_pack *pack, vlm_decoder *d) {
  const vlm_section *weights = pack->layout.sections;
  while (weights->kind != VLM_SECTION_WGHT) weights++;
  return vlm_tensor_table_decode(&pack->tensors, d, weights);
}

static vlm_status read_roles(vlm_pack *pack, vlm_decoder *d, const char **label) {
  const char *roles[VLM_PACK_MAX_ROLES];
  int32_t n;
  const vlm_status st = vlm_graph_decode_roles(d, pack->arena, roles, &n);
  if (st == VLM_OK) *label = roles[0];
  return st;
}

static vlm_status read_section(vlm_pack *pack, const vlm_section *s, const char **label, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned char *data;
  unsigned char *own = NULL;
  *label = "";
  if (s->kind == VLM_SECTION_WGHT) return VLM_OK;
  if (s->kind == VLM_SECTION_KINDS) return vlm_pack_check_stored(pack, s, err);
  VLM_TRY(vlm_pack_unpack(pack, s, &data, &own, err));
  vlm_decoder d = {.data = data, .bytes = (size_t)s->raw, .file = pack->path, .section = s->name, .err = err};
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

static vlm_status load_weights(vlm_pack *pack, const vlm_pack_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_section *s = pack->layout.sections;
  while (s->kind != VLM_SECTION_WGHT) s++;
  const size_t limit = opts->max_weight_bytes ? opts->max_weight_bytes : DEFAULT_MAX_WEIGHTS;
  VLM_CHECK(s->raw <= limit, err, VLM_LIMIT, "%s: section WGHT: %llu bytes of weights, the limit is %zu", pack->path, (unsigned long long)s->raw, limit);
  const unsigned char *stored = vlm_pack_bytes(pack) + s->offset;
  /* Mapped weights are read-only memory; the cast only serves vlm_tensor.data, which constants never write. */
  unsigned char *raw = (unsigned char *)stored;
  if (s->codec != VLM_SECTION_RAW) {
    VLM_TRY(vlm_alloc((void **)&pack->storage->weights, (size_t)s->raw, 1, err));
    raw = pack->storage->weights;
  }
  VLM_TRY(vlm_tensor_table_load(&pack->tensors, raw, stored, s, opts->trust_weights, opts->threads, pack->path, err));
  pack->loaded = true;
out:
  return st;
}

static vlm_status list_sections(vlm_pack *pack, const char *const *labels, vlm_error *err) {
  const size_t n = (size_t)pack->layout.count;
  const vlm_status st = vlm_arena_alloc(pack->arena, (void **)&pack->sections, n, sizeof(*pack->sections), err);
  for (size_t i = 0; st == VLM_OK && i < n; i++) {
    const vlm_section *s = &pack->layout.sections[i];
    pack->sections[i] = (vlm_pack_section){.what = vlm_section_what(s->kind), .label = labels[i], .codec = vlm_section_codec_name(s->codec),
                                           .offset = s->offset, .stored_bytes = s->stored, .raw_bytes = s->raw};
    memcpy(pack->sections[i].name, s->name, sizeof(s->name));
  }
  return st;
}

vlm_status vlm_pack_open(vlm_pack **out, const char *path, const vlm_pack_open_opts *opts, vlm_error *err) {
  static const vlm_pack_open_opts defaults = {.threads = NULL};
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  const char *labels[VLM_PACK_MAX_SECTIONS];
  if (!opts) opts = &defaults;
  *out = NULL;
  VLM_TRY(vlm_alloc((void **)&pack, 1, sizeof(*pack), err));
  VLM_TRY(vlm_alloc((void **)&pack->storage, 1, sizeof(*pack->storage), err));
  atomic_store(&pack->storage->owners, 1);
  VLM_TRY(vlm_arena_create(&pack->arena, err));
  VLM_TRY(vlm_arena_strdup(pack->arena, &pack->path, path, err));
  VLM_TRY(vlm_file_map(&pack->storage->file, path, err));
  VLM_TRY(vlm_layout_decode(&pack->layout, vlm_pack_bytes(pack), vlm_pack_file_bytes(pack), path, err));
  for (int32_t i = 0; i < pack->layout.count; i++) VLM_TRY(read_section(pack, &pack->layout.sections[i], &labels[i], err));
  VLM_TRY(list_sections(pack, labels, err));
  if (!opts->no_weights) VLM_TRY(load_weights(pack, opts, err));
  *out = pack;
  pack = NULL;
out:
  vlm_pack_close(pack);
  return st;
}

void vlm_pack_close(vlm_pack *pack) {
  if (!pack) return;
  release_storage(pack->storage);
  vlm_tensor_table_free(&pack->tensors);
  vlm_arena_free(pack->arena);
  vlm_free(pack);
}

/* ---- the model ---- */

vlm_status vlm_pack_graph(vlm_graph **out, vlm_pack *pack, const vlm_section *s, const char **roles, int32_t *n_roles, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned char *data;
  unsigned char *own = NULL;
  vlm_graph *graph = NULL;
  *out = NULL;
  VLM_TRY(vlm_pack_unpack(pack, s, &data, &own, err));
  vlm_decoder d = {.data = data, .bytes = (size_t)s->raw, .file = pack->path, .section = s->name, .err = err};
  VLM_TRY(vlm_graph_decode_roles(&d, pack->arena, roles, n_roles));
  VLM_TRY(vlm_graph_decode(&graph, &d, &pack->tensors, pack->path));
  atomic_fetch_add(&pack->storage->owners, 1);
  VLM_TRY(vlm_graph_keep(graph, pack->storage, release_storage, err));
  *out = graph;
  graph = NULL;
out:
  vlm_graph_free(graph);
  vlm_free(own);
  return st;
}

static vlm_status add_graph(vlm_bundle *bundle, vlm_pack *pack, const vlm_section *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *roles[VLM_PACK_MAX_ROLES];
  int32_t n_roles = 0;
  vlm_graph *graph = NULL;
  bool placed = false;
  VLM_TRY(vlm_pack_graph(&graph, pack, s, roles, &n_roles, err));
  for (int32_t i = 0; i < n_roles; i++) {
    vlm_role role;
    VLM_CHECK(vlm_role_parse(&role, roles[i]), err, VLM_UNSUPPORTED, "%s: a graph for the role \"%s\", which this program does not know", pack->path,
              roles[i]);
    VLM_CHECK(!bundle->graphs[role], err, VLM_INTEGRITY, "%s: two graphs for the role \"%s\"", pack->path, roles[i]);
    bundle->graphs[role] = graph;
    placed = true;
  }
  VLM_TRY(vlm_graph_resolve(graph, err));
out:
  if (!placed) vlm_graph_free(graph);
  return st;
}

static vlm_status set_family(vlm_bundle *bundle, const vlm_pack *pack, vlm_error *err) {
  static const char *const families[] = {"graph", "encoder-decoder", "decoder-only"};
  const char *family = vlm_pack_meta(pack, "family");
  for (int i = 0; i < 3; i++) {
    if (family && strcmp(family, families[i]) == 0) {
      bundle->family = (vlm_family)i;
      return VLM_OK;
    }
  }
  return vlm_fail(err, VLM_UNSUPPORTED, "%s: section META: family \"%s\" is unknown to this program", pack->path, family ? family : "");
}

vlm_status vlm_pack_bundle(vlm_bundle **out, vlm_pack *pack, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  *out = NULL;
  VLM_CHECK(pack->loaded, err, VLM_USAGE, "%s: was opened without weights", pack->path);
  VLM_TRY(vlm_bundle_create(&bundle, pack->path, err));
  VLM_TRY(set_family(bundle, pack, err));
  for (int32_t i = 0; i < pack->layout.count; i++) {
    if (pack->layout.sections[i].kind == VLM_SECTION_GRPH) VLM_TRY(add_graph(bundle, pack, &pack->layout.sections[i], err));
  }
  for (int t = 0; t < VLM_TEXT_COUNT; t++) {
    if (pack->texts[t]) VLM_TRY(vlm_strdup(&bundle->texts[t], pack->texts[t], err));
  }
  *out = bundle;
  bundle = NULL;
out:
  vlm_bundle_free(bundle);
  return st;
}

/* ---- what is inside ---- */

const char *vlm_pack_preprocess(const vlm_pack *pack) { return pack->preprocess; }
const char *vlm_pack_quantization(const vlm_pack *pack) { return pack->quantization; }
const char *vlm_pack_provenance(const vlm_pack *pack) { return pack->provenance; }
const char *vlm_pack_text(const vlm_pack *pack, vlm_bundle_text text) { return (unsigned)text < VLM_TEXT_COUNT ? pack->texts[text] : NULL; }

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
