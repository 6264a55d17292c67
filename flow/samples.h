/* The samples that a plan is measured on. */
#ifndef VLM_FLOW_SAMPLES_H
#define VLM_FLOW_SAMPLES_H

#include "calib/dataset.h"
#include "calib/kept.h"
#include "runtime/bundle/bundle.h"

enum { VLM_SAMPLES_MOST = 16, VLM_SAMPLES_TO_ROUND = 64 }; /* to measure on, to round with */

typedef struct vlm_sample_list {
  vlm_kept_sample *items[VLM_SAMPLES_TO_ROUND];
  int32_t count;
  bool held_out; /* no range knows any of them */
  bool owned;
} vlm_sample_list;

/* Of a single graph. From the set: those that the statistics hold out, else those they do not know, else all, by
 * digest; set NULL: what the statistics (may be NULL) keep. Both must outlive the list. Free with
 * vlm_sample_list_free. */
vlm_status vlm_sample_list_make(vlm_sample_list *out, const vlm_bundle *bundle, const vlm_stats *stats,
                                const vlm_dataset *set, vlm_error *err);
/* The same for a pipeline: the set is left with the samples that are chosen, `most` of them. `prompt` is the first one that samples
 * without their own were calibrated with. */
vlm_status vlm_samples_pick(vlm_dataset *set, bool *held_out, size_t most, const vlm_stats *stats,
                            const char *prompt, vlm_error *err);
/* Places in the set of those that vlm_samples_pick would not choose with VLM_SAMPLES_MOST and that are not held out: at most VLM_SAMPLES_TO_ROUND, by digest. Free
 * *places with vlm_free. */
vlm_status vlm_samples_rest(size_t **places, size_t *count, const vlm_dataset *set, const vlm_stats *stats,
                            const char *prompt, vlm_error *err);
/* Of a single graph, from the same places: those to round weights with, which the list above does not hold and which are not held out; where it
 * holds all that were calibrated with, these. */
vlm_status vlm_sample_list_rest(vlm_sample_list *out, const vlm_bundle *bundle, const vlm_stats *stats,
                                const vlm_dataset *set, vlm_error *err);
void vlm_sample_list_free(vlm_sample_list *list);

#endif
