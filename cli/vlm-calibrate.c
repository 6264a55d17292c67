/* vlm-calibrate: the user's own samples through the model, statistics out. */
#include <string.h>

#include "calib/kept.h"
#include "cli/data.h"
#include "cli/inspect.h"
#include "cli/program.h"
#include "flow/calibrate.h"
#include "runtime/base/file.h"

typedef struct {
  const vlm_cli *cli;
  const char *output;
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_caption_set captions;
  vlm_dataset *set;
  vlm_skipped skipped;
  vlm_text settings;
  vlm_stats *stats;
  vlm_flow_calibrate_opts opts;
  vlm_prompts prompts;
  vlm_calibrate_report report;
  vlm_progress progress;
  double start;
} calibrate_job;

static vlm_status open_statistics(calibrate_job *j, vlm_error *err) {
  bool resume = j->cli->args->resume && j->output && vlm_file_exists(j->output);
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_args_measured(&j->settings, j->cli->args, err));
  VLM_TRY(
      vlm_flow_statistics(&j->stats, j->bundle, resume ? j->output : NULL, vlm_text_get(&j->settings), err));
  if (resume) vlm_say(j->cli, "%s: %d samples are there already", j->output, vlm_stats_samples(j->stats));
out:
  return st;
}

/* ---- output ---- */

/* What the file holds of a graph, from this run and from those before. */
static void put_graph(vlm_json_writer *w, const vlm_stats *stats, const char *role) {
  int64_t runs = 0, tensors = 0;
  for (int32_t i = 0; i < vlm_stats_count(stats); i++) {
    const vlm_tensor_stats *t = vlm_stats_at(stats, i);
    if (strcmp(t->graph, role)) continue;
    tensors++;
    runs = t->runs > runs ? t->runs : runs;
  }
  if (!tensors) return;
  vlm_json_open_object(w, role);
  vlm_json_put_int(w, "runs", runs);
  vlm_json_put_int(w, "tensors", tensors);
  vlm_json_close_object(w);
}

