/* Calibration statistics: what a model's tensors looked like on the user's own data.
 *
 * The state is a function of the multiset of samples: any order, thread count or split into shards gives the same bytes.
 * Everything is integer arithmetic on exact quantities: counts, min, max, power-of-two bins, 128-bit fixed-point sums. */
#ifndef VLM_CALIB_STATS_H
#define VLM_CALIB_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/base/tensor.h"

#define VLM_HISTOGRAM_BINS 4096
#define VLM_ROW_BINS 128

/* Zero-anchored histogram: bin i counts values in [(i - BINS/2) * w, (i + 1 - BINS/2) * w), w = 2^exponent.
 * Growth doubles w and merges pairs exactly: new bin j takes old bins 2j - BINS/2 and 2j + 1 - BINS/2. */
typedef struct vlm_histogram {
  int32_t exponent;
  int64_t bins[VLM_HISTOGRAM_BINS];
} vlm_histogram;

/* Where a token of a sequence comes from: one row of a tensor [batch, tokens, channels]. */
typedef enum vlm_token_kind {
  VLM_TOKEN_IMAGE,
  VLM_TOKEN_PROMPT,
  VLM_TOKEN_GENERATED,
  VLM_TOKEN_KINDS
} vlm_token_kind;

/* Signed 128-bit sum of elements, each rounded to a multiple of 2^-VLM_SUM_BITS and clamped to +-2^20: integer adds, hence order-free. */
#define VLM_SUM_BITS 24
typedef struct vlm_sum128 {
  uint64_t low;
  int64_t high;
} vlm_sum128;

typedef struct vlm_tensor_stats {
  const char *graph;  /* role: "vision", "embed", "encoder", "decoder_first", "decoder_step", "model" */
  const char *name;   /* value name in that graph */
  int64_t runs;       /* how often the tensor was produced */
  int64_t count;      /* elements seen (finite ones) */
  int64_t not_finite; /* NaN and infinities, left out of everything else */
  float min, max;     /* 0, 0 when count is 0 */
  vlm_histogram histogram;
  int32_t channel_axis;  /* 1 for [N,C,H,W], last for everything else */
  int32_t channels;      /* 0 = not seen yet; -1 = the count varies between runs: then no per-channel data */
  int64_t channel_count; /* elements per channel */
  float *channel_absmax; /* [channels] */
  float *channel_min, *channel_max; /* [channels] */
  vlm_sum128 *channel_sum;          /* [channels] */
  float kind_min[VLM_TOKEN_KINDS], kind_max[VLM_TOKEN_KINDS];
  int64_t kind_count[VLM_TOKEN_KINDS];
  int64_t rows[VLM_ROW_BINS]; /* of what products read, by extent (calib/rows.h) */
  vlm_digest widest_low,
      widest_high; /* digest of the sample that gave min and max (smallest digest on ties) */
} vlm_tensor_stats;

typedef struct vlm_stats vlm_stats;

/* ---- collecting ---- */

/* An empty collection for a model. preprocess: JSON text of the pipeline (may be ""). */
vlm_status vlm_stats_create(vlm_stats **out, vlm_digest model, const char *preprocess, vlm_error *err);
/* The entry to add to, made when it is new. */
vlm_status vlm_stats_entry(vlm_tensor_stats **out, vlm_stats *stats, const char *graph, const char *name,
                           vlm_error *err);
/* Adds all of b into a (same graph and name). */
vlm_status vlm_tensor_stats_merge(vlm_tensor_stats *a, const vlm_tensor_stats *b, vlm_error *err);

/* A sample is known by the digest of its content and prompt. Adding one twice is VLM_INPUT. */
vlm_status vlm_stats_add_sample(vlm_stats *stats, vlm_digest sample, const char *name, vlm_error *err);
bool vlm_stats_has_sample(const vlm_stats *stats, vlm_digest sample);
int32_t vlm_stats_samples(const vlm_stats *stats);
/* Marks a sample that is there: it was kept apart, and nothing else of the statistics knows it. */
void vlm_stats_hold_out(vlm_stats *stats, vlm_digest sample);
bool vlm_stats_is_held_out(const vlm_stats *stats, vlm_digest sample);
int32_t vlm_stats_held_out(const vlm_stats *stats); /* how many */
/* Samples in order of digest. */
vlm_digest vlm_stats_sample(const vlm_stats *stats, int32_t index, const char **name);

/* Adds every tensor and sample of b into a. The same sample in both, another model or other preprocessing are refused. */
vlm_status vlm_stats_merge(vlm_stats *a, const vlm_stats *b, vlm_error *err);
const char *vlm_stats_preprocess(const vlm_stats *stats);

/* How the samples were measured, in words that are compared: "" = as usual. Statistics of different settings are not merged. */
vlm_status vlm_stats_set_settings(vlm_stats *stats, const char *settings, vlm_error *err);
const char *vlm_stats_settings(const vlm_stats *stats);
/* Of a run that was not finished. Neither is part of the digest. */
void vlm_stats_set_partial(vlm_stats *stats, bool partial);
bool vlm_stats_is_partial(const vlm_stats *stats);

/* Shapes of the inputs in each graph's largest run (calib/shapes.h); merged with the rest. No part of the digest. */
struct vlm_shape_list *vlm_stats_shapes(vlm_stats *stats);
const struct vlm_shape_list *vlm_stats_seen_shapes(const vlm_stats *stats);

/* Inputs to run again (calib/kept.h), of a single graph; merged with the rest. No part of the digest. */
struct vlm_kept_list *vlm_stats_kept(vlm_stats *stats);
const struct vlm_kept_list *vlm_stats_kept_samples(const vlm_stats *stats);

/* Writes the store atomically; the bytes are a function of the content. */
vlm_status vlm_stats_save(const vlm_stats *stats, const char *path, vlm_error *err);

/* ---- reading ---- */

/* The entry of a tensor, or NULL. */
const vlm_tensor_stats *vlm_stats_find(const vlm_stats *stats, const char *graph, const char *name);
int32_t vlm_stats_count(const vlm_stats *stats);
/* In order of (graph, name), byte-wise. */
const vlm_tensor_stats *vlm_stats_at(const vlm_stats *stats, int32_t index);
/* Mean of channel c. */
double vlm_stats_channel_mean(const vlm_tensor_stats *t, int32_t channel);

/* Digest of the model the statistics belong to; quantizing another model with them is refused. */
vlm_digest vlm_stats_model(const vlm_stats *stats);
/* What the digest of the statistics covers: files of version 1 first left the names of the samples out, then which sample was
 * the widest. They are read; WHOLE is what is written and compared. */
typedef enum vlm_stats_form { VLM_STATS_UNNAMED, VLM_STATS_NAMED, VLM_STATS_WHOLE } vlm_stats_form;
/* Digest of the statistics themselves (of the stored content). */
vlm_status vlm_stats_digest(vlm_digest *out, const vlm_stats *stats, vlm_stats_form form, vlm_error *err);

/* Reads a store (docs/statistics.md). */
vlm_status vlm_stats_open(vlm_stats **out, const char *path, vlm_error *err);
/* The same without tensors, for who asks which samples a file holds; the digest is not checked. */
vlm_status vlm_stats_open_samples(vlm_stats **out, const char *path, vlm_error *err);
void vlm_stats_free(vlm_stats *stats);

#endif
