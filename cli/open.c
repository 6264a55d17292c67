/* A model argument: bundle folder, .onnx file or .vlmq file, with --decoder and --shape. */
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "runtime/base/memory.h"

static vlm_status read_decoder(vlm_decoder_form *out, const vlm_cli *cli, vlm_error *err) {
  static const char *const FORMS[] = {[VLM_DECODER_ANY] = "any", [VLM_DECODER_MERGED] = "merged", [VLM_DECODER_SEPARATE] = "separate"};
  const char *text = vlm_args_text(cli->args, VLM_OPT_DECODER, "any");
  for (int i = 0; i < 3; i++)
    if (!strcmp(FORMS[i], text)) {
      *out = (vlm_decoder_form)i;
      return VLM_OK;
    }
  return vlm_fail(err, VLM_USAGE, "--decoder %s: wanted merged or separate", text);
}

/* The binding points into its own copy of the text. */
static vlm_status read_shape(vlm_shape_binding *out, const char *text, vlm_error *err) {
  const char *equals = strrchr(text, '=');
  char *end = NULL, *dim = NULL;
  long long size = equals ? strtoll(equals + 1, &end, 10) : -1;
  if (size < 0 || *end) return vlm_fail(err, VLM_USAGE, "--shape %s: wanted DIM=N, such as batch_size=1", text);
  vlm_status st = vlm_strdup(&dim, text, err);
  if (st != VLM_OK) return st;
  dim[equals - text] = 0;
  *out = (vlm_shape_binding){dim, size};
  return VLM_OK;
}

void vlm_cli_open_free(vlm_cli_open_opts *opts) {
  for (int32_t i = 0; i < opts->flow.n_shapes; i++) vlm_free((char *)(uintptr_t)opts->shapes[i].dim);
  vlm_free(opts->shapes);
}

vlm_status vlm_cli_open_read(vlm_cli_open_opts *out, const vlm_cli *cli, vlm_open_use use, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &cli->args->options[VLM_OPT_SHAPE];
  *out = (vlm_cli_open_opts){.flow = {.lower = use != VLM_OPEN_AS_IT_IS, .lazy = use == VLM_OPEN_TO_RUN}};
  VLM_TRY(read_decoder(&out->flow.decoder, cli, err));
  VLM_TRY(vlm_new(&out->shapes, given->count, err));
  out->flow.shapes = out->shapes;
  for (int i = 0; i < given->count; i++) {
    VLM_TRY(read_shape(&out->shapes[i], given->items[i], err));
    out->flow.n_shapes++;
  }
out:
  return st;
}

vlm_status vlm_cli_open(vlm_bundle **out, const vlm_cli *cli, const char *path, vlm_open_use use, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cli_open_opts opts;
  *out = NULL;
  VLM_TRY(vlm_cli_open_read(&opts, cli, use, err));
  VLM_TRY(vlm_flow_open(out, path, &opts.flow, err));
out:
  vlm_cli_open_free(&opts);
  return st;
}
