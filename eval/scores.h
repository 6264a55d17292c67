/* Caption scores with coco-caption's values: BLEU-1..4, ROUGE-L, CIDEr-D (what coco-caption prints as "CIDEr") and plain CIDEr.
 *
 * All functions take tokenized text (ptb_tokenize.h), words separated by blanks. One candidate and at least one reference per image.
 * Scales: BLEU and ROUGE-L 0 to 1, CIDEr 0 to 10. All arithmetic in double, sums in image order.
 * Sources: Papineni et al. 2002, Lin 2004, Vedantam et al. 2015, with the constants and the accidents of the tylin/coco-caption code. */
#ifndef VLM_EVAL_SCORES_H
#define VLM_EVAL_SCORES_H

#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_scores {
  double bleu[4], rouge_l, cider_d, cider;
} vlm_scores;

typedef struct vlm_score_image {
  const char *candidate;
  const char *const *refs;
  int32_t n_refs; /* at least 1 */
} vlm_score_image;

/* What BLEU is computed from; sums over images give the corpus value. */
typedef struct vlm_bleu_counts {
  int64_t candidate_words, reference_words; /* reference: the closest length, the shorter on a tie */
  int64_t guesses[4], correct[4];
} vlm_bleu_counts;

/* Document frequencies from elsewhere: in how many of n_images images an n-gram is in a reference. */
typedef struct vlm_df_table {
  int64_t n_images;
  int64_t count;
  const char *const *ngrams; /* words with single blanks */
  const int32_t *df;
} vlm_df_table;

typedef struct vlm_score_opts {
  const vlm_df_table
      *df; /* NULL = from the references that are scored; else n-grams that are not in the table have df 0 */
} vlm_score_opts;

/* corpus: BLEU from summed counts, the others means over images. per_image and counts may be NULL, else n of each.
 * VLM_INPUT when n is 0 or an image has no reference. With one image and no table CIDEr is 0 whatever the caption. */
vlm_status vlm_scores_compute(vlm_scores *corpus, vlm_scores *per_image, vlm_bleu_counts *counts,
                              const vlm_score_image *images, int64_t n, const vlm_score_opts *opts,
                              vlm_error *err);

/* BLEU-1..4 of (summed) counts, with coco-caption's constants 1e-15 and 1e-9 and the brevity penalty. */
void vlm_bleu_from_counts(double bleu[4], const vlm_bleu_counts *counts);
void vlm_bleu_add_counts(vlm_bleu_counts *sum, const vlm_bleu_counts *more);

/* Words are split at single blanks, so that an empty text is one empty word. */
vlm_status vlm_rouge_l(double *out, const vlm_score_image *image, vlm_error *err);

#endif
