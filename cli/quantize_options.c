#include <string.h>

#include "cli/quantize.h"
#include "runtime/base/memory.h"

/* GLOB or GLOB=f32, which is the same; another type is not there to be kept in. */
static vlm_status read_keep(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &j->cli->args->keep;
  VLM_TRY(vlm_new(&j->keep, given->count, err));
  for (int i = 0; i < given->count; i++) {
    VLM_TRY(vlm_strdup(&j->keep[i], given->items[i], err));
    char *type = strrchr(j->keep[i], '=');
    if (type && !strcmp(type, "=f32")) *type = 0;
  }
  j->opts.keep = (const char *const *)j->keep;
  j->opts.n_keep = given->count;
out:
  return st;
}

vlm_status vlm_quantize_options(vlm_quantize_job *j, vlm_error *err) {
  enum { PER_TENSOR = 1, FLOAT = 2 }; /* of --weights */
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  j->model = args->positional.items[0];
  j->output = args->output;
  j->opts.per_tensor_weights = args->weights == PER_TENSOR;
  j->weights_float = args->weights == FLOAT;
  j->opts.activations = (vlm_activation_mode)args->activations;
  VLM_TRY(vlm_range_method_parse(&j->opts.range, &j->opts.percentile, args->range, err));
  j->opts.everything = args->everything;
  j->min_int8 = args->min_int8;
  VLM_TRY(read_keep(j, err));
  j->pack = (vlm_pack_opts){.codec = args->codec ? VLM_PACK_RAW : VLM_PACK_ZSTD,
                            .level = (int)args->level,
                            .unverified = args->no_verify};
  /* A recipe for comparison is plain all the way. */
  j->opts.no_weight_search = args->no_transform.count > 0 || j->opts.per_tensor_weights;
  VLM_TRY(vlm_quantize_onnx_options(j, err));
  VLM_TRY(vlm_args_record(&j->options, args, err));
out:
  return st;
}

void vlm_quantize_options_free(vlm_quantize_job *j) {
  for (int i = 0; j->keep && i < j->cli->args->keep.count; i++) vlm_free(j->keep[i]);
  vlm_free(j->keep);
  vlm_text_free(&j->options);
}
