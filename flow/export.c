#include "flow/export.h"

#include <string.h>

#include "export/join.h"
#include "export/legalize.h"
#include "export/write.h"
#include "flow/samples.h"
#include "runtime/base/file.h"

typedef struct {
  vlm_context *context;
  const vlm_flow_export_opts *opts;
  const vlm_flow_quantize_result *plan;
  vlm_bundle *bundle; /* as its files are */
  vlm_export_opts how;
  vlm_flow_export_result *out;
  vlm_error *err;
} exporting;

/* ---- names of files ---- */

/* The place of a graph's file below the model's folder: "onnx/encoder_model.onnx". */
static const char *file_name(const exporting *e, const vlm_graph *graph) {
  const char *path = graph->source, *slash = strrchr(path, '/');
  size_t folder = strlen(e->bundle->source);
  while (folder > 0 && e->bundle->source[folder - 1] == '/') folder--;
  if (strncmp(path, e->bundle->source, folder) == 0 && path[folder] == '/')
    for (path += folder; *path == '/';) path++;
  else if (slash) path = slash + 1;
  return path;
}

/* The folder that a file lies in, below the one that is there. */
static vlm_status make_folder_of(const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *folder = NULL;
  VLM_TRY(vlm_strdup(&folder, path, err));
  char *slash = strrchr(folder, '/');
  if (slash && slash != folder) {
    *slash = 0;
    VLM_TRY(vlm_folder_make(folder, err));
  }
out:
  vlm_free(folder);
  return st;
}

/* name: below the folder. */
static vlm_status add_file(exporting *e, const char *name, vlm_exported_file **out) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_more(&e->out->files, e->out->count, e->out->count + 1, e->err));
  *out = &e->out->files[e->out->count++];
  if (e->opts->file) VLM_TRY(vlm_strdup(&(*out)->path, e->opts->file, e->err));
  else VLM_TRY(vlm_path_join(&(*out)->path, e->opts->folder, name, e->err));
  if (!e->opts->file) VLM_TRY(make_folder_of((*out)->path, e->err));
out:
  return st;
}

/* ---- one file ---- */

static vlm_status rewrite(exporting *e, vlm_role role, vlm_exported_file *file) {
  vlm_graph *graph = e->bundle->graphs[role];
  return vlm_export_graph(graph, vlm_role_name(role), e->plan->plan, &e->how, &file->report, e->err);
}

static vlm_status write(exporting *e, vlm_graph *graph, vlm_exported_file *file) {
  const vlm_onnx_write_opts opts = {.opset = file->opset};
  return vlm_onnx_write(&file->bytes, file->path, graph, &opts, e->err);
}

static vlm_status set_opset(exporting *e, vlm_graph *graph, vlm_exported_file *file) {
  vlm_status st = VLM_OK;
  int32_t needed = e->opts->opset;
  if (!needed) VLM_TRY(vlm_legal_opset(&needed, graph, e->err));
  if (needed > file->opset) file->opset = needed;
out:
  return st;
}

static vlm_status export_graph(exporting *e, vlm_role role, const char *name) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = e->bundle->graphs[role];
  vlm_exported_file *file;
  VLM_TRY(add_file(e, name, &file));
  VLM_TRY(rewrite(e, role, file));
  VLM_TRY(set_opset(e, graph, file));
  VLM_TRY(vlm_legalize(graph, file->opset, e->err));
  VLM_TRY(write(e, graph, file));
out:
  return st;
}

/* What a branch only hands on, for the other's sake. */
static void drop_idle_outputs(vlm_graph *graph) {
  int32_t kept = 0;
  for (int32_t k = 0; k < graph->n_outputs; k++)
    if (graph->values[graph->outputs[k]].kind == VLM_VALUE_NODE) graph->outputs[kept++] = graph->outputs[k];
  graph->n_outputs = kept;
}

