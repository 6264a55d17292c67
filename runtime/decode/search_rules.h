/* The logits processors of transformers, in its order, on one row of scores. */
#ifndef VLM_DECODE_SEARCH_RULES_H
#define VLM_DECODE_SEARCH_RULES_H

#include "runtime/decode/generation.h"

/* scores: `vocab` values, logits or log-probabilities, changed in place; ids: the sequence so far, prompt (n_prompt ids) included.
 * Order: repetition_penalty, no_repeat_ngram, bad words, min_length, min_new_tokens, forced_bos, forced_eos, suppressed. */
typedef struct vlm_search_state {
  const vlm_generation *generation;
  const int32_t *ids;
  size_t count, n_prompt;
  int64_t max_length, vocab;
} vlm_search_state;
void vlm_search_rules_apply(const vlm_search_state *state, float *scores);

/* x becomes log(softmax(x)): sum of exp in double in index order, one rounding to float32. NaN counts as -infinity. */
void vlm_search_log_softmax(float *x, int64_t n);

/* n to the power of p, for lengths: exact for p 0, 1 and other small whole numbers, the same on every machine for all. */
float vlm_search_length_power(int64_t n, double p);

#endif
