/* ONNX files for other runtimes: -o OUT.onnx, --onnx-out. */
#include <stdlib.h>
#include <string.h>

#include "cli/inspect.h"
#include "cli/quantize.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"

/* ---- options ---- */

static bool is_onnx(const char *path) {
  size_t n = path ? strlen(path) : 0;
  return n > 5 && !strcmp(path + n - 5, ".onnx");
}

/* A range per row or at run time is what such a target cannot have: ranges in the file are the best for it. */
static void choose_activations(vlm_quantize_job *j, const vlm_target *target) {
  bool any = vlm_target_has(target, VLM_TARGET_DYNAMIC | VLM_TARGET_WEIGHT_DQ | VLM_TARGET_HALF);
  if (any || VLM_OPTION_GIVEN(j->cli->args, activations)) return;
  j->opts.activations = VLM_ACTIVATIONS_STATIC;
  vlm_say(j->cli, "%s has no ranges at run time: --activations static", target->name);
}

vlm_status vlm_quantize_onnx_options(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  j->onnx_folder = args->onnx_out;
  if (is_onnx(j->output)) {
    j->onnx_file = j->output;
    j->output = NULL;
  }
  bool written = j->onnx_file || j->onnx_folder;
  VLM_CHECK(!j->onnx_file || !j->onnx_folder, err, VLM_USAGE,
            "-o %s and --onnx-out both write ONNX; name a .vlmq file, or leave one out", j->onnx_file);
  VLM_CHECK(written || !(VLM_OPTION_GIVEN(args, target) || VLM_OPTION_GIVEN(args, format) ||
                         VLM_OPTION_GIVEN(args, opset) || args->freeze.count),
            err, VLM_USAGE,
            "--target, --format, --opset and --freeze are of ONNX files: --onnx-out DIR or -o OUT.onnx");
  j->opts.fixed_convolutions = written;
  if (written) choose_activations(j, vlm_target_get((vlm_target_id)args->target));
out:
  return st;
}

/* ---- writing ---- */

static void free_freeze(vlm_shape_binding *freeze, int32_t count) {
  for (int32_t i = 0; freeze && i < count; i++) vlm_free(vlm_unconst(freeze[i].dim));
  vlm_free(freeze);
}

static vlm_status export_files(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  const vlm_option_values *lists[] = {&args->shape, &args->freeze};
  vlm_flow_export_opts opts = {
      .target = vlm_target_get((vlm_target_id)args->target),
      .format = (vlm_export_format)args->format,
      .opset = (int32_t)args->opset,
      .folder = j->onnx_folder,
      .file = j->onnx_file,
      .open = {.decoder = (vlm_decoder_form)args->decoder, .variant = (vlm_variant)args->variant}};
  vlm_shape_binding *freeze = NULL;
  VLM_TRY(vlm_new(&freeze, args->shape.count + args->freeze.count, err));
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < lists[k]->count; i++)
      VLM_TRY(vlm_cli_read_shape(&freeze[opts.n_freeze++], lists[k]->items[i], err));
  opts.freeze = freeze;
  VLM_TRY(vlm_flow_export(&j->exported, j->context, j->work, &opts, err));
out:
  free_freeze(freeze, opts.n_freeze);
  return st;
}

/* ---- what is in them ---- */

typedef struct {
  int32_t forms[VLM_EXPORT_FORM_COUNT], lost;
} form_counts;

static form_counts count_forms(const vlm_export_report *report) {
  form_counts c = {.lost = 0};
  for (int32_t i = 0; i < report->count; i++) {
    c.forms[report->items[i].form]++;
    c.lost += report->items[i].why != NULL;
  }
  return c;
}

/* Those that are not as planned, each reason once. */
static void say_lost(const vlm_quantize_job *j, const vlm_export_report *report) {
  for (int32_t i = 0; i < report->count; i++) {
    const vlm_exported *e = &report->items[i];
    int32_t same = 0;
    bool known = false;
    for (int32_t k = 0; k < report->count && e->why; k++) {
      bool alike = report->items[k].why == e->why;
      known |= alike && k < i;
      same += alike;
    }
    if (!e->why || (known && !j->cli->verbose)) continue;
    if (j->cli->verbose)
      vlm_say(j->cli, "  %s (%s) is %s: %s", e->plan->node, e->plan->op_type, vlm_export_form_name(e->form),
              e->why);
    else vlm_say(j->cli, "  %d not as planned: %s", same, e->why);
  }
}

static void say_spared(const vlm_quantize_job *j) {
  const vlm_spared *s = &j->exported.spared;
  if (!s->measured) return;
  if (!s->count)
    vlm_say(j->cli, "as exported the worst output has %.2f dB, as planned %.2f", s->after_db, s->plan_db);
  else
    vlm_say(j->cli,
            "as exported the worst output has %.2f dB, as planned %.2f; %d nodes stay float for that (else "
            "%.2f dB)",
            s->after_db, s->plan_db, s->count, s->before_db);
}

static void say_files(const vlm_quantize_job *j) {
  for (int32_t i = 0; i < j->exported.count; i++) {
    const vlm_exported_file *f = &j->exported.files[i];
    const form_counts c = count_forms(&f->report);
    vlm_say(j->cli, "%s: %s, opset %d: %d static, %d dynamic, %d weight-only, %d float", f->path,
            vlm_show_bytes((double)f->bytes).text, f->opset, c.forms[VLM_EXPORT_STATIC],
            c.forms[VLM_EXPORT_DYNAMIC], c.forms[VLM_EXPORT_WEIGHT_ONLY], c.forms[VLM_EXPORT_FLOAT]);
    say_lost(j, &f->report);
  }
}

vlm_status vlm_quantize_onnx(vlm_quantize_job *j, vlm_error *err) {
  if (!j->onnx_file && !j->onnx_folder) return VLM_OK;
  vlm_status st = export_files(j, err);
  if (st != VLM_OK) return st;
  say_files(j);
  say_spared(j);
  return st;
}

void vlm_quantize_put_onnx(const vlm_quantize_job *j, vlm_json_writer *w) {
  if (!j->exported.count) return;
  vlm_json_open_array(w, "onnx");
  for (int32_t i = 0; i < j->exported.count; i++) {
    const vlm_exported_file *f = &j->exported.files[i];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "file", f->path);
    vlm_json_put_text(w, "target", vlm_target_get((vlm_target_id)j->cli->args->target)->name);
    vlm_json_put_int(w, "opset", f->opset);
    vlm_json_put_int(w, "bytes", (int64_t)f->bytes);
    vlm_json_open_array(w, "nodes");
    for (int32_t k = 0; k < f->report.count; k++) {
      const vlm_exported *e = &f->report.items[k];
      vlm_json_open_object(w, NULL);
      vlm_json_put_text(w, "graph", e->plan->graph);
      vlm_json_put_text(w, "node", e->plan->node);
      vlm_json_put_text(w, "form", vlm_export_form_name(e->form));
      if (e->why) vlm_json_put_text(w, "why", e->why);
      vlm_json_close_object(w);
    }
    vlm_json_close_array(w);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}
