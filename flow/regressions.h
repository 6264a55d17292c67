/* The images on which a new model does worse than the one before it. */
#ifndef VLM_FLOW_REGRESSIONS_H
#define VLM_FLOW_REGRESSIONS_H

#include "flow/evaluate.h"

typedef struct vlm_regression {
  const char *key;
  const char *prompt;         /* NULL for single graphs */
  const char *before, *after; /* captions; NULL for single graphs */
  double figures[2];          /* of the old and the new model; NaN = there is none */
} vlm_regression;

typedef struct vlm_regressions {
  const char
      *metric; /* what the figures are: "CIDEr-D", "unchanged", "place of the label", "agreement", "dB" */
  vlm_regression *items;          /* largest loss first */
  int64_t count, better, samples; /* worse, better, all */
} vlm_regressions;

/* now: the new model against the reference; before: the old one against the same reference, or NULL when the old
 * one is the reference. Texts are borrowed from both. Free with vlm_regressions_free. */
vlm_status vlm_regressions_find(vlm_regressions *out, const vlm_flow_evaluation *now,
                                const vlm_flow_evaluation *before, vlm_error *err);
void vlm_regressions_free(vlm_regressions *regressions);

#endif
