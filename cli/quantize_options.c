#include <string.h>

#include "cli/quantize.h"
#include "runtime/base/memory.h"

static vlm_status choose(int *out, const vlm_cli *cli, vlm_option_id id, const char *const *names,
                         int fallback, vlm_error *err) {
  const char *text = vlm_args_text(cli->args, id, names[fallback]);
  char known[256] = "";
  for (int i = 0; names[i]; i++) {
    if (!strcmp(names[i], text)) {
      *out = i;
      return VLM_OK;
    }
    strncat(strncat(known, " ", sizeof known - strlen(known) - 1), names[i],
            sizeof known - strlen(known) - 1);
  }
  return vlm_fail(err, VLM_USAGE, "%s %s: known are%s", vlm_option_name(id), text, known);
}

/* GLOB or GLOB=f32, which is the same; another type is not there to be kept in. */
static vlm_status read_keep(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &j->cli->args->options[VLM_OPT_KEEP];
  VLM_TRY(vlm_new(&j->keep, given->count, err));
  for (int i = 0; i < given->count; i++) {
    VLM_TRY(vlm_strdup(&j->keep[i], given->items[i], err));
    char *type = strrchr(j->keep[i], '=');
    if (!type) continue;
    VLM_CHECK(strcmp(type, "=f16"), err, VLM_USAGE, "--keep %s: f16 is not built yet; what is kept stays f32",
              given->items[i]);
    if (!strcmp(type, "=f32")) *type = 0;
  }
  j->opts.keep = (const char *const *)j->keep;
  j->opts.n_keep = given->count;
out:
  return st;
}

static vlm_status read_codec(vlm_quantize_job *j, vlm_error *err) {
  static const char *const CODECS[] = {"zstd", "raw", NULL};
  vlm_status st = VLM_OK;
  int codec;
  int64_t level;
  VLM_TRY(choose(&codec, j->cli, VLM_OPT_CODEC, CODECS, 0, err));
  VLM_TRY(vlm_args_int(&level, j->cli->args, VLM_OPT_LEVEL, 19, 1, 19, err));
  j->pack = (vlm_pack_opts){.codec = codec ? VLM_PACK_RAW : VLM_PACK_ZSTD, .level = (int)level};
out:
  return st;
}

vlm_status vlm_quantize_options(vlm_quantize_job *j, vlm_error *err) {
  static const char *const WEIGHTS[] = {"s8", "s8-tensor", "f32", NULL};
  static const char *const ACTIVATIONS[] = {"auto", "static", "dynamic", "none", NULL};
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  int weights, activations;
  VLM_CHECK(args->positional.count == 1, err, VLM_USAGE, "wanted one model, got %d; see vlm-quantize --help",
            args->positional.count);
  j->model = args->positional.items[0];
  j->output = vlm_args_text(args, VLM_OPT_OUTPUT, NULL);
  VLM_CHECK(j->output || vlm_args_has(args, VLM_OPT_DRY_RUN), err, VLM_USAGE,
            "-o FILE is missing: where should the packed model go?");
  size_t n = j->output ? strlen(j->output) : 0;
  VLM_CHECK(n < 5 || strcmp(j->output + n - 5, ".onnx"), err, VLM_USAGE,
            "-o %s: writing ONNX is not built yet; name a .vlmq file", j->output);
  VLM_TRY(choose(&weights, j->cli, VLM_OPT_WEIGHTS, WEIGHTS, 0, err));
  VLM_TRY(choose(&activations, j->cli, VLM_OPT_ACTIVATIONS, ACTIVATIONS, 0, err));
  j->opts.per_tensor_weights = weights == 1;
  j->weights_float = weights == 2;
  j->opts.activations = (vlm_activation_mode)activations;
  VLM_TRY(vlm_range_method_parse(&j->opts.range, &j->opts.percentile,
                                 vlm_args_text(args, VLM_OPT_RANGE, "auto"), err));
  j->opts.everything = vlm_args_has(args, VLM_OPT_EVERYTHING);
  VLM_TRY(vlm_args_number(&j->min_int8, args, VLM_OPT_MIN_INT8, -1, err));
  VLM_CHECK(j->min_int8 <= 100, err, VLM_USAGE, "--min-int8 %g: wanted percent of the weights, at most 100",
            j->min_int8);
  VLM_TRY(read_keep(j, err));
  VLM_TRY(read_codec(j, err));
  for (int i = 0; i < args->options[VLM_OPT_NO_TRANSFORM].count; i++) {
    const char *name = args->options[VLM_OPT_NO_TRANSFORM].items[i];
    VLM_CHECK(!strcmp(name, "weight-search"), err, VLM_USAGE, "--no-transform %s: known is weight-search",
              name);
    j->opts.no_weight_search = true;
  }
  /* A recipe for comparison is plain all the way. */
  if (j->opts.per_tensor_weights) j->opts.no_weight_search = true;
out:
  return st;
}

void vlm_quantize_options_free(vlm_quantize_job *j) {
  for (int i = 0; j->keep && i < j->cli->args->options[VLM_OPT_KEEP].count; i++) vlm_free(j->keep[i]);
  vlm_free(j->keep);
}
