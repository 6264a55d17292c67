/* Samples that the statistics file keeps, so that what is packed can be run against the float model where the samples themselves are not at
 * hand: inputs of a single graph, image files and prompts of a pipeline.
 *
 * Kept are the samples of the smallest digests, those held out apart from those calibrated with: weights are rounded with the latter
 * (quant/weight_round.h), what is packed is measured on the former. So the list is a function of the multiset of samples, as all statistics.
 */
#ifndef VLM_CALIB_KEPT_H
#define VLM_CALIB_KEPT_H

#include "calib/stats.h"

enum {
  VLM_KEPT_MOST = 8,
  VLM_KEPT_IMAGES = 32, /* of a pipeline, that were calibrated with */
  VLM_KEPT_BYTES = 4 << 20 /* of a sample; larger ones are not kept */,
  VLM_KEPT_IMAGE_BYTES = 1 << 20,
  VLM_KEPT_INPUTS = 64 /* graphs of more keep none */
};

typedef struct vlm_kept_sample {
  vlm_digest digest;
  bool held_out; /* no range knows it */
  int32_t count;
  char **names;        /* inputs */
  vlm_tensor *tensors; /* data owned */
} vlm_kept_sample;

typedef struct vlm_kept_list {
  vlm_kept_sample *items[VLM_KEPT_MOST + VLM_KEPT_IMAGES]; /* held-out ones first, each part by digest */
  int32_t count;
  bool images; /* of a pipeline: to be set before samples are added */
} vlm_kept_list;

/* Names of what a sample of a pipeline holds: the bytes of a file, the prompt's text. */
#define VLM_KEPT_IMAGE "vlm:image"
#define VLM_KEPT_PROMPT "vlm:prompt"

/* A copy. */
vlm_status vlm_kept_sample_make(vlm_kept_sample **out, vlm_digest digest, bool held_out,
                                const char *const *names, const vlm_tensor *tensors, int32_t count,
                                vlm_error *err);
void vlm_kept_sample_free(vlm_kept_sample *sample);

/* Whether a sample of that digest and size would stay. */
bool vlm_kept_wants(const vlm_kept_list *list, vlm_digest digest, bool held_out, size_t bytes);
/* The list owns the sample from now on, or frees it when there is no room. */
void vlm_kept_add(vlm_kept_list *list, vlm_kept_sample *sample);
vlm_status vlm_kept_merge(vlm_kept_list *list, const vlm_kept_list *other, vlm_error *err);
vlm_status vlm_kept_digest(vlm_digest *out, const vlm_kept_list *list, vlm_error *err);
size_t vlm_kept_bytes(const vlm_tensor *tensors, int32_t count);
/* Of all samples. */
size_t vlm_kept_list_bytes(const vlm_kept_list *list);
void vlm_kept_free(vlm_kept_list *list);

#endif
