/* Greedy and beam search, apart from any model: rows of logits go in, the next token of each row comes out.
 *
 *   vlm_search_create(&search, &options, &err);
 *   while (!vlm_search_done(search)) {
 *     for r in 0 .. vlm_search_rows(search):
 *       row = vlm_search_get_row(search, r): feed row.token to the cache of the previous step's row row.parent
 *     vlm_search_step(search, logits of these rows, &err);
 *   }
 *   vlm_search_result(search, ...)
 *
 * Semantics are those of transformers (generation/utils.py, _sample without sampling and _beam_search; generation/logits_process.py),
 * with these fixed: arithmetic is float32 as there, log-softmax is rounded once from double, ties go to the lower flat index
 * (beam * vocabulary + token). Beams whose sequences are equal share a row: the first step has one row, and no row is computed twice. */
#ifndef VLM_DECODE_SEARCH_H
#define VLM_DECODE_SEARCH_H

#include "runtime/decode/generation.h"

typedef struct vlm_search vlm_search;

typedef struct vlm_search_opts {
  const vlm_generation *generation; /* copied */
  int64_t vocab;                    /* logits per row */
  const int32_t *
      prompt; /* ids before the first generated one (the start token); copied. They count for n-grams and repetition. */
  size_t n_prompt;
  int64_t max_length; /* from vlm_generation_max_length; above n_prompt */
} vlm_search_opts;

vlm_status vlm_search_create(vlm_search **out, const vlm_search_opts *opts, vlm_error *err);
void vlm_search_free(vlm_search *search);

/* What the model computes next. Before the first step: one row whose token is the last prompt id and whose parent is 0 (the prefill). */
typedef struct vlm_search_row {
  int32_t token;  /* fed to the decoder */
  int32_t parent; /* row of the step before, whose cache this row continues */
} vlm_search_row;
int32_t vlm_search_rows(const vlm_search *search);
vlm_search_row vlm_search_get_row(const vlm_search *search, int32_t row);
/* Ids of a row so far, prompt included; valid until the next step. */
void vlm_search_row_ids(const vlm_search *search, int32_t row, const int32_t **ids, size_t *count);

/* logits: rows * vocab values, row by row; NaN counts as -infinity. */
vlm_status vlm_search_step(vlm_search *search, const float *logits, vlm_error *err);
bool vlm_search_done(const vlm_search *search);
/* Takes the best sequence so far as the result, whatever is still running (a caller that was cancelled). */
void vlm_search_stop(vlm_search *search);

/* The best sequence, prompt included and end token included if it came; owned by the search. *score (may be NULL) is the sum of
 * log-probabilities over length ^ length_penalty for beams, 0 for greedy search. */
vlm_status vlm_search_result(const vlm_search *search, const int32_t **ids, size_t *count, double *score,
                             vlm_error *err);

#endif