/* Under the names that exporters give to separate decoders, where the merged one was. */
static vlm_status export_branches(exporting *e) {
  static const struct {
    vlm_role role;
    const char *name;
  } PARTS[] = {{VLM_ROLE_DECODER_FIRST, "decoder_model.onnx"},
               {VLM_ROLE_DECODER_STEP, "decoder_with_past_model.onnx"}};
  vlm_status st = VLM_OK;
  char *name = NULL;
  const char *merged = file_name(e, e->bundle->merged), *slash = strrchr(merged, '/');
  size_t folder = slash ? (size_t)(slash - merged) + 1 : 0;
  for (size_t k = 0; k < sizeof PARTS / sizeof PARTS[0]; k++) {
    VLM_TRY(vlm_new(&name, folder + strlen(PARTS[k].name) + 1, e->err));
    memcpy(name, merged, folder);
    memcpy(name + folder, PARTS[k].name, strlen(PARTS[k].name));
    drop_idle_outputs(e->bundle->graphs[PARTS[k].role]);
    VLM_TRY(export_graph(e, PARTS[k].role, name));
    vlm_free(name);
    name = NULL;
  }
out:
  vlm_free(name);
  return st;
}

static vlm_status export_merged(exporting *e) {
  vlm_status st = VLM_OK;
  vlm_graph **graphs = e->bundle->graphs, *joined = NULL;
  static const vlm_role ROLES[] = {VLM_ROLE_DECODER_FIRST, VLM_ROLE_DECODER_STEP};
  vlm_exported_file *file;
  VLM_TRY(add_file(e, file_name(e, e->bundle->merged), &file));
  for (int k = 0; k < 2; k++) VLM_TRY(rewrite(e, ROLES[k], file));
  for (int k = 0; k < 2; k++) VLM_TRY(set_opset(e, graphs[ROLES[k]], file));
  for (int k = 0; k < 2; k++) VLM_TRY(vlm_legalize(graphs[ROLES[k]], file->opset, e->err));
  VLM_TRY(vlm_graph_join(&joined, e->bundle->merged, graphs[VLM_ROLE_DECODER_STEP],
                         graphs[VLM_ROLE_DECODER_FIRST], e->err));
  VLM_TRY(write(e, joined, file));
out:
  if (joined) vlm_graph_free(joined);
  return st;
}

/* ---- all of them ---- */

static vlm_status freeze(exporting *e) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < e->opts->n_freeze; i++) {
    bool found = false;
    if (e->bundle->merged) found = vlm_flow_bind_dim(e->bundle->merged, &e->opts->freeze[i]);
    for (int r = 0; r < VLM_ROLE_COUNT; r++) {
      vlm_graph *graph = vlm_bundle_graph_once(e->bundle, r);
      if (graph) found |= vlm_flow_bind_dim(graph, &e->opts->freeze[i]);
    }
    VLM_CHECK(found, e->err, VLM_INPUT, "%s: no input has a dimension named \"%s\"", e->bundle->source,
              e->opts->freeze[i].dim);
  }
out:
  return st;
}

/* What stands beside the graphs: the folder is a bundle again. */
static vlm_status write_texts(exporting *e) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  for (int t = 0; t < VLM_TEXT_COUNT && e->opts->folder; t++) {
    const char *text = e->bundle->texts[t];
    if (!text) continue;
    VLM_TRY(vlm_path_join(&path, e->opts->folder, vlm_text_file((vlm_bundle_text)t), e->err));
    VLM_TRY(vlm_file_write(path, text, strlen(text), e->err));
    vlm_free(path);
    path = NULL;
  }
out:
  vlm_free(path);
  return st;
}

