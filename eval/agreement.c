#include "eval/agreement.h"

#include <math.h>
#include <string.h>

/* Books one compared pair: `first` = index of the first difference, -1 when equal. */
static void book(vlm_agreement *a, int64_t positions, int64_t equal, int64_t first) {
  a->captions++;
  a->positions += positions;
  a->equal += equal;
  a->exact += first < 0;
  if (first < 0) return;
  if (a->diverged++ == 0 || first < a->first_divergence) a->first_divergence = first;
  a->divergence_sum += first;
}

void vlm_agreement_add(vlm_agreement *a, const int32_t *reference, int64_t n_reference,
                       const int32_t *candidate, int64_t n_candidate) {
  const int64_t shorter = n_reference < n_candidate ? n_reference : n_candidate,
                longer = n_reference + n_candidate - shorter;
  int64_t equal = 0, first = -1;
  for (int64_t i = 0; i < shorter; i++) {
    equal += reference[i] == candidate[i];
    if (first < 0 && reference[i] != candidate[i]) first = i;
  }
  if (first < 0 && shorter != longer) first = shorter;
  book(a, longer, equal, first);
}

void vlm_agreement_add_text(vlm_agreement *a, const char *reference, const char *candidate) {
  int64_t position = 0, equal = 0, first = -1;
  for (; *reference || *candidate; position++) {
    const size_t n = strcspn(reference, " "), m = strcspn(candidate, " ");
    const bool same = n == m && n > 0 && memcmp(reference, candidate, n) == 0;
    equal += same;
    if (!same && first < 0) first = position;
    reference += n + (reference[n] == ' ');
    candidate += m + (candidate[m] == ' ');
  }
  book(a, position, equal, first);
}

static double percent(int64_t part, int64_t whole) {
  return whole ? 100.0 * (double)part / (double)whole : NAN;
}

double vlm_agreement_exact_percent(const vlm_agreement *a) { return percent(a->exact, a->captions); }
double vlm_agreement_token_percent(const vlm_agreement *a) {
  return a->captions && !a->positions ? 100 : percent(a->equal, a->positions);
}
double vlm_agreement_mean_divergence(const vlm_agreement *a) {
  return a->diverged ? (double)a->divergence_sum / (double)a->diverged : NAN;
}

int64_t vlm_top1(const float *logits, int64_t n) {
  int64_t best = n > 0 ? 0 : -1;
  for (int64_t i = 1; i < n; i++) {
    if (logits[i] > logits[best] || (isnan(logits[best]) && !isnan(logits[i]))) best = i;
  }
  return best;
}

/* ln sum exp of a row: not finite when the row is broken. */
static double log_sum(const float *logits, int64_t n) {
  double most = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isnan(logits[i])) return NAN;
    if (logits[i] > most) most = logits[i];
  }
  if (!isfinite(most)) return most;
  for (int64_t i = 0; i < n; i++) sum += exp(logits[i] - most);
  return most + log(sum);
}

double vlm_kl_divergence(const float *reference, const float *candidate, int64_t n) {
  const double log_p = log_sum(reference, n), log_q = log_sum(candidate, n);
  double kl = 0;
  if (n == 0) return 0;
  if (!isfinite(log_p) || !isfinite(log_q)) return INFINITY;
  for (int64_t i = 0; i < n; i++) {
    const double p = exp(reference[i] - log_p);
    if (p > 0) kl += p * ((reference[i] - log_p) - (candidate[i] - log_q));
  }
  return kl > 0 ? kl : 0; /* rounding may leave -1e-17 */
}

static bool both_finite(vlm_sqnr *s, double r, double c) {
  if (isfinite(r) && isfinite(c)) return true;
  s->lost += !(r == c || (isnan(r) && isnan(c)));
  return false;
}

void vlm_sqnr_add(vlm_sqnr *s, const float *reference, const float *candidate, int64_t n) {
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < n; i++) {
    const double r = reference[i], d = r - candidate[i];
    if (!isfinite(d) && !both_finite(s, r, candidate[i])) continue;
    signal += r * r;
    noise += d * d;
  }
  s->signal += signal;
  s->noise += noise;
  s->count += n;
}

vlm_status vlm_sqnr_add_tensor(vlm_sqnr *s, const vlm_tensor *reference, const vlm_tensor *candidate,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  char want[128], got[128];
  VLM_CHECK(vlm_tensor_same_shape(reference, candidate), err, VLM_INPUT,
            "outputs differ in shape: reference %s, candidate %s",
            vlm_tensor_shape_text(reference, want, sizeof(want)),
            vlm_tensor_shape_text(candidate, got, sizeof(got)));
  const int64_t n = vlm_tensor_count(reference);
  if (reference->dtype == VLM_F32 && candidate->dtype == VLM_F32) {
    vlm_sqnr_add(s, reference->data, candidate->data, n);
    goto out;
  }
  for (int64_t i = 0; i < n; i++) {
    const double r = vlm_tensor_get(reference, i), c = vlm_tensor_get(candidate, i);
    if (!both_finite(s, r, c)) continue;
    s->signal += r * r;
    s->noise += (r - c) * (r - c);
  }
  s->count += n;
out:
  return st;
}

double vlm_sqnr_db(const vlm_sqnr *s) {
  if (s->count == 0) return NAN;
  if (s->lost) return -INFINITY;
  if (s->noise == 0) return INFINITY;
  return 10 * log10(s->signal / s->noise);
}
