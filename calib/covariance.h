/* How the inputs of products go together: sums of x x' over rows, for rounding weights (quant/gptq.h). A convolution with a kernel of one is a
 * product of the channels at each position.
 *
 * Weights that meet the same values, and all values that one weight meets (in the graph of the first step and of the following ones, say),
 * share one sum. Three samples of four are to round with, the fourth is to judge by. */
#ifndef VLM_CALIB_COVARIANCE_H
#define VLM_CALIB_COVARIANCE_H

#include "calib/dataset.h"
#include "calib/kept.h"
#include "runtime/bundle/bundle.h"
#include "runtime/exec/session.h"

typedef struct vlm_covariances vlm_covariances;

typedef struct vlm_covariance {
  int64_t size;    /* inputs of the product */
  int64_t rows[2]; /* seen: to round with, to judge by */
  double *sums[2]; /* lower triangles, row by row */
} vlm_covariance;

typedef struct vlm_covariance_opts {
  const size_t *places; /* samples of the set, in the order in which they are run */
  size_t count;
  int64_t max_new_tokens;                          /* of each answer; 0 = the model's */
  const char *prompt;                              /* of samples without their own */
  vlm_status (*go_on)(void *user, vlm_error *err); /* asked before each sample; NULL = not */
  void *user;
} vlm_covariance_opts;

typedef struct vlm_sample_span {
  vlm_kept_sample *const *items;
  int32_t count;
} vlm_sample_span;

/* Largest product that is looked at: 4,096 inputs take 134 MB. */
enum { VLM_COVARIANCE_MOST = 4096 };

/* Runs a pipeline on images. The bundle must outlive it. Free with vlm_covariances_free. */
vlm_status vlm_covariances_make(vlm_covariances **out, vlm_context *context, const vlm_bundle *bundle,
                                const vlm_dataset *set, const vlm_covariance_opts *opts, vlm_error *err);
/* Runs a single graph on samples; opts: go_on, user. */
vlm_status vlm_covariances_make_graph(vlm_covariances **out, vlm_context *context, const vlm_bundle *bundle,
                                      const vlm_sample_span *samples, const vlm_covariance_opts *opts,
                                      vlm_error *err);
void vlm_covariances_free(vlm_covariances *all);

/* Of the product with this constant, told by the address of its data; NULL when none was seen. */
const vlm_covariance *vlm_covariances_find(const vlm_covariances *all, const vlm_tensor *weight);

#endif
