/* Data sets from the command line. */
#ifndef VLM_CLI_DATA_H
#define VLM_CLI_DATA_H

#include "calib/dataset.h"
#include "cli/program.h"

/* --images for pipelines, --inputs for single graphs, with --limit, --shard and --sample-axis; captions (may be NULL) become the references.
 * VLM_USAGE when the wrong one was given. Free with vlm_dataset_free. */
vlm_status vlm_cli_data(vlm_dataset **out, const vlm_cli *cli, const vlm_bundle *bundle, const vlm_captions *captions, vlm_error *err);

/* --prompt, or what the bundle asks by default ("<CAPTION>" when it does not say). */
typedef struct vlm_prompts {
  const char *const *items;
  int32_t count;
  char *own; /* the default */
} vlm_prompts;
/* Of --prompt or the bundle's default. Several prompts for a set (may be NULL) with prompts of its own are VLM_USAGE.
 * `out` must stay where it is. Free with vlm_free(out->own). */
vlm_status vlm_cli_prompts(vlm_prompts *out, const vlm_cli *cli, const vlm_bundle *bundle, const vlm_dataset *set, vlm_error *err);

#endif
