#include "onnx/bundle.h"

#include <stdio.h>
#include <string.h>

#include "hub/resolve.h"
#include "onnx/cache.h"
#include "onnx/manifest.h"
#include "onnx/split.h"
#include "runtime/base/file.h"
#include "runtime/graph/copy.h"
#include "runtime/ops/resolve.h"

/* The files of a bundle: name in vlm.json, usual stem, role. */
typedef enum {
  FILE_VISION,
  FILE_EMBED,
  FILE_ENCODER,
  FILE_FIRST,
  FILE_STEP,
  FILE_MERGED,
  FILE_MODEL,
  FILE_COUNT
} file_id;
static const struct {
  const char *key, *stem; /* stem NULL = only by vlm.json */
  vlm_role role;
} FILES[FILE_COUNT] = {
    [FILE_VISION] = {"vision", "vision_encoder", VLM_ROLE_VISION},
    [FILE_EMBED] = {"embed", "embed_tokens", VLM_ROLE_EMBED},
    [FILE_ENCODER] = {"encoder", "encoder_model", VLM_ROLE_ENCODER},
    [FILE_FIRST] = {"decoder_first", "decoder_model", VLM_ROLE_DECODER_FIRST},
    [FILE_STEP] = {"decoder_step", "decoder_with_past_model", VLM_ROLE_DECODER_STEP},
    [FILE_MERGED] = {"decoder_merged", "decoder_model_merged", VLM_ROLE_DECODER_FIRST},
    [FILE_MODEL] = {"model", NULL, VLM_ROLE_MODEL},
};

typedef struct {
  vlm_bundle *bundle;
  const vlm_bundle_opts *opts;
  const char *folder;
  vlm_json_doc *doc;
  vlm_json manifest;
  char *paths[FILE_COUNT]; /* NULL = there is none */
  bool stated[FILE_COUNT]; /* by vlm.json */
  vlm_variant variants[FILE_COUNT];
  vlm_error *err;
} opener;

/* ---- which files ---- */

static vlm_status find_file(opener *o, file_id f) {
  vlm_status st = VLM_OK;
  const char *file;
  VLM_TRY(vlm_manifest_graph(&file, &o->stated[f], o->manifest, FILES[f].key, o->err));
  if (!o->stated[f] && FILES[f].stem)
    return vlm_variant_find(&o->paths[f], &o->variants[f], o->folder, FILES[f].stem, o->opts->variant,
                            o->err);
  if (!o->stated[f] || !file) return VLM_OK;
  VLM_TRY(vlm_path_join(&o->paths[f], o->folder, file, o->err));
  VLM_CHECK(vlm_file_exists(o->paths[f]), o->err, VLM_INPUT, "vlm.json: graphs.%s: %s: no such file",
            FILES[f].key, o->paths[f]);
out:
  return st;
}

static void forget(opener *o, file_id f) {
  vlm_free(o->paths[f]);
  o->paths[f] = NULL;
}

static bool names_file(const opener *o, file_id f) { return o->stated[f] && o->paths[f]; }

/* One form of the decoder: what vlm.json names, else what was asked for, else the merged file. */
static void choose_decoder(opener *o) {
  bool separate = o->paths[FILE_STEP] && o->paths[FILE_FIRST], merged = o->paths[FILE_MERGED];
  bool names_separate = names_file(o, FILE_STEP) || names_file(o, FILE_FIRST),
       names_merged = names_file(o, FILE_MERGED);
  bool prefer = o->opts->decoder == VLM_DECODER_SEPARATE;
  if (names_separate != names_merged) prefer = names_separate;
  if (separate && (prefer || !merged)) {
    forget(o, FILE_MERGED);
  } else if (merged) {
    forget(o, FILE_FIRST);
    forget(o, FILE_STEP);
  }
}

/* A variant that no file has is a mistake; a graph that lacks it comes as it is. */
static vlm_status check_variant(const opener *o) {
  const vlm_variant asked = o->opts->variant;
  const char *stems[FILE_COUNT];
  char names[256];
  vlm_status st = VLM_OK;
  for (int f = 0; f < FILE_COUNT; f++) {
    if (asked == VLM_VARIANT_ANY || (o->paths[f] && o->variants[f] == asked)) return VLM_OK;
    stems[f] = FILES[f].stem;
  }
  VLM_TRY(vlm_variant_list(names, sizeof names, o->folder, stems, FILE_COUNT, o->err));
  return vlm_fail(o->err, VLM_INPUT, "%s: no graph comes as %s; there are: %s", o->folder,
                  vlm_variant_name(asked), *names ? names : "none");
out:
  return st;
}

