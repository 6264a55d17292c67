#include "flow/calibrate.h"

#include <string.h>

#include "flow/data.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { SAVE_SECONDS = 20, HOLDOUT = 10 /* percent */ };

/* ---- statistics: new, or those of an interrupted run ---- */

static vlm_status check_settings(const vlm_stats *stats, const char *settings, const char *path,
                                 vlm_error *err) {
  const char *before = vlm_stats_settings(stats);
  if (strcmp(before, settings) == 0) return VLM_OK;
  return vlm_fail(
      err, VLM_USAGE,
      "%s: its samples were measured with \"%s\", now it is \"%s\"; use the same options, or another output",
      path, *before ? before : "no such options", *settings ? settings : "no such options");
}

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
                               const char *settings, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *preprocess = NULL;
  vlm_digest model;
  *out = NULL;
  if (!settings) settings = "";
  VLM_TRY(vlm_bundle_digest(&model, bundle, err));
  VLM_TRY(vlm_calibrate_preprocess(&preprocess, bundle, err));
  if (!resume) {
    VLM_TRY(vlm_stats_create(out, model, preprocess, err));
    VLM_TRY(vlm_stats_set_settings(*out, settings, err));
    goto out;
  }
  VLM_TRY(vlm_stats_open(out, resume, err));
  VLM_TRY(check_resumed(*out, model, preprocess, resume, bundle, err));
  VLM_TRY(check_settings(*out, settings, resume, err));
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

/* ---- what a file holds already ---- */

/* The samples alone. NULL: the output is not there, or holds no statistics with samples. */
static vlm_status open_kept(vlm_stats **out, const char *path, vlm_error *err) {
  vlm_error unread = {0};
  *out = NULL;
  if (!path || !vlm_file_is_regular(path, NULL)) return VLM_OK;
  vlm_status st = vlm_stats_open_samples(out, path, &unread);
  if (st == VLM_MEMORY) return vlm_fail(err, st, "%s", unread.text);
  if (st == VLM_OK && vlm_stats_samples(*out) > 0) return VLM_OK;
  vlm_stats_free(*out);
  *out = NULL;
  return VLM_OK;
}

static int32_t count_lacking(const vlm_stats *kept, const vlm_stats *stats) {
  int32_t n = 0;
  for (int32_t i = 0; i < vlm_stats_samples(kept); i++)
    n += !vlm_stats_has_sample(stats, vlm_stats_sample(kept, i, NULL));
  return n;
}

/* The samples that the set has, as a collection without tensors. */
static vlm_status add_set(vlm_stats *to, const vlm_dataset *set, const vlm_prompts *prompts, bool images,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_digest content, digest;
  for (size_t i = 0; i < vlm_dataset_count(set); i++) {
    VLM_TRY(vlm_dataset_digest(&content, set, i, err));
    for (int32_t p = 0; p < (images ? prompts->count : 1); p++) {
      const vlm_sample *s = vlm_dataset_get(set, i);
      const char *prompt = images ? vlm_sample_prompt(s, prompts->items, p) : s->prompt ? s->prompt : "";
      VLM_TRY(vlm_calibrate_digest(&digest, content, prompt, err));
      if (!vlm_stats_has_sample(to, digest)) VLM_TRY(vlm_stats_add_sample(to, digest, s->key, err));
    }
  }
out:
  return st;
}

static vlm_status check_kept(const vlm_stats *kept, const char *output, const vlm_stats *stats,
                             const vlm_dataset *set, const vlm_prompts *prompts, bool images,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats *all = NULL;
  if (!kept || count_lacking(kept, stats) == 0) return VLM_OK;
  VLM_TRY(vlm_stats_create(&all, vlm_stats_model(kept), "", err));
  VLM_TRY(add_set(all, set, prompts, images, err));
  const int32_t lost = count_lacking(kept, all), held = vlm_stats_samples(kept);
  VLM_CHECK(lost == 0, err, VLM_USAGE,
            "%s holds %d samples, and %d of them would be lost: --resume adds to them, --force replaces "
            "them, or name another output",
            output, held, lost);
out:
  vlm_stats_free(all);
  return st;
}

vlm_status vlm_flow_check_replaced(const char *output, const vlm_stats *stats, const vlm_bundle *bundle,
                                   const vlm_dataset *set, const vlm_flow_calibrate_opts *opts,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats *kept = NULL;
  vlm_prompts prompts = {0};
  VLM_TRY(open_kept(&kept, output, err));
  VLM_TRY(vlm_prompts_choose(&prompts, bundle, set, opts->prompts, opts->n_prompts, err));
  VLM_TRY(check_kept(kept, output, stats, set, &prompts, bundle->family != VLM_FAMILY_GRAPH, err));
out:
  vlm_stats_free(kept);
  vlm_free(prompts.own);
  return st;
}