static vlm_status print_json(const calibrate_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  char digest[33];
  double seconds = vlm_now() - j->start;
  vlm_digest content;
  VLM_TRY(vlm_stats_digest(&content, j->stats, VLM_STATS_WHOLE, err));
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_int(w, "samples", vlm_stats_samples(j->stats));
  vlm_json_put_int(w, "samples_run", j->report.samples);
  vlm_json_put_int(w, "held_out", vlm_stats_held_out(j->stats));
  vlm_json_put_int(w, "samples_resumed", j->report.resumed);
  vlm_put_skipped(w, &j->skipped);
  vlm_json_open_object(w, "graphs");
  for (int r = 0; r < VLM_ROLE_COUNT; r++) put_graph(w, j->stats, vlm_role_name((vlm_role)r));
  vlm_json_close_object(w);
  vlm_json_put_double(w, "seconds", seconds);
  vlm_json_put_double(w, "samples_per_s", seconds > 0 ? (double)j->report.samples / seconds : 0);
  vlm_json_put_double(w, "peak_rss_mib", vlm_peak_rss_mib());
  vlm_json_put_text(w, "digest", vlm_digest_text(content, digest));
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(j->cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

/* The plan of --dry-run. */
static vlm_status print_plan_json(const calibrate_job *j, int64_t runs, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_int(w, "samples_planned", (int64_t)vlm_dataset_count(j->set));
  vlm_json_put_int(w, "runs_planned", runs);
  vlm_json_put_int(w, "samples_there", vlm_stats_samples(j->stats));
  vlm_put_skipped(w, &j->skipped);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(j->cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static void warn_of_few(const calibrate_job *j, int64_t samples) {
  enum { ENOUGH = 32 };
  if (samples < ENOUGH)
    vlm_say(j->cli, "warning: %lld calibration sample%s; ranges of fewer than %d may not hold for other data",
            (long long)samples, samples == 1 ? "" : "s", ENOUGH);
}

/* Merging may not lose the samples of another file either. */
static vlm_status check_merge_output(const calibrate_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats *old = NULL;
  vlm_error unread = {0};
  if (j->cli->args->force || !j->output || vlm_stats_open_samples(&old, j->output, &unread) != VLM_OK)
    return VLM_OK;
  int32_t lost = 0;
  for (int32_t i = 0; i < vlm_stats_samples(old); i++)
    lost += !vlm_stats_has_sample(j->stats, vlm_stats_sample(old, i, NULL));
  VLM_CHECK(
      lost == 0, err, VLM_USAGE,
      "%s holds %d samples, and %d of them would be lost: --force replaces them, or name another output",
      j->output, vlm_stats_samples(old), lost);
out:
  vlm_stats_free(old);
  return st;
}

static vlm_status merge(calibrate_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  const vlm_option_values *files = &args->merge;
  VLM_TRY(vlm_flow_merge(&j->stats, files->items, files->count, err));
  if (args->dry_run) {
    vlm_say(j->cli, "plan: %d samples from %d files into %s", vlm_stats_samples(j->stats), files->count,
            j->output ? j->output : "nothing");
    goto out;
  }
  VLM_TRY(check_merge_output(j, err));
  VLM_TRY(vlm_stats_save(j->stats, j->output, err));
  vlm_say(j->cli, "%s: %d samples from %d files", j->output, vlm_stats_samples(j->stats), files->count);
  if (vlm_stats_is_partial(j->stats))
    vlm_say(j->cli, "warning: one of the files is of a run that was not finished, so is %s", j->output);
  VLM_TRY(print_json(j, err));
out:
  return st;
}

static vlm_status run_samples(calibrate_job *j, vlm_error *err) {
  vlm_finish_when_asked(&j->opts.watch);
  vlm_status st = vlm_flow_calibrate(j->stats, j->context, j->bundle, j->set, &j->opts, &j->report, err);
  vlm_progress_end(&j->progress);
  vlm_skipped_say(&j->skipped);
  return st;
}

static vlm_status make_plan(calibrate_job *j, int64_t *runs, vlm_error *err) {
  const size_t samples = vlm_dataset_count(j->set);
  *runs = (int64_t)samples * (j->bundle->family == VLM_FAMILY_GRAPH ? 1 : j->opts.n_prompts);
  vlm_say(j->cli, "plan: %lld runs of %zu samples with %s kernels into %s", (long long)*runs, samples,
          vlm_context_cpu(j->context), j->output ? j->output : "nothing");
  warn_of_few(j, (int64_t)samples + vlm_stats_samples(j->stats));
  if (j->opts.replace) return VLM_OK;
  return vlm_flow_check_replaced(j->output, j->stats, j->bundle, j->set, &j->opts, err);
}

static void say_held_out(const calibrate_job *j) {
  int32_t held_out = vlm_stats_held_out(j->stats);
  if (held_out) vlm_say(j->cli, "%d of them kept apart, to measure on what is packed", held_out);
  else if (j->report.too_few)
    vlm_say(j->cli, "none kept apart: below %d samples all are calibrated with", VLM_HOLDOUT_LEAST);
}

/* The file is a place where pictures of its user lie now. */
static void say_kept(const calibrate_job *j) {
  const vlm_kept_list *kept = vlm_stats_kept_samples(j->stats);
  if (!kept->count) return;
  vlm_say(j->cli,
          "%s holds %d of the samples themselves (%s), so that vlm-quantize can round weights with them and "
          "measure; --no-keep leaves them out",
          j->output, kept->count, vlm_show_bytes((double)vlm_kept_list_bytes(kept)).text);
}

static vlm_status calibrate(calibrate_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  VLM_TRY(vlm_cli_context(&j->context, j->cli, err));
  VLM_TRY(vlm_cli_open(&j->bundle, j->cli, args->positional.items[0], VLM_OPEN_AS_IT_IS, err));
  VLM_TRY(vlm_cli_fit(j->cli, j->bundle, err));
  VLM_TRY(vlm_cli_captions(&j->captions, j->cli, args->teacher, err));
  j->opts.teacher = args->teacher ? &j->captions : NULL;
  VLM_TRY(vlm_cli_data(&j->set, j->cli, j->bundle, &j->captions, &j->skipped, err));
  VLM_TRY(open_statistics(j, err));
  VLM_TRY(vlm_cli_prompts(&j->prompts, j->cli, j->bundle, j->set, err));
  j->opts.prompts = j->prompts.items;
  j->opts.n_prompts = j->prompts.count;
  j->opts.max_new_tokens = args->max_new_tokens;
  j->opts.holdout = args->holdout > 0 ? args->holdout : -1;
  j->opts.everything = args->everything;
  j->opts.keep_none = args->no_keep;
  j->opts.detail = args->detail;
  j->opts.owns_constants = true;
  j->opts.output = j->output;
  j->opts.watch = vlm_progress_watch(&j->progress);
  j->opts.replace = args->force;
  j->opts.skip_bad = args->on_bad != 0;
  j->opts.skipped = vlm_skipped_add;
  j->opts.skipped_user = &j->skipped;
  int64_t total = 0;
  VLM_TRY(make_plan(j, &total, err));
  if (args->dry_run) {
    st = print_plan_json(j, total, err);
    goto out;
  }
  vlm_progress_begin(&j->progress, j->cli, "calibrating", total);
  VLM_TRY(run_samples(j, err));
  vlm_say(j->cli, "%s: %d samples, %d tensors", j->output, vlm_stats_samples(j->stats),
          vlm_stats_count(j->stats));
  say_held_out(j);
  say_kept(j);
  VLM_TRY(print_json(j, err));
out:
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  calibrate_job j = {.cli = cli, .start = vlm_now(), .output = cli->args->output};
  VLM_TRY(VLM_OPTION_GIVEN(cli->args, merge) ? merge(&j, err) : calibrate(&j, err));
out:
  vlm_free(j.prompts.own);
  vlm_dataset_free(j.set);
  vlm_skipped_free(&j.skipped);
  vlm_text_free(&j.settings);
  vlm_caption_set_free(&j.captions);
  vlm_stats_free(j.stats);
  vlm_bundle_free(j.bundle);
  vlm_context_free(j.context);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('c', run, argc, argv); }