static vlm_status export_all(exporting *e) {
  vlm_status st = VLM_OK;
  if (e->opts->folder) VLM_TRY(vlm_folder_make(e->opts->folder, e->err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    bool decoder = r == VLM_ROLE_DECODER_FIRST || r == VLM_ROLE_DECODER_STEP;
    if (vlm_bundle_graph_once(e->bundle, r) && !(decoder && e->bundle->merged))
      VLM_TRY(export_graph(e, (vlm_role)r, file_name(e, e->bundle->graphs[r])));
  }
  bool split = vlm_target_has(e->opts->target, VLM_TARGET_SPLIT);
  if (e->bundle->merged) VLM_TRY(split ? export_branches(e) : export_merged(e));
  VLM_TRY(write_texts(e));
out:
  return st;
}

/* Of a single graph that there are samples of. */
static vlm_status spare(exporting *e) {
  vlm_status st = VLM_OK;
  vlm_trials *trials = NULL;
  vlm_sample_list samples = {.count = 0};
  vlm_graph *graph = e->bundle->graphs[VLM_ROLE_MODEL];
  bool wants = vlm_target_has(e->how.target, VLM_TARGET_CONV_OUTPUT | VLM_TARGET_PRODUCT_OUTPUT);
  if (e->bundle->family != VLM_FAMILY_GRAPH || !graph || !wants || !e->plan->plan->count) return VLM_OK;
  VLM_TRY(vlm_sample_list_make(&samples, e->bundle, e->plan->stats, e->plan->samples, e->err));
  if (!samples.count) goto out;
  VLM_TRY(vlm_trials_open(&trials, e->context, graph, samples.items, samples.count, e->err));
  VLM_TRY(vlm_spare(&e->out->spared, trials, e->plan->plan, &e->how, e->err));
  e->how.spared = e->out->spared.items;
  e->how.n_spared = e->out->spared.count;
out:
  vlm_trials_free(trials);
  vlm_sample_list_free(&samples);
  return st;
}

static vlm_status check(const vlm_flow_export_opts *o, const vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_bundle *bundle = vlm_quantization_result(q)->bundle;
  VLM_CHECK(!vlm_is_packed(bundle->source), err, VLM_USAGE,
            "%s: ONNX files are made of the ONNX model, not of a packed one", bundle->source);
  VLM_CHECK(o->format != VLM_EXPORT_QOPERATOR || vlm_target_has(o->target, VLM_TARGET_QOPERATOR), err,
            VLM_USAGE, "--format qoperator: %s takes no QLinear operators; --format qdq", o->target->name);
  VLM_CHECK(!o->file || bundle->family == VLM_FAMILY_GRAPH, err, VLM_USAGE,
            "%s: %s is several graphs; --onnx-out DIR writes a file for each", o->file, bundle->source);
out:
  return st;
}

vlm_status vlm_flow_export(vlm_flow_export_result *out, vlm_context *context, const vlm_quantization *q,
                           const vlm_flow_export_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  exporting e = {
      .context = context, .opts = opts, .plan = vlm_quantization_result(q), .out = out, .err = err};
  const vlm_bundle_opts how = {
      .decoder = opts->open.decoder, .variant = opts->open.variant, .as_files = true};
  *out = (vlm_flow_export_result){.files = NULL};
  VLM_TRY(check(opts, q, err));
  e.how = (vlm_export_opts){
      .target = opts->target, .format = opts->format, .quant = e.plan->quant, .stats = e.plan->stats};
  VLM_TRY(vlm_bundle_open(&e.bundle, e.plan->bundle->source, &how, err));
  VLM_TRY(spare(&e));
  VLM_TRY(freeze(&e));
  VLM_TRY(export_all(&e));
out:
  vlm_bundle_free(e.bundle);
  return st;
}

void vlm_flow_export_free(vlm_flow_export_result *result) {
  for (int32_t i = 0; i < result->count; i++) {
    vlm_free(result->files[i].path);
    vlm_export_report_free(&result->files[i].report);
  }
  vlm_free(result->files);
  vlm_spared_free(&result->spared);
  *result = (vlm_flow_export_result){.files = NULL};
}
