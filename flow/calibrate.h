/* Calibrating: the statistics of a model on the user's own data, in memory and in a file. */
#ifndef VLM_FLOW_CALIBRATE_H
#define VLM_FLOW_CALIBRATE_H

#include "calib/calibrate.h"
#include "flow/watch.h"

/* New statistics of a bundle, or those that an interrupted run left in the file `resume` (NULL = new), which must
 * be of the same model, preprocessing and settings (vlm_stats_settings; NULL = ""). Free with vlm_stats_free. */
vlm_status vlm_flow_statistics(vlm_stats **out, const vlm_bundle *bundle, const char *resume,
                               const char *settings, vlm_error *err);

typedef struct vlm_flow_calibrate_opts {
  const char *const
      *prompts; /* each image is run with each (vlm_prompts_choose); NULL = the model's default */
  int32_t n_prompts;
  int64_t max_new_tokens;         /* 0 = the model's */
  double holdout;                 /* percent of the samples that are kept apart; 0 = 10, negative = none */
  bool keep_none;                 /* as in vlm_calibrate_opts */
  bool everything, detail;        /* as in vlm_calibrate_opts */
  const vlm_caption_set *teacher; /* as in vlm_calibrate_opts */
  bool owns_constants; /* nobody else reads the bundle's graphs: what was packed goes back to the system */
  bool skip_bad;       /* as in vlm_calibrate_opts */
  void (*skipped)(void *user, const char *path,
                  const char *reason); /* bad samples and duplicates; NULL = not told */
  void *skipped_user;
  const char *output;  /* statistics file; NULL = in memory only */
  bool replace;        /* the file may hold samples that are in neither `stats` nor the set: they are lost */
  double save_seconds; /* a kill loses at most this much work; 0 = 20 */
  vlm_watch watch;     /* unit: a sample with one prompt */
} vlm_flow_calibrate_opts;

/* Adds the samples that `stats` does not know yet. Statistics in the file with other samples are VLM_USAGE unless
 * `replace`; those with the same are kept until the new ones have all of them. Else the file is written whole after the first sample (a disk that
 * cannot be written shows at once), then now and then, and at the end. Cancelled: VLM_INTERRUPTED; `stats` and the
 * file hold the samples so far, and no file is made when there is none. So they do when a sample fails before it is
 * measured. A file of a run that did not come to its end says so (vlm_stats_is_partial). opts may be NULL. */
vlm_status vlm_flow_calibrate(vlm_stats *stats, vlm_context *context, const vlm_bundle *bundle,
                              const vlm_dataset *set, const vlm_flow_calibrate_opts *opts,
                              vlm_calibrate_report *report, vlm_error *err);

/* The refusal above without the run: VLM_USAGE when the file holds samples that `stats` and the set lack. */
vlm_status vlm_flow_check_replaced(const char *output, const vlm_stats *stats, const vlm_bundle *bundle,
                                   const vlm_dataset *set, const vlm_flow_calibrate_opts *opts,
                                   vlm_error *err);

/* The statistics of several files of the same model together. Free with vlm_stats_free. */
vlm_status vlm_flow_merge(vlm_stats **out, const char *const *files, int32_t n_files, vlm_error *err);

#endif
