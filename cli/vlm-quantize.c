/* vlm-quantize: a model and its statistics in, one packed INT8 file out. */
#include "cli/data.h"
#include "cli/inspect.h"
#include "cli/quantize.h"

static vlm_flow_quantize_opts flow_opts(const vlm_quantize_job *j) {
  enum { NEAREST = 1 }; /* of --rounding */
  const vlm_args *args = j->cli->args;
  return (vlm_flow_quantize_opts){
      .quant = j->opts,
      .pack = j->pack,
      .weights_float = j->weights_float,
      .calib = args->calib,
      .partial = args->partial,
      .plan = args->plan,
      .strict = args->strict,
      .min_int8 = j->min_int8,
      .samples = j->samples,
      .prompts = args->prompt.items,
      .n_prompts = args->prompt.count,
      .target_db = args->target_sqnr,
      .max_drop = {.set = VLM_OPTION_GIVEN(args, max_drop), .value = args->max_drop},
      .round_nearest = args->rounding == NEAREST || j->opts.per_tensor_weights, /* plain all the way */
      .options = vlm_text_get(&j->options)};
}

static vlm_status write_pack(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = vlm_flow_quantize_write(j->work, j->output, err);
  const vlm_flow_quantize_result *r = j->result;
  if (r->no_golden.status != VLM_OK) vlm_say(j->cli, "no golden answer in the file: %s", r->no_golden.text);
  if (st != VLM_OK) return st;
  double in = (double)r->float_bytes, out = (double)r->bytes;
  vlm_say(j->cli, "%s: %s, %.1f %% of the weights' %s in float", j->output, vlm_show_bytes(out).text,
          100.0 * out / (in > 0 ? in : 1), vlm_show_bytes(in).text);
  return VLM_OK;
}

/* The table is shown also where it holds too little. */
static vlm_status apply(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = vlm_flow_quantize_apply(j->work, err);
  if (j->result->measured) vlm_quantize_print_coverage(j);
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_quantize_job j = {.cli = cli, .start = vlm_now()};
  VLM_TRY(vlm_quantize_options(&j, err));
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  VLM_TRY(vlm_cli_open(&j.bundle, cli, j.model, VLM_OPEN_AS_IT_IS, err));
  VLM_TRY(vlm_cli_captions(&j.captions, cli, cli->args->refs, err));
  if (cli->args->inputs.count || cli->args->images.count)
    VLM_TRY(vlm_cli_data(&j.samples, cli, j.bundle, &j.captions, &j.skipped, err));
  const vlm_flow_quantize_opts opts = flow_opts(&j);
  VLM_TRY(vlm_flow_quantize_plan(&j.work, j.context, j.bundle, &opts, err));
  j.result = vlm_quantization_result(j.work);
  vlm_quantize_print_plan(&j);
  vlm_quantize_print_search(&j);
  vlm_quantize_print_outputs(&j);
  VLM_TRY(vlm_quantize_save_plans(&j, err));
  VLM_TRY(apply(&j, err));
  if (!cli->args->dry_run) VLM_TRY(vlm_quantize_onnx(&j, err));
  if (!cli->args->dry_run && j.output) VLM_TRY(write_pack(&j, err));
  VLM_TRY(vlm_quantize_print_json(&j, err));
out:
  vlm_flow_export_free(&j.exported);
  vlm_quantization_free(j.work);
  vlm_quantize_options_free(&j);
  vlm_skipped_free(&j.skipped);
  vlm_dataset_free(j.samples);
  vlm_caption_set_free(&j.captions);
  vlm_bundle_free(j.bundle);
  vlm_context_free(j.context);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('q', run, argc, argv); }
