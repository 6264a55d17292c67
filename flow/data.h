/* The samples and prompts that a model is run with. */
#ifndef VLM_FLOW_DATA_H
#define VLM_FLOW_DATA_H

#include "calib/dataset.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_flow_data_opts {
  const char *const *paths; /* images for a pipeline, arrays for a single graph (calib/dataset.h) */
  size_t n_paths;
  size_t limit;         /* the first N samples; 0 = all */
  size_t shard, shards; /* every shards-th sample, starting with shard; shards 0 = 1 */
  bool sample_axis;     /* arrays have a leading sample axis */
  vlm_image_opts image; /* on_white: as the bundle's processor does, whatever it is here */
  bool skip_bad; /* samples that cannot be used are left out; else any one is an error that tells all */
  /* What was given and is not used, and why, also when opening fails because of it. NULL = not told. */
  void (*skipped)(void *user, const char *path, const char *reason);
  void *user;
  const vlm_caption_set *captions; /* reference captions, or NULL; must outlive the set */
} vlm_flow_data_opts;

/* The set that fits the bundle: images, or arrays for the inputs of its graph, each looked at (vlm_dataset_check). Free with vlm_dataset_free. */
vlm_status vlm_flow_data(vlm_dataset **out, const vlm_bundle *bundle, const vlm_flow_data_opts *opts,
                         vlm_error *err);

/* The images that statistics of a pipeline keep. as_stored: as vlm_image_opts. The list must outlive the set. Free with vlm_dataset_free. */
vlm_status vlm_flow_data_kept(vlm_dataset **out, const vlm_bundle *bundle, const struct vlm_kept_list *list,
                              bool as_stored, vlm_error *err);

typedef struct vlm_prompts {
  const char *const *items;
  int32_t count;
  char *own; /* the default */
} vlm_prompts;

/* Those given, or what the bundle asks by default ("<CAPTION>" when it does not say). Several prompts for a set
 * (may be NULL) with prompts of its own are VLM_USAGE: a manifest's prompt takes the place of one, of which would
 * be a guess. `out` must stay where it is. Free with vlm_free(out->own). */
vlm_status vlm_prompts_choose(vlm_prompts *out, const vlm_bundle *bundle, const vlm_dataset *set,
                              const char *const *given, int32_t n_given, vlm_error *err);

#endif
