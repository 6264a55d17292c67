/* Candidates matched with references. */
#ifndef VLM_EVAL_SCORED_SET_H
#define VLM_EVAL_SCORED_SET_H

#include "calib/caption_set.h"
#include "eval/scores.h"

/* Candidates matched with references and tokenized (references and candidates as one text each), in the order of the references. */
typedef struct vlm_scored_set {
  vlm_arena *arena;
  int64_t n;
  const char **ids;
  vlm_score_image *images;
  int64_t n_refs;
  int64_t empty_candidates; /* without any token: BLEU and CIDEr 0 */
  int64_t left_out[2];      /* only_with_results: images without a candidate, candidates without an image */
} vlm_scored_set;

typedef struct vlm_match_opts {
  bool
      only_with_results; /* leave out images without a candidate, and candidates without an image, instead of failing; document
                           * frequencies then come from the rest */
  bool tokenized; /* the texts are tokenized already */
} vlm_match_opts;

/* Ids and file names are joined as calib/caption_join.h says. VLM_INPUT on a candidate for an unknown image, an image without candidate
 * (see above) or without reference; ids are named. */
vlm_status vlm_scored_set_create(vlm_scored_set *out, const vlm_caption_set *refs,
                                 const vlm_caption_set *candidates, const vlm_match_opts *opts,
                                 vlm_error *err);
void vlm_scored_set_free(vlm_scored_set *set);

#endif
