#include "flow/calibrate.h"

#include <string.h>

#include "flow/data.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

enum { SAVE_SECONDS = 20, HOLDOUT = 10 /* percent */ };

/* ---- statistics: new, or those of an interrupted run ---- */

static vlm_status check_resumed(const vlm_stats *stats, vlm_digest model, const char *preprocess,
                                const char *path, const vlm_bundle *bundle, vlm_error *err) {
  vlm_digest seen = vlm_stats_model(stats);
  bool same =
      seen.high == model.high && seen.low == model.low && !strcmp(preprocess, vlm_stats_preprocess(stats));
  if (same) return VLM_OK;
  return vlm_fail(err, VLM_INPUT,
                  "%s: belongs to another model or preprocessing; it cannot be resumed with %s", path,
                  bundle->source);
}

vlm_status vlm_flow_statistics(vlm_stats **out, const vlm_bundle *bundle, const char *resume,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  char *preprocess = NULL;
  vlm_digest model;
  *out = NULL;
  VLM_TRY(vlm_bundle_digest(&model, bundle, err));
  VLM_TRY(vlm_calibrate_preprocess(&preprocess, bundle, err));
  if (!resume) {
    VLM_TRY(vlm_stats_create(out, model, preprocess, err));
    goto out;
  }
  VLM_TRY(vlm_stats_open(out, resume, err));
  VLM_TRY(check_resumed(*out, model, preprocess, resume, bundle, err));
out:
  vlm_free(preprocess);
  if (st != VLM_OK) {
    vlm_stats_free(*out);
    *out = NULL;
  }
  return st;
}

vlm_status vlm_flow_merge(vlm_stats **out, const char *const *files, int32_t n_files, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats *part = NULL;
  *out = NULL;
  VLM_CHECK(n_files > 0, err, VLM_USAGE, "no statistics file to merge");
  VLM_TRY(vlm_stats_open(out, files[0], err));
  for (int32_t i = 1; i < n_files; i++) {
    VLM_TRY(vlm_stats_open(&part, files[i], err));
    st = vlm_stats_merge(*out, part, err);
    if (st != VLM_OK) vlm_error_context(err, "%s", files[i]);
    vlm_stats_free(part);
    part = NULL;
    if (st != VLM_OK) goto out;
  }
out:
  if (st != VLM_OK) {
    vlm_stats_free(*out);
    *out = NULL;
  }
  return st;
}

/* ---- a run with checkpoints ---- */

typedef struct {
  vlm_stats *stats;
  vlm_watch watch;
  const char *output;
  double interval_ms, saved_ms; /* 0 = not yet */
} checkpoints;

static vlm_status save(checkpoints *c, vlm_error *err) {
  if (!c->output) return VLM_OK;
  vlm_status st = vlm_stats_save(c->stats, c->output, err);
  c->saved_ms = vlm_clock_ms();
  return st;
}

static vlm_status interrupt(checkpoints *c, vlm_status status, vlm_error *err) {
  vlm_error broken = {0};
  if (save(c, &broken) != VLM_OK) return vlm_fail(err, broken.status, "%s", broken.text);
  return status;
}

static vlm_status between(void *user, int64_t done, int64_t total, vlm_error *err) {
  checkpoints *c = user;
  vlm_status st = vlm_watch_step(&c->watch, done, total, err);
  if (st != VLM_OK) return interrupt(c, st, err);
  if (done == total || (c->saved_ms > 0 && vlm_clock_ms() - c->saved_ms < c->interval_ms)) return VLM_OK;
  return save(c, err);
}

vlm_status vlm_flow_calibrate(vlm_stats *stats, vlm_context *context, const vlm_bundle *bundle,
                              const vlm_dataset *set, const vlm_flow_calibrate_opts *opts,
                              vlm_calibrate_report *report, vlm_error *err) {
  static const vlm_flow_calibrate_opts DEFAULTS = {.n_prompts = 0};
  vlm_status st = VLM_OK;
  vlm_prompts prompts = {0};
  if (!opts) opts = &DEFAULTS;
  double seconds = opts->save_seconds > 0 ? opts->save_seconds : SAVE_SECONDS;
  checkpoints c = {
      .stats = stats, .watch = opts->watch, .output = opts->output, .interval_ms = 1e3 * seconds};
  VLM_TRY(vlm_prompts_choose(&prompts, bundle, set, opts->prompts, opts->n_prompts, err));
  const vlm_calibrate_opts run = {.prompts = prompts.items,
                                  .n_prompts = prompts.count,
                                  .max_new_tokens = opts->max_new_tokens,
                                  .holdout = opts->holdout < 0 ? 0 : opts->holdout > 0 ? opts->holdout : HOLDOUT,
                                  .everything = opts->everything,
                                  .detail = opts->detail,
                                  .owns_constants = opts->owns_constants,
                                  .teacher = opts->teacher,
                                  .between = between,
                                  .user = &c};
  VLM_TRY(vlm_calibrate(stats, context, bundle, set, &run, report, err));
  VLM_TRY(save(&c, err));
out:
  vlm_free(prompts.own);
  return st;
}
