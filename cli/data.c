#include "cli/data.h"

#include "runtime/bundle/bundle_texts.h"

static vlm_status read_shard(const vlm_cli *cli, vlm_dataset_opts *opts, vlm_error *err) {
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

static vlm_status list_inputs(vlm_dataset_input **out, const vlm_graph *g, vlm_error *err) {
  const vlm_status st = vlm_new(out, g->n_inputs, err);
  for (int32_t i = 0; st == VLM_OK && i < g->n_inputs; i++)
    (*out)[i] = (vlm_dataset_input){.name = g->values[g->inputs[i]].name, .rank = g->values[g->inputs[i]].tensor.rank};
  return st;
}

vlm_status vlm_cli_data(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle, const vlm_captions *captions, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_dataset_input *names = NULL;
  vlm_dataset_opts opts = {.sample_axis = vlm_args_has(cli->args, VLM_OPT_SAMPLE_AXIS), .refs = captions};
  int64_t limit;
  VLM_TRY(check_kind(cli, bundle, err));
  VLM_TRY(vlm_args_int(&limit, cli->args, VLM_OPT_LIMIT, 0, 1, INT32_MAX, err));
  opts.limit = (size_t)limit;
  VLM_TRY(read_shard(cli, &opts, err));
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  const vlm_option_values *paths = &cli->args->options[graph ? VLM_OPT_INPUTS : VLM_OPT_IMAGES];
  if (graph) {
    VLM_TRY(list_inputs(&names, bundle->graphs[VLM_ROLE_MODEL], err));
    opts.inputs = names;
    opts.input_count = (size_t)bundle->graphs[VLM_ROLE_MODEL]->n_inputs;
  }
  VLM_TRY((graph ? vlm_dataset_open_inputs : vlm_dataset_open_images)(out, paths->items, (size_t)paths->count, &opts, err));
out:
  vlm_free(names); /* the set has copies */
  return st;
}

/* A manifest's own prompt takes the place of --prompt; in place of which one would be a guess. */
static vlm_status check_own_prompts(const vlm_dataset *set, int given, vlm_error *err) {
  for (size_t i = 0; set && given > 1 && i < vlm_dataset_count(set); i++)
    if (vlm_dataset_get(set, i)->prompt)
      return vlm_fail(err, VLM_USAGE, "--prompt is given %d times, but image \"%s\" has its own prompt in the manifest: give one at most", given,
                      vlm_dataset_get(set, i)->key);
  return VLM_OK;
}

vlm_status vlm_cli_prompts(vlm_prompts *out, const vlm_cli *cli, const vlm_bundle *bundle, const vlm_dataset *set, vlm_error *err) {
  const vlm_option_values *given = &cli->args->options[VLM_OPT_PROMPT];
  *out = (vlm_prompts){.items = given->items, .count = given->count};
  if (given->count) return check_own_prompts(set, given->count, err);
  vlm_status st = bundle->family == VLM_FAMILY_GRAPH ? VLM_OK : vlm_bundle_default_prompt(&out->own, bundle, err);
  if (st == VLM_OK && (!out->own || !*out->own)) {
    vlm_free(out->own);
    st = vlm_strdup(&out->own, "<CAPTION>", err);
  }
  out->items = (const char *const *)&out->own;
  out->count = 1;
  return st;
}
