#include "eval/metrics_only.h"

vlm_status vlm_metrics_score_files(vlm_metrics *out, const char *candidates, const char *references,
                                   const vlm_metrics_opts *opts, vlm_error *err) {
  static const vlm_metrics_opts defaults = {.split = NULL};
  vlm_status st = VLM_OK;
  vlm_caption_set hyps = {0}, refs = {0};
  vlm_df_file df = {.text = NULL};
  if (!opts) opts = &defaults;
  *out = (vlm_metrics){.line_breaks = 0};
  VLM_TRY(vlm_caption_set_load(&refs, references,
                               &(vlm_caption_opts){.split = opts->split, .must_split = true}, err));
  VLM_TRY(vlm_caption_set_load(&hyps, candidates, &(vlm_caption_opts){.one_per_image = true}, err));
  VLM_TRY(vlm_scored_set_create(
      &out->set, &refs, &hyps,
      &(vlm_match_opts){.only_with_results = opts->only_with_results, .tokenized = opts->tokenized}, err));
  if (opts->df_file) VLM_TRY(vlm_df_file_load(&df, opts->df_file, err));
  const size_t n = (size_t)out->set.n;
  VLM_TRY(vlm_new(&out->per_image, n, err));
  VLM_TRY(vlm_new(&out->counts, n, err));
  const vlm_score_opts score_opts = {.df = opts->df_file ? &df.table : NULL};
  VLM_TRY(vlm_scores_compute(&out->corpus, out->per_image, out->counts, out->set.images, out->set.n,
                             &score_opts, err));
  out->line_breaks = refs.line_breaks + hyps.line_breaks;
out:
  vlm_caption_set_free(&refs);
  vlm_caption_set_free(&hyps);
  vlm_df_file_free(&df);
  if (st != VLM_OK) vlm_metrics_free(out);
  return st;
}

void vlm_metrics_free(vlm_metrics *metrics) {
  vlm_scored_set_free(&metrics->set);
  vlm_free(metrics->per_image);
  vlm_free(metrics->counts);
  *metrics = (vlm_metrics){.line_breaks = 0};
}
