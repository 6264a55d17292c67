/* Scoring two caption files, as `vlm-eval --metrics-only` does. */
#ifndef VLM_EVAL_METRICS_ONLY_H
#define VLM_EVAL_METRICS_ONLY_H

#include "eval/scored_set.h"

typedef struct vlm_metrics_opts {
  bool only_with_results; /* score only the images that have a candidate and references */
  bool tokenized;         /* both files hold tokenized text */
  const char *split;      /* of the references; NULL = all images */
  const char *df_file;    /* document frequencies (vlm_df_file), NULL = from the references */
} vlm_metrics_opts;

typedef struct vlm_metrics {
  vlm_scored_set set; /* ids and tokenized texts */
  vlm_scores corpus;
  vlm_scores *per_image; /* set.n */
  vlm_bleu_counts *counts;
  int64_t line_breaks; /* captions of both files with line ends inside: worth a warning */
} vlm_metrics;

/* Free with vlm_metrics_free, also nothing to do on failure. */
vlm_status vlm_metrics_score_files(vlm_metrics *out, const char *candidates, const char *references,
                                   const vlm_metrics_opts *opts, vlm_error *err);
void vlm_metrics_free(vlm_metrics *metrics);

/* Document frequencies from a file: "#n_images<TAB>N", then lines "DF<TAB>n-gram". */
typedef struct vlm_df_file {
  vlm_df_table table;
  char *text; /* the file; n-grams point into it */
  const char **ngrams;
  int32_t *df;
} vlm_df_file;
vlm_status vlm_df_file_load(vlm_df_file *out, const char *path, vlm_error *err);
void vlm_df_file_free(vlm_df_file *file);

#endif
