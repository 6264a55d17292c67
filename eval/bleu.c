#include <math.h>
#include <stdlib.h>

#include "eval/metrics.h"

static int32_t count_of(const vlm_ngrams *grams, int order, int32_t id) {
  int32_t low = 0, high = grams->n[order] - 1;
  while (low <= high) {
    const int32_t middle = low + (high - low) / 2;
    const vlm_ngram_count *g = &grams->grams[order][middle];
    if (g->id == id) return g->count;
    if (g->id < id) low = middle + 1;
    else high = middle - 1;
  }
  return 0;
}

/* Candidate n-grams that occur in a reference, each at most as often as in the reference that has it most. */
static int64_t count_correct(const vlm_counted_image *image, int order) {
  int64_t correct = 0;
  for (int32_t i = 0; i < image->candidate.n[order]; i++) {
    const vlm_ngram_count g = image->candidate.grams[order][i];
    int32_t most = 0;
    for (int32_t r = 0; r < image->n_refs; r++) {
      const int32_t c = count_of(&image->refs[r], order, g.id);
      if (c > most) most = c;
    }
    correct += g.count < most ? g.count : most;
  }
  return correct;
}

static int32_t closest_length(const vlm_counted_image *image) {
  int32_t best = image->refs[0].words;
  for (int32_t r = 1; r < image->n_refs; r++) {
    const int32_t length = image->refs[r].words;
    const int32_t gap = abs(length - image->candidate.words), best_gap = abs(best - image->candidate.words);
    if (gap < best_gap || (gap == best_gap && length < best)) best = length;
  }
  return best;
}

void vlm_bleu_count(vlm_bleu_counts *out, const vlm_counted_image *image) {
  *out =
      (vlm_bleu_counts){.candidate_words = image->candidate.words, .reference_words = closest_length(image)};
  for (int order = 0; order < VLM_MAX_ORDER; order++) {
    out->guesses[order] = image->candidate.words > order ? image->candidate.words - order : 0;
    out->correct[order] = count_correct(image, order);
  }
}

void vlm_bleu_add_counts(vlm_bleu_counts *sum, const vlm_bleu_counts *more) {
  sum->candidate_words += more->candidate_words;
  sum->reference_words += more->reference_words;
  for (int order = 0; order < VLM_MAX_ORDER; order++) {
    sum->guesses[order] += more->guesses[order];
    sum->correct[order] += more->correct[order];
  }
}

void vlm_bleu_from_counts(double bleu[4], const vlm_bleu_counts *counts) {
  const double tiny = 1e-15, small = 1e-9; /* against 0 / 0 */
  const double ratio = ((double)counts->candidate_words + tiny) / ((double)counts->reference_words + small);
  double product = 1;
  for (int order = 0; order < VLM_MAX_ORDER; order++) {
    product *= ((double)counts->correct[order] + tiny) / ((double)counts->guesses[order] + small);
    bleu[order] = pow(product, 1.0 / (order + 1));
    if (ratio < 1) bleu[order] *= exp(1 - 1 / ratio);
  }
}
