#include "flow/open.h"

#include <stdio.h>
#include <string.h>

#include "pack/pack.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/decode/bundle_lower.h"

/* ---- kinds of files ---- */

static bool has_suffix(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  return n > m && !strcmp(path + n - m, suffix);
}

bool vlm_is_packed(const char *path) {
  return (has_suffix(path, ".vlmq") && !vlm_file_is_folder(path)) || vlm_pack_is_pack(path);
}

vlm_status vlm_file_kind_of(vlm_file_kind *out, const char *path, vlm_error *err) {
  static const unsigned char HDF5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  *out = VLM_FILE_MODEL;
  if (vlm_file_is_folder(path)) return VLM_OK;
  VLM_TRY(vlm_file_map(&file, path, err));
  bool hdf5 = file.bytes >= sizeof HDF5 && !memcmp(file.data, HDF5, sizeof HDF5);
  if (hdf5 || has_suffix(path, ".h5")) *out = VLM_FILE_STATISTICS;
  else if (vlm_is_packed(path)) *out = VLM_FILE_PACKED;
out:
  vlm_file_unmap(&file);
  return st;
}

/* ---- shapes ---- */

/* Whether the text is the name of the dim, or INPUT[AXIS] of one without a name. */
static bool names_dim(const vlm_value *v, int d, const char *text) {
  const char *name = v->dim_names[d] ? v->dim_names[d] : v->name;
  size_t n = strlen(name);
  char axis[16] = "";
  if (!v->dim_names[d]) snprintf(axis, sizeof axis, "[%d]", d);
  return !strncmp(text, name, n) && !strcmp(text + n, axis);
}

static bool bind_value(vlm_value *v, const vlm_shape_binding *shape) {
  bool found = false;
  for (int d = 0; d < v->tensor.rank; d++) {
    if ((v->tensor.dims[d] >= 0 && !v->dim_names[d]) || !names_dim(v, d, shape->dim)) continue;
    v->tensor.dims[d] = shape->size;
    found = true;
  }
  return found;
}

bool vlm_flow_bind_dim(vlm_graph *g, const vlm_shape_binding *shape) {
  bool found = false;
  for (int32_t i = 0; i < g->n_inputs; i++) found |= bind_value(&g->values[g->inputs[i]], shape);
  for (int32_t i = 0; i < g->n_outputs && found; i++) bind_value(&g->values[g->outputs[i]], shape);
  return found;
}

static vlm_status bind_shapes(vlm_bundle *bundle, const vlm_flow_open_opts *opts, vlm_error *err) {
  vlm_graph *g = bundle->graphs[VLM_ROLE_MODEL];
  if (opts->n_shapes && !g)
    return vlm_fail(err, VLM_USAGE, "--shape binds dimensions of a single graph; %s is a pipeline",
                    bundle->source);
  for (int32_t i = 0; i < opts->n_shapes; i++)
    if (!vlm_flow_bind_dim(g, &opts->shapes[i]))
      return vlm_fail(err, VLM_INPUT, "%s: no input has a dimension named \"%s\"", bundle->source,
                      opts->shapes[i].dim);
  return VLM_OK;
}

/* ---- opening ---- */

static vlm_status open_pack(vlm_bundle **out, const char *path, bool lazy, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  VLM_TRY(vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.lazy = lazy}, err));
  VLM_TRY(vlm_pack_bundle(out, pack, err));
out:
  vlm_pack_close(pack); /* the graphs keep the weights alive */
  return st;
}

vlm_status vlm_flow_open_finish(vlm_bundle *bundle, const vlm_flow_open_opts *opts, vlm_error *err) {
  if (opts->raw_prompt) {
    vlm_free(bundle->texts[VLM_TEXT_CHAT]);
    bundle->texts[VLM_TEXT_CHAT] = NULL;
  }
  vlm_status st = bind_shapes(bundle, opts, err);
  return st == VLM_OK && (opts->lower || opts->lazy) ? vlm_bundle_lower(bundle, NULL, err) : st;
}

vlm_status vlm_flow_open(vlm_bundle **out, const char *path, const vlm_flow_open_opts *opts, vlm_error *err) {
  static const vlm_flow_open_opts DEFAULTS = {.decoder = VLM_DECODER_ANY};
  vlm_status st = VLM_OK;
  if (!opts) opts = &DEFAULTS;
  const vlm_bundle_opts folder = {.decoder = opts->decoder, .variant = opts->variant};
  *out = NULL;
  VLM_TRY(vlm_is_packed(path) ? open_pack(out, path, opts->lazy, err)
                              : vlm_bundle_open(out, path, &folder, err));
  VLM_TRY(vlm_flow_open_finish(*out, opts, err));
out:
  if (st != VLM_OK) {
    vlm_bundle_free(*out);
    *out = NULL;
  }
  return st;
}

vlm_status vlm_flow_size_bytes(size_t *out, const vlm_bundle *bundle, vlm_error *err) {
  *out = 0;
  if (!vlm_is_packed(bundle->source)) return vlm_bundle_float_bytes(out, bundle, err);
  vlm_file_is_regular(bundle->source, out);
  return VLM_OK;
}
