#include "onnx/bundle.h"

#include <stdio.h>
#include <string.h>

#include "onnx/cache.h"
#include "onnx/split.h"
#include "runtime/base/file.h"

/* File stems by role; the first that exists is taken. */
static const struct {
  vlm_role role;
  const char *stem;
} FILES[] = {
    {VLM_ROLE_VISION, "vision_encoder"},          {VLM_ROLE_EMBED, "embed_tokens"},
    {VLM_ROLE_ENCODER, "encoder_model"},          {VLM_ROLE_DECODER_FIRST, "decoder_model"},
    {VLM_ROLE_DECODER_STEP, "decoder_with_past_model"},
};
static const char MERGED[] = "decoder_model_merged";

typedef struct {
  vlm_bundle *bundle;
  const vlm_bundle_opts *opts;
  const char *folder;
  vlm_error *err;
} opener;

/* Path of FOLDER/STEM.onnx or FOLDER/onnx/STEM.onnx, or NULL when neither exists. */
static vlm_status find_graph(opener *o, char **path, const char *stem) {
  static const char *const PLACES[] = {"%s.onnx", "onnx/%s.onnx"};
  char name[256];
  *path = NULL;
  for (size_t i = 0; i < 2; i++) {
    snprintf(name, sizeof name, PLACES[i], stem);
    vlm_status st = vlm_path_join(path, o->folder, name, o->err);
    if (st != VLM_OK || vlm_file_exists(*path)) return st;
    vlm_free(*path);
    *path = NULL;
  }
  return VLM_OK;
}

static vlm_status load(opener *o, vlm_graph **out, const char *stem) {
  char *path;
  vlm_status st = find_graph(o, &path, stem);
  if (st == VLM_OK && path) st = vlm_onnx_import(out, path, &o->opts->onnx, o->err);
  vlm_free(path);
  return st;
}

static vlm_status exists(opener *o, bool *out, const char *stem) {
  char *path;
  vlm_status st = find_graph(o, &path, stem);
  *out = path != NULL;
  vlm_free(path);
  return st;
}

/* A merged file is split; one that accepts an empty cache as it is (decoder-only exports) serves both roles. */
static vlm_status load_merged(opener *o) {
  vlm_status st = VLM_OK;
  vlm_bundle *b = o->bundle;
  vlm_graph *merged = NULL;
  VLM_TRY(load(o, &merged, MERGED));
  if (!merged) goto out;
  if (!vlm_graph_is_merged_decoder(merged)) {
    b->graphs[VLM_ROLE_DECODER_FIRST] = b->graphs[VLM_ROLE_DECODER_STEP] = merged;
    goto out;
  }
  b->merged = merged;
  VLM_TRY(vlm_graph_split_branch(&b->graphs[VLM_ROLE_DECODER_FIRST], merged, false, o->err));
  VLM_TRY(vlm_graph_clean(b->graphs[VLM_ROLE_DECODER_FIRST], &o->opts->onnx.clean, o->err));
  VLM_TRY(vlm_graph_split_branch(&b->graphs[VLM_ROLE_DECODER_STEP], merged, true, o->err));
  VLM_TRY(vlm_graph_clean(b->graphs[VLM_ROLE_DECODER_STEP], &o->opts->onnx.clean, o->err));
out:
  return st;
}

static vlm_status load_graphs(opener *o) {
  vlm_status st = VLM_OK;
  bool have_merged = false, have_step = false;
  VLM_TRY(exists(o, &have_merged, MERGED));
  VLM_TRY(exists(o, &have_step, "decoder_with_past_model"));
  bool separate = have_step && (!have_merged || o->opts->decoder == VLM_DECODER_SEPARATE);
  for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
    bool decoder = FILES[i].role == VLM_ROLE_DECODER_FIRST || FILES[i].role == VLM_ROLE_DECODER_STEP;
    if (decoder && !separate) continue;
    VLM_TRY(load(o, &o->bundle->graphs[FILES[i].role], FILES[i].stem));
  }
  if (!separate) VLM_TRY(load_merged(o));
out:
  return st;
}

static vlm_status load_texts(opener *o) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  for (int t = 0; t < VLM_TEXT_COUNT; t++) {
    VLM_TRY(vlm_path_join(&path, o->folder, vlm_text_file((vlm_bundle_text)t), o->err));
    if (vlm_file_exists(path)) VLM_TRY(vlm_file_read_text(&o->bundle->texts[t], path, o->err));
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_free(path);
  return st;
}

static vlm_status check_roles(opener *o) {
  vlm_graph *const *g = o->bundle->graphs;
  bool decoder = g[VLM_ROLE_DECODER_FIRST] && g[VLM_ROLE_DECODER_STEP];
  bool sees = g[VLM_ROLE_VISION] || g[VLM_ROLE_ENCODER];
  if (decoder && sees) {
    o->bundle->family = g[VLM_ROLE_ENCODER] ? VLM_FAMILY_ENCODER_DECODER : VLM_FAMILY_DECODER_ONLY;
    return VLM_OK;
  }
  return vlm_fail(o->err, VLM_INPUT,
                  "%s: is no bundle that vlmq knows: looked for %s.onnx (or decoder_model.onnx + decoder_with_past_model.onnx) and "
                  "vision_encoder.onnx or encoder_model.onnx, at top level and in onnx/; name one .onnx file to use a single graph",
                  o->folder, MERGED);
}

static vlm_status open_folder(opener *o) {
  vlm_status st = VLM_OK;
  VLM_TRY(load_graphs(o));
  VLM_TRY(check_roles(o));
  vlm_graph *const *g = o->bundle->graphs;
  if (g[VLM_ROLE_DECODER_STEP] != g[VLM_ROLE_DECODER_FIRST]) VLM_TRY(vlm_graph_cache_in_place(g[VLM_ROLE_DECODER_STEP], NULL, o->err));
  VLM_TRY(load_texts(o));
out:
  return st;
}

vlm_status vlm_bundle_open(vlm_bundle **out, const char *path, const vlm_bundle_opts *opts, vlm_error *err) {
  static const vlm_bundle_opts defaults = {0};
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  *out = NULL;
  VLM_CHECK(vlm_file_exists(path), err, VLM_INPUT, "%s: no such file or folder", path);
  VLM_TRY(vlm_bundle_create(&bundle, path, err));
  opener o = {.bundle = bundle, .opts = opts ? opts : &defaults, .folder = path, .err = err};
  if (vlm_file_is_folder(path)) VLM_TRY(open_folder(&o));
  else VLM_TRY(vlm_onnx_import(&bundle->graphs[VLM_ROLE_MODEL], path, &o.opts->onnx, err));
out:
  if (st != VLM_OK) {
    vlm_bundle_free(bundle);
    bundle = NULL;
  }
  *out = bundle;
  return st;
}
