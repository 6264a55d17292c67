/* Data sets from the command line. */
#ifndef VLM_CLI_DATA_H
#define VLM_CLI_DATA_H

#include "cli/program.h"
#include "cli/skipped.h"
#include "flow/data.h"

/* --images for pipelines, --inputs for single graphs, with --limit, --shard and --sample-axis; captions (may be NULL) become the references.
 * What is not used joins `skipped`, also on failure, and is told. VLM_USAGE when the wrong one was given. Free with vlm_dataset_free. */
vlm_status vlm_cli_data(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle,
                        const vlm_caption_set *captions, vlm_skipped *skipped, vlm_error *err);
/* The same of images that are arguments. */
vlm_status vlm_cli_images(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle,
                          const char *const *paths, int count, vlm_skipped *skipped, vlm_error *err);
/* Captions for images, of the split that --split names; path NULL = an empty set. */
vlm_status vlm_cli_captions(vlm_caption_set *out, const vlm_cli *cli, const char *path, vlm_error *err);

/* "I/N", as --shard takes it. VLM_USAGE when the text has not the form. */
vlm_status vlm_shard_parse(size_t *shard, size_t *shards, const char *text, vlm_error *err);

/* Of --prompt (vlm_prompts_choose). `out` must stay where it is. Free with vlm_free(out->own). */
vlm_status vlm_cli_prompts(vlm_prompts *out, const vlm_cli *cli, const vlm_bundle *bundle,
                           const vlm_dataset *set, vlm_error *err);

#endif
