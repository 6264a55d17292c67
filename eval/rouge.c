#include <string.h>

#include "eval/scores.h"
#include "runtime/base/memory.h"

typedef struct rouge_word {
  const char *text;
  size_t bytes;
} rouge_word;

static int32_t count_words(const char *text) {
  int32_t n = 1;
  for (; *text; text++) n += *text == ' ';
  return n;
}

static void split(rouge_word *words, const char *text) {
  for (;; text++) {
    const char *end = strchr(text, ' ');
    *words++ = (rouge_word){text, end ? (size_t)(end - text) : strlen(text)};
    if (!end) return;
    text = end;
  }
}

static int same(rouge_word a, rouge_word b) {
  return a.bytes == b.bytes && memcmp(a.text, b.text, a.bytes) == 0;
}

/* Length of the longest common subsequence; `row` has n_b + 1 entries. */
static int32_t common(const rouge_word *a, int32_t n_a, const rouge_word *b, int32_t n_b, int32_t *row) {
  memset(row, 0, ((size_t)n_b + 1) * sizeof(*row));
  for (int32_t i = 0; i < n_a; i++) {
    int32_t diagonal = 0;
    for (int32_t j = 0; j < n_b; j++) {
      const int32_t above = row[j + 1];
      if (same(a[i], b[j])) row[j + 1] = diagonal + 1;
      else if (row[j] > above) row[j + 1] = row[j];
      diagonal = above;
    }
  }
  return row[n_b];
}

vlm_status vlm_rouge_l(double *out, const vlm_score_image *image, vlm_error *err) {
  const double beta2 = 1.2 * 1.2;
  vlm_status st = VLM_OK;
  rouge_word *candidate = NULL, *ref = NULL;
  int32_t *row = NULL;
  double precision = 0, recall = 0;
  const int32_t k = count_words(image->candidate);
  VLM_TRY(vlm_new(&candidate, k, err));
  split(candidate, image->candidate);
  for (int32_t r = 0; r < image->n_refs; r++) {
    const int32_t m = count_words(image->refs[r]);
    VLM_TRY(vlm_new(&ref, m, err));
    VLM_TRY(vlm_new(&row, (size_t)m + 1, err));
    split(ref, image->refs[r]);
    const double length = common(candidate, k, ref, m, row);
    if (length / k > precision) precision = length / k;
    if (length / m > recall) recall = length / m;
    vlm_free(ref);
    vlm_free(row);
    ref = NULL;
    row = NULL;
  }
  *out = precision > 0 && recall > 0 ? (1 + beta2) * precision * recall / (recall + beta2 * precision) : 0;
out:
  vlm_free(candidate);
  vlm_free(ref);
  vlm_free(row);
  return st;
}
