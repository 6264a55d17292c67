#include <math.h>
#include <string.h>

#include "eval/metrics.h"

#define SIGMA 6.0

/* Counts each image once per n-gram: `seen` holds the last image in which an n-gram was counted. */
static void count_images(int32_t *df, int64_t *seen, const vlm_counted_image *images, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    for (int32_t r = 0; r < images[i].n_refs; r++) {
      for (int order = 0; order < VLM_MAX_ORDER; order++) {
        for (int32_t k = 0; k < images[i].refs[r].n[order]; k++) {
          const int32_t id = images[i].refs[r].grams[order][k].id;
          if (seen[id] == i + 1) continue;
          seen[id] = i + 1;
          df[id]++;
        }
      }
    }
  }
}

static void read_table(int32_t *df, const vlm_ngram_table *ngrams, const vlm_df_table *table) {
  for (int64_t i = 0; i < table->count; i++) {
    const int32_t id = vlm_ngram_table_find(ngrams, table->ngrams[i], strlen(table->ngrams[i]));
    if (id >= 0) df[id] = table->df[i];
  }
}

vlm_status vlm_cider_weights(double **log_idf, const vlm_ngram_table *ngrams, const vlm_counted_image *images,
                             int64_t n, const vlm_df_table *table, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int32_t count = vlm_ngram_table_count(ngrams);
  int32_t *df = NULL;
  int64_t *seen = NULL;
  double *weights = NULL;
  VLM_TRY(vlm_new(&df, count, err));
  VLM_TRY(vlm_new(&seen, count, err));
  VLM_TRY(vlm_new(&weights, count, err));
  if (table) read_table(df, ngrams, table);
  else count_images(df, seen, images, n);
  const double log_n = log((double)(table ? table->n_images : n));
  for (int32_t i = 0; i < count; i++) weights[i] = log_n - log(df[i] > 1 ? df[i] : 1);
  *log_idf = weights;
  weights = NULL;
out:
  vlm_free(df);
  vlm_free(seen);
  vlm_free(weights);
  return st;
}

static double norm(const vlm_ngrams *s, int order, const double *log_idf) {
  double sum = 0;
  for (int32_t i = 0; i < s->n[order]; i++) {
    const double t = s->grams[order][i].count * log_idf[s->grams[order][i].id];
    sum += t * t;
  }
  return sqrt(sum);
}

/* Dot products over the n-grams that both sentences have (ids ascend): with the candidate's weight clipped to the reference's, and as it is. */
static void dot(double *clipped, double *full, const vlm_ngrams *c, const vlm_ngrams *r, int order,
                const double *log_idf) {
  *clipped = *full = 0;
  for (int32_t i = 0, j = 0; i < c->n[order] && j < r->n[order];) {
    const vlm_ngram_count a = c->grams[order][i], b = r->grams[order][j];
    if (a.id == b.id) {
      const double ta = a.count * log_idf[a.id], tb = b.count * log_idf[b.id];
      *clipped += (ta < tb ? ta : tb) * tb;
      *full += ta * tb;
    }
    i += a.id <= b.id;
    j += b.id <= a.id;
  }
}

/* The code takes the number of bigrams as a sentence's length. */
static double bigrams(const vlm_ngrams *s) { return s->words > 1 ? s->words - 1 : 0; }

void vlm_cider_image(double *cider_d, double *cider, const vlm_counted_image *image, const double *log_idf) {
  double sum_d = 0, sum = 0;
  for (int order = 0; order < VLM_MAX_ORDER; order++) {
    const double candidate_norm = norm(&image->candidate, order, log_idf);
    for (int32_t r = 0; r < image->n_refs; r++) {
      const double norms = candidate_norm * norm(&image->refs[r], order, log_idf);
      const double delta = bigrams(&image->candidate) - bigrams(&image->refs[r]);
      double clipped, full;
      dot(&clipped, &full, &image->candidate, &image->refs[r], order, log_idf);
      sum_d += (norms != 0 ? clipped / norms : clipped) * exp(-(delta * delta) / (2 * SIGMA * SIGMA));
      sum += norms != 0 ? full / norms : full;
    }
  }
  *cider_d = 10 * sum_d / VLM_MAX_ORDER / image->n_refs;
  *cider = 10 * sum / VLM_MAX_ORDER / image->n_refs;
}