/* ---- a run with checkpoints ---- */

typedef struct {
  vlm_stats *stats,
      *kept; /* kept: what the file holds until the new statistics have all of its samples; NULL = nothing */
  vlm_watch watch;
  const char *output;
  double interval_ms, saved_ms; /* 0 = not yet */
} checkpoints;

static vlm_status save(checkpoints *c, bool partial, vlm_error *err) {
  c->saved_ms = vlm_clock_ms();
  if (!c->output || (c->kept && count_lacking(c->kept, c->stats))) return VLM_OK;
  vlm_stats_free(c->kept);
  c->kept = NULL;
  vlm_stats_set_partial(c->stats, partial);
  return vlm_stats_save(c->stats, c->output, err);
}

static vlm_status interrupt(checkpoints *c, vlm_status status, vlm_error *err) {
  vlm_error broken = {0};
  if (save(c, true, &broken) != VLM_OK) return vlm_fail(err, broken.status, "%s", broken.text);
  const int count = vlm_stats_samples(c->kept ? c->kept : c->stats);
  const char *plural = count == 1 ? "" : "s";
  if (!c->output) return status;
  if (c->kept)
    return vlm_fail(err, status, "interrupted; %s is as it was, with %d sample%s", c->output, count, plural);
  return vlm_fail(err, status, "interrupted; %s holds %d sample%s, and --resume goes on from there",
                  c->output, count, plural);
}

static vlm_status between(void *user, int64_t done, int64_t total, vlm_error *err) {
  checkpoints *c = user;
  vlm_status st = vlm_watch_step(&c->watch, done, total, err);
  if (st != VLM_OK) return interrupt(c, st, err);
  if (done == total || (c->saved_ms > 0 && vlm_clock_ms() - c->saved_ms < c->interval_ms)) return VLM_OK;
  return save(c, true, err);
}

/* Of a run that failed before it touched a sample, the samples before are worth something. */
static void save_what_is_whole(checkpoints *c, const vlm_calibrate_report *report, vlm_status status,
                               vlm_error *err) {
  vlm_error broken = {0};
  if (report->torn || report->samples == 0 || status == VLM_INTERRUPTED || !c->output) return;
  if (save(c, true, &broken) == VLM_OK && !c->kept)
    vlm_error_context(err, "%s holds %d samples, and --resume goes on with them", c->output,
                      vlm_stats_samples(c->stats));
}

typedef struct {
  checkpoints *saves;
  const vlm_flow_calibrate_opts *opts;
} calibrating;

static vlm_status between_samples(void *user, int64_t done, int64_t total, vlm_error *err) {
  return between(((calibrating *)user)->saves, done, total, err);
}

static void tell_skipped(void *user, const char *path, const char *reason) {
  const vlm_flow_calibrate_opts *opts = ((calibrating *)user)->opts;
  if (opts->skipped) opts->skipped(opts->skipped_user, path, reason);
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
  calibrating user = {.saves = &c, .opts = opts};
  VLM_TRY(vlm_prompts_choose(&prompts, bundle, set, opts->prompts, opts->n_prompts, err));
  if (!opts->replace) VLM_TRY(open_kept(&c.kept, opts->output, err));
  VLM_TRY(check_kept(c.kept, opts->output, stats, set, &prompts, bundle->family != VLM_FAMILY_GRAPH, err));
  const vlm_calibrate_opts run = {.prompts = prompts.items,
                                  .n_prompts = prompts.count,
                                  .max_new_tokens = opts->max_new_tokens,
                                  .holdout = opts->holdout < 0   ? 0
                                             : opts->holdout > 0 ? opts->holdout
                                                                 : HOLDOUT,
                                  .keep_none = opts->keep_none,
                                  .everything = opts->everything,
                                  .detail = opts->detail,
                                  .owns_constants = opts->owns_constants,
                                  .skip_bad = opts->skip_bad,
                                  .skipped = tell_skipped,
                                  .teacher = opts->teacher,
                                  .between = between_samples,
                                  .user = &user};
  st = vlm_calibrate(stats, context, bundle, set, &run, report, err);
  if (st != VLM_OK) save_what_is_whole(&c, report, st, err);
  if (st == VLM_OK) st = save(&c, false, err);
out:
  vlm_stats_free(c.kept);
  vlm_free(prompts.own);
  return st;
}
