#include "runtime/decode/search_rules.h"

#include <math.h>

#include "runtime/kernels/elementary.h"

static void forbid(const vlm_search_state *s, float *scores, int32_t id) {
  if (id >= 0 && id < s->vocab) scores[id] = -INFINITY;
}

static void forbid_all(const vlm_search_state *s, float *scores, const int32_t *ids, int32_t count) {
  for (int32_t i = 0; i < count; i++) forbid(s, scores, ids[i]);
}

/* Each id of the sequence once, however often it occurs. */
static void repetition_penalty(const vlm_search_state *s, float *scores) {
  const float penalty = (float)s->generation->repetition_penalty;
  if (penalty == 1.0f) return;
  for (size_t i = 0; i < s->count; i++) {
    const int32_t id = s->ids[i];
    size_t first = 0;
    while (s->ids[first] != id) first++;
    if (first < i || id < 0 || id >= s->vocab) continue;
    scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  }
}

/* What followed an earlier occurrence of the last n - 1 ids may not follow again. */
static void no_repeat_ngram(const vlm_search_state *s, float *scores) {
  const size_t n = (size_t)s->generation->no_repeat_ngram;
  if (n == 0 || s->count + 1 < n) return;
  const int32_t *tail = s->ids + s->count - (n - 1);
  for (size_t at = 0; at + n <= s->count; at++) {
    size_t same = 0;
    while (same < n - 1 && s->ids[at + same] == tail[same]) same++;
    if (same == n - 1) forbid(s, scores, s->ids[at + n - 1]);
  }
}

static void bad_words(const vlm_search_state *s, float *scores) {
  forbid_all(s, scores, s->generation->bad_words, s->generation->n_bad_words);
}

static void min_length(const vlm_search_state *s, float *scores) {
  if ((int64_t)s->count < s->generation->min_length)
    forbid_all(s, scores, s->generation->eos, s->generation->n_eos);
}

static void min_new_tokens(const vlm_search_state *s, float *scores) {
  if ((int64_t)(s->count - s->n_prompt) < s->generation->min_new_tokens)
    forbid_all(s, scores, s->generation->eos, s->generation->n_eos);
}

static void force(const vlm_search_state *s, float *scores, int32_t id) {
  if (id < 0 || id >= s->vocab) return;
  for (int64_t i = 0; i < s->vocab; i++) scores[i] = -INFINITY;
  scores[id] = 0;
}

static void forced_bos(const vlm_search_state *s, float *scores) {
  if (s->count == 1) force(s, scores, s->generation->forced_bos);
}

static void forced_eos(const vlm_search_state *s, float *scores) {
  if ((int64_t)s->count == s->max_length - 1) force(s, scores, s->generation->forced_eos);
}

static void suppressed(const vlm_search_state *s, float *scores) {
  forbid_all(s, scores, s->generation->suppressed, s->generation->n_suppressed);
}

void vlm_search_rules_apply(const vlm_search_state *state, float *scores) {
  static void (*const rules[])(const vlm_search_state *, float *) = {
      repetition_penalty, no_repeat_ngram, bad_words,  min_length,
      min_new_tokens,     forced_bos,      forced_eos, suppressed,
  };
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) rules[i](state, scores);
}

/* ---- arithmetic ---- */

void vlm_search_log_softmax(float *x, int64_t n) {
  enum { NEGLIGIBLE = -60 }; /* exp(-60) is below the rounding of a sum that is at least 1 */
  float top = -INFINITY;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isnan(x[i])) x[i] = -INFINITY;
    if (x[i] > top) top = x[i];
  }
  if (isinf(top)) return; /* nothing to choose from, or an infinite winner: the order is what it is */
  for (int64_t i = 0; i < n; i++) {
    const double d = (double)x[i] - (double)top;
    if (d > NEGLIGIBLE) sum += vlm_exp64(d);
  }
  const double log_sum = vlm_log64(sum);
  for (int64_t i = 0; i < n; i++) x[i] = (float)(((double)x[i] - (double)top) - log_sum);
}

float vlm_search_length_power(int64_t n, double p) {
  double power = 1;
  const int whole = p >= -8 && p <= 8 ? (int)p : 0;
  if (n < 1) n = 1;
  if ((double)whole != p) return (float)vlm_exp64(p * vlm_log64((double)n));
  for (int i = 0; i < (whole < 0 ? -whole : whole); i++) power *= (double)n;
  return (float)(whole < 0 ? 1 / power : power);
}