static vlm_status find_files(opener *o) {
  vlm_status st = VLM_OK;
  for (int f = 0; f < FILE_COUNT; f++) VLM_TRY(find_file(o, (file_id)f));
  VLM_TRY(check_variant(o));
  choose_decoder(o);
out:
  return st;
}

/* Names for tensors of a graph that is not there are a mistake. */
static vlm_status check_tensors(opener *o) {
  vlm_json tensors = vlm_json_member(o->manifest, "tensors");
  for (int f = 0; f < FILE_COUNT; f++) {
    vlm_json names = vlm_json_member(tensors, FILES[f].key);
    if (!vlm_json_is_null(names) && !o->paths[f])
      return vlm_json_fail(names, o->err, VLM_INPUT,
                           "names tensors of a graph that is not used; graphs.%s says which file it is",
                           FILES[f].key);
  }
  return VLM_OK;
}

/* ---- graphs ---- */

static vlm_status load(opener *o, vlm_graph **out, file_id f) {
  vlm_status st = VLM_OK;
  *out = NULL;
  if (!o->paths[f]) return VLM_OK;
  VLM_TRY(vlm_onnx_import(out, o->paths[f], &o->opts->onnx, o->err));
  if (!o->opts->as_files) VLM_TRY(vlm_manifest_rename(*out, o->manifest, FILES[f].key, o->err));
out:
  if (st != VLM_OK && *out) {
    vlm_graph_free(*out);
    *out = NULL;
  }
  return st;
}

static vlm_status load_branch(opener *o, vlm_role role, bool use_then) {
  vlm_status st = VLM_OK;
  vlm_graph **graph = &o->bundle->graphs[role];
  VLM_TRY(vlm_graph_split_branch(graph, o->bundle->merged, use_then, o->err));
  VLM_TRY(vlm_graph_clean(*graph, &o->opts->onnx.clean, o->err));
out:
  return st;
}

static vlm_status cache_in_place(const opener *o, vlm_graph *graph) {
  return graph && !o->opts->as_files ? vlm_graph_cache_in_place(graph, NULL, o->err) : VLM_OK;
}

/* A graph that takes an empty cache (decoder-only exports) serves both roles. Its steps are a copy that appends in place, where that is possible. */
static vlm_status share_decoder(opener *o, vlm_graph *graph) {
  vlm_status st = VLM_OK;
  vlm_graph *step = NULL;
  int32_t layers = 0;
  o->bundle->graphs[VLM_ROLE_DECODER_FIRST] = graph;
  if (o->opts->as_files) goto out;
  VLM_TRY(vlm_graph_copy(&step, graph, "decoder_step", o->err));
  VLM_TRY(vlm_graph_resolve(step, o->err));
  VLM_TRY(vlm_graph_cache_in_place(step, &layers, o->err));
out:
  if (st == VLM_OK && layers) {
    o->bundle->graphs[VLM_ROLE_DECODER_STEP] = step;
    return VLM_OK;
  }
  if (step) vlm_graph_free(step);
  if (st == VLM_OK) o->bundle->graphs[VLM_ROLE_DECODER_STEP] = graph;
  return st;
}

static vlm_status load_merged(opener *o) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = NULL;
  VLM_TRY(load(o, &graph, FILE_MERGED));
  if (!vlm_graph_is_merged_decoder(graph)) return share_decoder(o, graph);
  o->bundle->merged = graph;
  VLM_TRY(load_branch(o, VLM_ROLE_DECODER_FIRST, false));
  VLM_TRY(load_branch(o, VLM_ROLE_DECODER_STEP, true));
  VLM_TRY(cache_in_place(o, o->bundle->graphs[VLM_ROLE_DECODER_STEP]));
out:
  return st;
}

static vlm_status load_separate(opener *o) {
  vlm_status st = VLM_OK;
  vlm_graph **graphs = o->bundle->graphs;
  VLM_TRY(load(o, &graphs[VLM_ROLE_DECODER_FIRST], FILE_FIRST));
  VLM_TRY(load(o, &graphs[VLM_ROLE_DECODER_STEP], FILE_STEP));
  VLM_TRY(cache_in_place(o, graphs[VLM_ROLE_DECODER_STEP]));
out:
  return st;
}

static vlm_status load_pipeline(opener *o) {
  vlm_status st = VLM_OK;
  for (int f = FILE_VISION; f <= FILE_ENCODER; f++)
    VLM_TRY(load(o, &o->bundle->graphs[FILES[f].role], (file_id)f));
  VLM_TRY(o->paths[FILE_MERGED] ? load_merged(o) : load_separate(o));
out:
  return st;
}

