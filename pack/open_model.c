#include <stdlib.h>
#include <string.h>

#include "pack/opened.h"
#include "runtime/ops/resolve.h"

vlm_status vlm_pack_graph(vlm_graph **out, vlm_pack *pack, const vlm_section *s, const char **roles,
                          int32_t *n_roles, vlm_error *err) {
  vlm_status st = VLM_OK;
  const unsigned char *data;
  unsigned char *own = NULL;
  vlm_graph *graph = NULL;
  *out = NULL;
  VLM_TRY(vlm_pack_unpack(pack, s, &data, &own, err));
  vlm_byte_reader d = {
      .data = data, .bytes = (size_t)s->raw, .file = pack->path, .section = s->name, .err = err};
  VLM_TRY(vlm_graph_decode_roles(&d, pack->arena, roles, n_roles));
  VLM_TRY(vlm_graph_decode(&graph, &d, &pack->tensors, pack->path));
  atomic_fetch_add(&pack->storage->owners, 1);
  VLM_TRY(vlm_graph_keep(graph, pack->storage, vlm_pack_release_storage, err));
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
    VLM_CHECK(vlm_role_parse(&role, roles[i]), err, VLM_UNSUPPORTED,
              "%s: a graph for the role \"%s\", which this program does not know", pack->path, roles[i]);
    VLM_CHECK(!bundle->graphs[role], err, VLM_INTEGRITY, "%s: two graphs for the role \"%s\"", pack->path,
              roles[i]);
    bundle->graphs[role] = graph;
    placed = true;
  }
  st = vlm_graph_resolve(graph, err);
  if (st == VLM_INPUT) st = VLM_INTEGRITY; /* our writer makes no such graph */
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
  return vlm_fail(err, VLM_UNSUPPORTED, "%s: section META: family \"%s\" is unknown to this program",
                  pack->path, family ? family : "");
}

/* Said the same as the header in format 1.0. */
static vlm_status check_format(const vlm_pack *pack, vlm_error *err) {
  const char *format = vlm_pack_meta(pack, "format");
  if (!format || strtol(format, NULL, 10) == VLM_PACK_MAJOR) return VLM_OK;
  return vlm_fail(err, VLM_UNSUPPORTED, "%s: section META: format \"%s\"; this program reads version %d",
                  pack->path, format, VLM_PACK_MAJOR);
}

vlm_status vlm_pack_bundle(vlm_bundle **out, vlm_pack *pack, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  *out = NULL;
  VLM_CHECK(pack->loaded, err, VLM_USAGE, "%s: was opened without weights", pack->path);
  VLM_TRY(vlm_bundle_create(&bundle, pack->path, err));
  VLM_TRY(check_format(pack, err));
  VLM_TRY(set_family(bundle, pack, err));
  for (int32_t i = 0; i < pack->layout.count; i++) {
    if (pack->layout.sections[i].kind == VLM_SECTION_GRPH)
      VLM_TRY(add_graph(bundle, pack, &pack->layout.sections[i], err));
  }
  for (int t = 0; t < VLM_TEXT_COUNT; t++) {
    if (pack->texts[t]) VLM_TRY(vlm_strdup(&bundle->texts[t], pack->texts[t], err));
  }
  if (pack->preprocess) VLM_TRY(vlm_strdup(&bundle->preprocess, pack->preprocess, err));
  *out = bundle;
  bundle = NULL;
out:
  vlm_bundle_free(bundle);
  return st;
}
