/* Class labels of samples. Read from
 *   text        a line per sample, in the order of the samples: "281"; or named: "val_1.npz 281", with a blank, a tab or a comma
 *   JSON        [281, ...], or {"val_1.npz": 281, ...}
 * Names are compared with the samples' keys in full, else without folder and suffix where that is unique. */
#ifndef VLM_EVAL_LABELS_H
#define VLM_EVAL_LABELS_H

#include "calib/dataset.h"

typedef struct vlm_labels vlm_labels;

/* Free with vlm_labels_free. */
vlm_status vlm_labels_load(vlm_labels **out, const char *path, vlm_error *err);
void vlm_labels_free(vlm_labels *labels);
/* VLM_INPUT when the sample has none. */
vlm_status vlm_labels_find(int64_t *out, const vlm_labels *labels, const vlm_sample *sample, vlm_error *err);

#endif
