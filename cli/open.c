/* A model argument: bundle folder, .onnx file or .vlmq file, with --decoder and --shape. */
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "hub/settings.h"
#include "runtime/base/memory.h"

vlm_status vlm_cli_read_shape(vlm_shape_binding *out, const char *text, vlm_error *err) {
  const char *equals = strrchr(text, '=');
  char *dim = NULL;
  vlm_status st = vlm_strdup(&dim, text, err);
  if (st != VLM_OK) return st;
  dim[equals - text] = 0;
  *out = (vlm_shape_binding){dim, strtoll(equals + 1, NULL, 10)};
  return VLM_OK;
}

void vlm_cli_open_free(vlm_cli_open_opts *opts) {
  for (int32_t i = 0; i < opts->flow.n_shapes; i++) vlm_free((char *)(uintptr_t)opts->shapes[i].dim);
  vlm_free(opts->shapes);
}

vlm_status vlm_cli_open_read(vlm_cli_open_opts *out, const vlm_cli *cli, vlm_open_use use, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &cli->args->shape;
  *out = (vlm_cli_open_opts){.flow = {.decoder = (vlm_decoder_form)cli->args->decoder,
                                      .variant = (vlm_variant)cli->args->variant,
                                      .raw_prompt = cli->args->raw_prompt,
                                      .lower = use != VLM_OPEN_AS_IT_IS,
                                      .lazy = use == VLM_OPEN_TO_RUN}};
  VLM_TRY(vlm_new(&out->shapes, given->count, err));
  out->flow.shapes = out->shapes;
  for (int i = 0; i < given->count; i++) {
    VLM_TRY(vlm_cli_read_shape(&out->shapes[i], given->items[i], err));
    out->flow.n_shapes++;
  }
out:
  return st;
}

/* What the files ask for in vain. */
static vlm_status say_ignored(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err) {
  char *names = NULL;
  if (bundle->family == VLM_FAMILY_GRAPH) return VLM_OK;
  const vlm_status st = vlm_hub_ignored(&names, bundle, err);
  if (st == VLM_OK && *names)
    vlm_say(cli, "note: generation_config.json: not applied: %s; the search is greedy, or by beams", names);
  vlm_free(names);
  return st;
}

vlm_status vlm_cli_open(vlm_bundle **out, const vlm_cli *cli, const char *path, vlm_open_use use,
                        vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cli_open_opts opts;
  *out = NULL;
  VLM_TRY(vlm_cli_open_read(&opts, cli, use, err));
  VLM_TRY(vlm_flow_open(out, path, &opts.flow, err));
  if (use != VLM_OPEN_AS_IT_IS) VLM_TRY(say_ignored(cli, *out, err));
out:
  vlm_cli_open_free(&opts);
  return st;
}

vlm_status vlm_cli_fit(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err) {
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  return vlm_args_fit(cli->args, graph ? "graph" : "pipeline", graph ? "a single graph" : "a pipeline", err);
}
