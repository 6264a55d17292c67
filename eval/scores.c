#include "eval/scores.h"

#include "eval/metrics.h"

/* Counts every text. References come first, so that their ids do not depend on the candidates. */
static vlm_status count_images(vlm_counted_image *counted, vlm_ngrams *refs, vlm_ngram_table *ngrams,
                               const vlm_score_image *images, int64_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int64_t i = 0; i < n; i++) {
    counted[i].refs = refs;
    counted[i].n_refs = images[i].n_refs;
    for (int32_t r = 0; r < images[i].n_refs; r++)
      VLM_TRY(vlm_ngram_table_add(ngrams, refs++, images[i].refs[r], err));
  }
  for (int64_t i = 0; i < n; i++)
    VLM_TRY(vlm_ngram_table_add(ngrams, &counted[i].candidate, images[i].candidate, err));
out:
  return st;
}

static vlm_status score_image(vlm_scores *out, vlm_bleu_counts *counts, const vlm_score_image *image,
                              const vlm_counted_image *counted, const double *log_idf, vlm_error *err) {
  vlm_bleu_count(counts, counted);
  vlm_bleu_from_counts(out->bleu, counts);
  vlm_cider_image(&out->cider_d, &out->cider, counted, log_idf);
  return vlm_rouge_l(&out->rouge_l, image, err);
}

vlm_status vlm_scores_compute(vlm_scores *corpus, vlm_scores *per_image, vlm_bleu_counts *counts,
                              const vlm_score_image *images, int64_t n, const vlm_score_opts *opts,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ngram_table *ngrams = NULL;
  vlm_counted_image *counted = NULL;
  vlm_ngrams *refs = NULL;
  double *log_idf = NULL;
  vlm_bleu_counts sum = {0};
  int64_t n_refs = 0;
  *corpus = (vlm_scores){.cider = 0};
  VLM_CHECK(n > 0, err, VLM_INPUT, "no image to score");
  for (int64_t i = 0; i < n; i++) {
    VLM_CHECK(images[i].n_refs > 0, err, VLM_INPUT, "image %lld has no reference caption", (long long)i);
    n_refs += images[i].n_refs;
  }
  VLM_TRY(vlm_ngram_table_create(&ngrams, err));
  VLM_TRY(vlm_new(&counted, n, err));
  VLM_TRY(vlm_new(&refs, n_refs, err));
  VLM_TRY(count_images(counted, refs, ngrams, images, n, err));
  VLM_TRY(vlm_cider_weights(&log_idf, ngrams, counted, n, opts ? opts->df : NULL, err));
  for (int64_t i = 0; i < n; i++) {
    vlm_scores one;
    vlm_bleu_counts one_counts;
    VLM_TRY(score_image(&one, &one_counts, &images[i], &counted[i], log_idf, err));
    vlm_bleu_add_counts(&sum, &one_counts);
    corpus->rouge_l += one.rouge_l;
    corpus->cider_d += one.cider_d;
    corpus->cider += one.cider;
    if (per_image) per_image[i] = one;
    if (counts) counts[i] = one_counts;
  }
  vlm_bleu_from_counts(corpus->bleu, &sum);
  corpus->rouge_l /= (double)n;
  corpus->cider_d /= (double)n;
  corpus->cider /= (double)n;
out:
  vlm_ngram_table_free(ngrams);
  vlm_free(counted);
  vlm_free(refs);
  vlm_free(log_idf);
  return st;
}
