/* vlm-calibrate: the user's own samples through the model, statistics out. */
#include <string.h>

#include "cli/data.h"
#include "cli/program.h"
#include "flow/calibrate.h"
#include "runtime/base/file.h"

typedef struct {
  const vlm_cli *cli;
  const char *output;
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_captions *captions;
  vlm_dataset *set;
  vlm_stats *stats;
  vlm_flow_calibrate_opts opts;
  vlm_prompts prompts;
  vlm_calibrate_report report;
  vlm_progress progress;
  double start;
} calibrate_job;

static vlm_status open_statistics(calibrate_job *j, vlm_error *err) {
  bool resume = j->cli->args->resume && j->output && vlm_file_exists(j->output);
  vlm_status st = vlm_flow_statistics(&j->stats, j->bundle, resume ? j->output : NULL, err);
  if (st == VLM_OK && resume)
    vlm_say(j->cli, "%s: %d samples are there already", j->output, vlm_stats_samples(j->stats));
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
  VLM_TRY(vlm_stats_digest(&content, j->stats, true, err));
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_int(w, "samples", vlm_stats_samples(j->stats));
  vlm_json_put_int(w, "samples_run", j->report.samples);
  vlm_json_put_int(w, "held_out", vlm_stats_held_out(j->stats));
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

static vlm_status merge(calibrate_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  const vlm_option_values *files = &args->merge;
  VLM_TRY(vlm_flow_merge(&j->stats, files->items, files->count, err));
  if (args->dry_run) {
    vlm_say(j->cli, "plan: %d samples from %d files into %s", vlm_stats_samples(j->stats), files->count, j->output ? j->output : "nothing");
    goto out;
  }
  VLM_TRY(vlm_stats_save(j->stats, j->output, err));
  vlm_say(j->cli, "%s: %d samples from %d files", j->output, vlm_stats_samples(j->stats), files->count);
  VLM_TRY(print_json(j, err));
out:
  return st;
}

static vlm_status run_samples(calibrate_job *j, vlm_error *err) {
  vlm_finish_when_asked(&j->opts.watch);
  vlm_status st = vlm_flow_calibrate(j->stats, j->context, j->bundle, j->set, &j->opts, &j->report, err);
  vlm_progress_end(&j->progress);
  if (st != VLM_INTERRUPTED) return st;
  return vlm_fail(err, st, "interrupted; %s holds %d samples, and --resume goes on with them", j->output,
                  vlm_stats_samples(j->stats));
}

static void say_held_out(const calibrate_job *j) {
  int32_t held_out = vlm_stats_held_out(j->stats);
  if (held_out) vlm_say(j->cli, "%d of them kept apart, to measure on what is packed", held_out);
  else if (j->report.too_few)
    vlm_say(j->cli, "none kept apart: below %d samples all are calibrated with", VLM_HOLDOUT_LEAST);
}

static vlm_status calibrate(calibrate_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  VLM_TRY(vlm_cli_context(&j->context, j->cli, err));
  VLM_TRY(vlm_cli_open(&j->bundle, j->cli, args->positional.items[0], VLM_OPEN_AS_IT_IS, err));
  VLM_TRY(vlm_cli_fit(j->cli, j->bundle, err));
  if (args->teacher) VLM_TRY(vlm_captions_load(&j->captions, args->teacher, err));
  j->opts.teacher = j->captions;
  VLM_TRY(vlm_cli_data(&j->set, j->cli, j->bundle, j->captions, err));
  VLM_TRY(open_statistics(j, err));
  VLM_TRY(vlm_cli_prompts(&j->prompts, j->cli, j->bundle, j->set, err));
  j->opts.prompts = j->prompts.items;
  j->opts.n_prompts = j->prompts.count;
  j->opts.max_new_tokens = args->max_new_tokens;
  j->opts.holdout = args->holdout > 0 ? args->holdout : -1;
  j->opts.everything = args->everything;
  j->opts.detail = args->detail;
  j->opts.owns_constants = true;
  j->opts.output = j->output;
  j->opts.watch = vlm_progress_watch(&j->progress);
  int64_t total = (int64_t)vlm_dataset_count(j->set) * (j->bundle->family == VLM_FAMILY_GRAPH ? 1 : j->opts.n_prompts);
  vlm_say(j->cli, "plan: %lld runs of %zu samples with %s kernels into %s", (long long)total, vlm_dataset_count(j->set), vlm_context_cpu(j->context),
          j->output ? j->output : "nothing");
  if (args->dry_run) goto out;
  vlm_progress_begin(&j->progress, j->cli, "calibrating", total);
  VLM_TRY(run_samples(j, err));
  vlm_say(j->cli, "%s: %d samples, %d tensors", j->output, vlm_stats_samples(j->stats), vlm_stats_count(j->stats));
  say_held_out(j);
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
  vlm_captions_free(j.captions);
  vlm_stats_free(j.stats);
  vlm_bundle_free(j.bundle);
  vlm_context_free(j.context);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('c', run, argc, argv); }
