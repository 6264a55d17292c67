/* How closely a candidate model follows the reference model: captions, tokens, token distributions, tensors. All accumulators start zeroed. */
#ifndef VLM_EVAL_AGREEMENT_H
#define VLM_EVAL_AGREEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/tensor.h"

/* ---- generated captions ---- */

typedef struct vlm_agreement {
  int64_t captions, exact; /* sequences compared, and equal ones */
  int64_t positions,
      equal;        /* token positions up to the longer sequence's end; those with the same token in both */
  int64_t diverged; /* sequences that differ */
  int64_t divergence_sum;   /* sum over them of the index of the first difference */
  int64_t first_divergence; /* smallest such index; meaningless while diverged is 0 */
} vlm_agreement;

/* Two generated sequences; where one is a prefix of the other, its end is the first difference. */
void vlm_agreement_add(vlm_agreement *a, const int32_t *reference, int64_t n_reference,
                       const int32_t *candidate, int64_t n_candidate);
/* Two tokenized texts, compared word by word (single blanks). */
void vlm_agreement_add_text(vlm_agreement *a, const char *reference, const char *candidate);
double vlm_agreement_exact_percent(const vlm_agreement *a); /* NaN when nothing was compared */
double vlm_agreement_token_percent(const vlm_agreement *a);
double vlm_agreement_mean_divergence(
    const vlm_agreement
        *a); /* mean index of the first difference of the sequences that differ; NaN when none does */

/* ---- distributions over the vocabulary ---- */

/* Kullback-Leibler divergence of softmax(reference) from softmax(candidate), sum p ln(p / q), in nats, at least 0, computed in double.
 * Infinite when a row holds NaN or +infinity, or the candidate rules out (-infinity) a token that the reference allows. */
double vlm_kl_divergence(const float *reference, const float *candidate, int64_t n);
/* Index of the largest logit, the first one on a tie; NaN never wins. -1 when n is 0. */
int64_t vlm_top1(const float *logits, int64_t n);

/* ---- tensors ---- */

/* Infinities and NaN that are equal on both sides agree and count nothing else; where only one side is finite, or both are not and differ,
 * the value is lost. */
typedef struct vlm_sqnr {
  double signal, noise; /* sums of squares of the reference and of the difference */
  int64_t count;
  int64_t lost;
} vlm_sqnr;

void vlm_sqnr_add(vlm_sqnr *s, const float *reference, const float *candidate, int64_t n);
/* Any element types; shapes must be equal (VLM_INPUT). */
vlm_status vlm_sqnr_add_tensor(vlm_sqnr *s, const vlm_tensor *reference, const vlm_tensor *candidate,
                               vlm_error *err);
/* 10 log10(signal / noise); +infinity without noise, -infinity when a value was lost, NaN when nothing was added. */
double vlm_sqnr_db(const vlm_sqnr *s);

#endif