/* ---- family ---- */

static vlm_status set_family(opener *o) {
  vlm_status st = VLM_OK;
  char *const *p = o->paths;
  bool stated, decoder = p[FILE_MERGED] || (p[FILE_FIRST] && p[FILE_STEP]),
               sees = p[FILE_VISION] || p[FILE_ENCODER];
  vlm_family *family = &o->bundle->family;
  VLM_TRY(vlm_manifest_family(family, &stated, o->manifest, o->err));
  if (!stated)
    *family = p[FILE_MODEL]     ? VLM_FAMILY_GRAPH
              : p[FILE_ENCODER] ? VLM_FAMILY_ENCODER_DECODER
                                : VLM_FAMILY_DECODER_ONLY;
  if (*family == VLM_FAMILY_GRAPH) {
    VLM_CHECK(p[FILE_MODEL], o->err, VLM_INPUT,
              "%s: vlm.json says family graph, but not which file is it: graphs.model is missing", o->folder);
    goto out;
  }
  VLM_CHECK(decoder && sees, o->err, VLM_INPUT,
            "%s: is no bundle that vlmq knows: looked for decoder_model_merged.onnx (or decoder_model.onnx + "
            "decoder_with_past_model.onnx) and "
            "vision_encoder.onnx or encoder_model.onnx, at top level and in onnx/; name one .onnx file to "
            "use a single graph, or say in vlm.json "
            "which file is what",
            o->folder);
  bool encoder = *family == VLM_FAMILY_ENCODER_DECODER;
  VLM_CHECK(!encoder || p[FILE_ENCODER] || p[FILE_VISION], o->err, VLM_INPUT,
            "%s: family encoder-decoder without encoder", o->folder);
  VLM_CHECK(encoder || p[FILE_VISION], o->err, VLM_INPUT, "%s: family decoder-only without vision graph",
            o->folder);
out:
  return st;
}

/* ---- JSON files ---- */

static vlm_status load_text(opener *o, vlm_bundle_text text, const char *file, bool must) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  VLM_TRY(vlm_path_join(&path, o->folder, file, o->err));
  if (must || vlm_file_exists(path)) VLM_TRY(vlm_file_read_text(&o->bundle->texts[text], path, o->err));
out:
  vlm_free(path);
  return st;
}

static vlm_status load_manifest(opener *o) {
  vlm_status st = VLM_OK;
  VLM_TRY(load_text(o, VLM_TEXT_MANIFEST, vlm_text_file(VLM_TEXT_MANIFEST), false));
  const char *text = o->bundle->texts[VLM_TEXT_MANIFEST];
  if (!text) return VLM_OK;
  VLM_TRY(vlm_json_parse(&o->doc, text, strlen(text), vlm_text_file(VLM_TEXT_MANIFEST), o->err));
  o->manifest = vlm_json_root(o->doc);
  VLM_TRY(vlm_manifest_check(o->manifest, o->err));
out:
  return st;
}

static vlm_status load_texts(opener *o) {
  vlm_status st = VLM_OK;
  const char *tokenizer;
  bool stated;
  VLM_TRY(vlm_manifest_tokenizer(&tokenizer, &stated, o->manifest, o->err));
  for (int t = 0; t < VLM_TEXT_COUNT; t++) {
    bool named = t == VLM_TEXT_TOKENIZER && stated;
    if (t == VLM_TEXT_MANIFEST || (named && !tokenizer)) continue;
    VLM_TRY(load_text(o, (vlm_bundle_text)t, named ? tokenizer : vlm_text_file((vlm_bundle_text)t), named));
  }
out:
  return st;
}

/* ---- opening ---- */

static vlm_status open_folder(opener *o) {
  vlm_status st = VLM_OK;
  VLM_TRY(load_manifest(o));
  VLM_TRY(find_files(o));
  VLM_TRY(set_family(o));
  VLM_TRY(check_tensors(o));
  if (o->bundle->family == VLM_FAMILY_GRAPH) VLM_TRY(load(o, &o->bundle->graphs[VLM_ROLE_MODEL], FILE_MODEL));
  else VLM_TRY(load_pipeline(o));
  VLM_TRY(load_texts(o));
  VLM_TRY(vlm_hub_resolve(o->bundle, o->err));
out:
  for (int f = 0; f < FILE_COUNT; f++) vlm_free(o->paths[f]);
  vlm_json_free(o->doc);
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
