#include "cli/data.h"

static vlm_status read_shard(const vlm_cli *cli, vlm_flow_data_opts *opts, vlm_error *err) {
  const char *text = vlm_args_text(cli->args, VLM_OPT_SHARD, NULL);
  unsigned long shard, shards;
  int used = 0;
  if (!text) return VLM_OK;
  if (sscanf(text, "%lu/%lu%n", &shard, &shards, &used) != 2 || text[used] || shard >= shards)
    return vlm_fail(err, VLM_USAGE, "--shard %s: wanted I/N with I from 0 to N-1, such as 0/3", text);
  opts->shard = shard;
  opts->shards = shards;
  return VLM_OK;
}

static vlm_status check_kind(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err) {
  bool images = cli->args->options[VLM_OPT_IMAGES].count, inputs = cli->args->options[VLM_OPT_INPUTS].count;
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  if (!images && !inputs) return vlm_fail(err, VLM_USAGE, "%s PATH is missing: which data should be run?", graph ? "--inputs" : "--images");
  if (graph && images) return vlm_fail(err, VLM_USAGE, "%s is a single graph: give its inputs with --inputs, as .npy or .npz", bundle->source);
  if (!graph && inputs) return vlm_fail(err, VLM_USAGE, "%s is a pipeline: give it --images", bundle->source);
  return VLM_OK;
}

/* A sample that cannot be read is an error of the run, which names it. */
static void say_renamed(const vlm_cli *cli, const vlm_dataset *set) {
  vlm_sample_arrays arrays;
  vlm_error ignored;
  if (vlm_dataset_count(set) == 0 || vlm_dataset_load_arrays(&arrays, set, 0, &ignored) != VLM_OK) return;
  if (*arrays.renamed) vlm_say(cli, "array %s", arrays.renamed);
  vlm_sample_arrays_free(&arrays);
}

vlm_status vlm_cli_data(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle, const vlm_captions *captions, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_flow_data_opts opts = {.sample_axis = vlm_args_has(cli->args, VLM_OPT_SAMPLE_AXIS), .captions = captions};
  int64_t limit;
  VLM_TRY(check_kind(cli, bundle, err));
  VLM_TRY(vlm_args_int(&limit, cli->args, VLM_OPT_LIMIT, 0, 1, INT32_MAX, err));
  opts.limit = (size_t)limit;
  VLM_TRY(read_shard(cli, &opts, err));
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  const vlm_option_values *paths = &cli->args->options[graph ? VLM_OPT_INPUTS : VLM_OPT_IMAGES];
  opts.paths = paths->items;
  opts.n_paths = (size_t)paths->count;
  VLM_TRY(vlm_flow_data(out, bundle, &opts, err));
  if (graph) say_renamed(cli, *out);
out:
  return st;
}

vlm_status vlm_cli_prompts(vlm_prompts *out, const vlm_cli *cli, const vlm_bundle *bundle, const vlm_dataset *set, vlm_error *err) {
  const vlm_option_values *given = &cli->args->options[VLM_OPT_PROMPT];
  return vlm_prompts_choose(out, bundle, set, given->items, given->count, err);
}
