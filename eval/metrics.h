/* Parts of scores.c: one function per metric, over counted n-grams. */
#ifndef VLM_EVAL_METRICS_H
#define VLM_EVAL_METRICS_H

#include "eval/ngrams.h"
#include "eval/scores.h"

typedef struct vlm_counted_image {
  vlm_ngrams candidate;
  const vlm_ngrams *refs;
  int32_t n_refs;
} vlm_counted_image;

void vlm_bleu_count(vlm_bleu_counts *out, const vlm_counted_image *image);

/* log_idf[id] = ln N - ln max(1, df(id)) for each n-gram id. N and df come from the images, or from `table`. Free with vlm_free. */
vlm_status vlm_cider_weights(double **log_idf, const vlm_ngram_table *ngrams, const vlm_counted_image *images,
                             int64_t n, const vlm_df_table *table, vlm_error *err);
/* With clipping and length factor (CIDEr-D), and without (CIDEr). */
void vlm_cider_image(double *cider_d, double *cider, const vlm_counted_image *image, const double *log_idf);

#endif
