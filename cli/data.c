#include "cli/data.h"

#include <stdio.h>

#include "flow/prompt_check.h"

vlm_status vlm_shard_parse(size_t *shard, size_t *shards, const char *text, vlm_error *err) {
  int used = 0;
  if (sscanf(text, "%zu/%zu%n", shard, shards, &used) == 2 && !text[used] && *shard < *shards) return VLM_OK;
  return vlm_fail(err, VLM_USAGE, "--shard %s: wanted I/N with I from 0 to N-1, such as 0/3", text);
}

static vlm_status check_kind(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err) {
  bool images = cli->args->images.count > 0, inputs = cli->args->inputs.count > 0;
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  if (graph && images)
    return vlm_fail(err, VLM_USAGE, "%s is a single graph: give its inputs with --inputs, as .npy or .npz",
                    bundle->source);
  if (!graph && inputs) return vlm_fail(err, VLM_USAGE, "%s is a pipeline: give it --images", bundle->source);
  return VLM_OK;
}

/* A sample that cannot be read is an error of the run, which names it. */
static void say_renamed(const vlm_cli *cli, const vlm_dataset *set) {
  vlm_sample_arrays arrays;
  vlm_error ignored;
  if (vlm_dataset_count(set) == 0 || vlm_dataset_load_arrays(&arrays, set, 0, &ignored) != VLM_OK) return;
  if (*arrays.renamed) vlm_say(cli, "array %s", arrays.renamed);
  if (*arrays.ignored && cli->verbose) vlm_say(cli, "arrays that are no input, not read: %s", arrays.ignored);
  vlm_sample_arrays_free(&arrays);
}

vlm_status vlm_cli_captions(vlm_caption_set *out, const vlm_cli *cli, const char *path, vlm_error *err) {
  const vlm_caption_opts opts = {.split = cli->args->split, .must_split = true};
  return path ? vlm_caption_set_load(out, path, &opts, err) : VLM_OK;
}

/* What the look at images found that their owner may not expect. */
static void say_seen(const vlm_cli *cli, const vlm_dataset *set) {
  const vlm_dataset_seen seen = vlm_dataset_what_was_seen(set);
  if (seen.turned && !cli->args->no_exif)
    vlm_say(cli,
            "plan: %zu image%s turned as the EXIF orientation says; --no-exif takes them as they are stored",
            seen.turned, seen.turned == 1 ? " is" : "s are");
  if (seen.endless == 1)
    vlm_say(cli, "warning: %s has no end marker; its pixels are complete and are used", seen.first_endless);
  else if (seen.endless)
    vlm_say(cli,
            "warning: %zu images have no end marker, %s the first; their pixels are complete and are used",
            seen.endless, seen.first_endless);
}

/* Fills in what all kinds of samples share. */
static vlm_status open_set(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle,
                           vlm_flow_data_opts *opts, vlm_skipped *skipped, vlm_error *err) {
  enum { SKIP = 1 }; /* of --on-bad */
  const vlm_args *args = cli->args;
  skipped->cli = cli;
  opts->image = (vlm_image_opts){.max_pixels = args->max_pixels, .as_stored = args->no_exif};
  opts->skip_bad = args->on_bad == SKIP;
  opts->skipped = vlm_skipped_add;
  opts->user = skipped;
  vlm_status st = vlm_flow_data(out, bundle, opts, err);
  if (st == VLM_OK || skipped->count > 1) vlm_skipped_say(skipped); /* one alone is the error */
  if (st == VLM_OK) say_seen(cli, *out);
  return st;
}

vlm_status vlm_cli_images(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle,
                          const char *const *paths, int count, vlm_skipped *skipped, vlm_error *err) {
  vlm_flow_data_opts opts = {.paths = paths, .n_paths = (size_t)count};
  return open_set(out, cli, bundle, &opts, skipped, err);
}

vlm_status vlm_cli_data(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle,
                        const vlm_caption_set *captions, vlm_skipped *skipped, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_flow_data_opts opts = {.limit = (size_t)cli->args->limit,
                             .sample_axis = cli->args->sample_axis,
                             .captions = captions && captions->n_images ? captions : NULL};
  VLM_TRY(check_kind(cli, bundle, err));
  if (cli->args->shard) VLM_TRY(vlm_shard_parse(&opts.shard, &opts.shards, cli->args->shard, err));
  bool graph = bundle->family == VLM_FAMILY_GRAPH;
  const vlm_option_values *paths = graph ? &cli->args->inputs : &cli->args->images;
  opts.paths = paths->items;
  opts.n_paths = (size_t)paths->count;
  VLM_TRY(open_set(out, cli, bundle, &opts, skipped, err));
  if (graph) say_renamed(cli, *out);
out:
  return st;
}

vlm_status vlm_cli_prompts(vlm_prompts *out, const vlm_cli *cli, const vlm_bundle *bundle,
                           const vlm_dataset *set, vlm_error *err) {
  const vlm_option_values *given = &cli->args->prompt;
  if (!cli->args->raw_prompt && bundle->family != VLM_FAMILY_GRAPH) {
    const vlm_status st = vlm_prompts_check(bundle, set, given->items, given->count, err);
    if (st != VLM_OK) return st;
  }
  return vlm_prompts_choose(out, bundle, set, given->items, given->count, err);
}
