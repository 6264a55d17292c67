/* A statistics file: which tensors have long tails, which samples stretch the ranges. */
#include "cli/inspect.h"

static vlm_status print_json(const vlm_cli *cli, const vlm_stats_view *v, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "kind", "statistics");
  vlm_stats_view_put(w, v);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

vlm_status vlm_inspect_stats(const vlm_cli *cli, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats *stats = NULL;
  vlm_threads *threads = NULL;
  vlm_stats_view v = {.path = NULL};
  VLM_TRY(vlm_threads_create(&threads, (int)cli->args->threads, err));
  VLM_TRY(vlm_stats_open(&stats, path, err));
  VLM_TRY(vlm_stats_view_make(&v, stats, threads, err));
  v.path = path;
  if (cli->args->plot) VLM_TRY(vlm_stats_view_plot(&v, cli->args->plot, err));
  if (VLM_OPTION_GIVEN(cli->args, json)) VLM_TRY(print_json(cli, &v, err));
  if (vlm_says_text(cli)) vlm_stats_view_print(&v, cli);
out:
  vlm_stats_view_free(&v);
  vlm_stats_free(stats);
  vlm_threads_free(threads);
  return st;
}
