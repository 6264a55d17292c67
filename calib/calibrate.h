/* One calibration pass: the real pipeline over the user's samples, statistics taken as each tensor is produced. */
#ifndef VLM_CALIB_CALIBRATE_H
#define VLM_CALIB_CALIBRATE_H

#include "calib/dataset.h"
#include "calib/stats.h"
#include "runtime/exec/session.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_calibrate_opts {
  const char *const *prompts; /* each image is run with each; a manifest's own prompt goes first */
  int32_t n_prompts;
  int64_t max_new_tokens; /* 0 = the model's */
  bool
      everything; /* tap every float value, not only what enters products (for recipes that quantize all of them) */
  bool detail;         /* each channel and kind of token as well: for looking at, no recipe reads them */
  bool owns_constants; /* nobody else reads the bundle's graphs */
  /* Percent of the samples, told by digest, that are kept apart and not calibrated with; 0 = none. */
  double holdout;
  bool keep_none; /* no sample goes into the statistics (kept.h) */
  bool skip_bad;  /* a sample that cannot be loaded is told and left out; else it ends the run */
  void (*skipped)(void *user, const char *path,
                  const char *reason); /* bad samples and duplicates; NULL = not told */
  const vlm_caption_set
      *teacher; /* follow the first caption of each image instead of generated tokens; NULL = generate */
  /* Called between samples with the number done; may save a checkpoint. Its error ends the run. NULL = not. */
  vlm_status (*between)(void *user, int64_t done, int64_t total, vlm_error *err);
  void *user;
} vlm_calibrate_opts;

/* Fewer samples (of all shards) are too few to keep some apart. */
enum { VLM_HOLDOUT_LEAST = 32 };

typedef struct vlm_calibrate_report {
  int64_t samples;    /* run now */
  int64_t held_out;   /* kept apart now */
  bool too_few;       /* to keep some apart, which was asked for */
  int64_t resumed;    /* in the statistics already */
  int64_t duplicates; /* the same content and prompt twice in the set */
  int64_t bad;        /* could not be loaded */
  bool torn;          /* the run ended inside a sample: the statistics hold a part of it */
  int64_t runs[VLM_ROLE_COUNT];
  int64_t tensors[VLM_ROLE_COUNT];
} vlm_calibrate_report;

/* Adds every sample of the set that the statistics do not know yet. Tapped are the float activations that are
 * multiplied with constant weights, in the bodies of control flow too (runtime/ops/traits.h). */
vlm_status vlm_calibrate(vlm_stats *stats, vlm_context *context, const vlm_bundle *bundle,
                         const vlm_dataset *set, const vlm_calibrate_opts *opts, vlm_calibrate_report *report,
                         vlm_error *err);

/* The digest that statistics know a sample by: that of its content (vlm_dataset_digest) and its prompt, "" for a
 * single graph. */
vlm_status vlm_calibrate_digest(vlm_digest *out, vlm_digest content, const char *prompt, vlm_error *err);

/* The preprocessing that statistics of this bundle carry: JSON text, "" for a single graph. Free with vlm_free. */
vlm_status vlm_calibrate_preprocess(char **out, const vlm_bundle *bundle, vlm_error *err);

#endif
