/* A bundle or a single graph: what is in it and what it costs. */
#include "cli/coverage_text.h"
#include "cli/inspect.h"

static vlm_status print_json(const vlm_cli *cli, const vlm_model_view *view, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "kind", view->bundle->family == VLM_FAMILY_GRAPH ? "graph" : "bundle");
  VLM_TRY(vlm_model_view_put(w, view, err));
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static void print_line(void *user, const char *line) {
  (void)user;
  puts(line);
}

vlm_status vlm_inspect_model(const vlm_cli *cli, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  vlm_context *context = NULL;
  vlm_model_view view = {.bundle = NULL};
  bool json = VLM_OPTION_GIVEN(cli->args, json);
  if (VLM_OPTION_GIVEN(cli->args, target)) return vlm_inspect_target(cli, path, err);
  VLM_TRY(vlm_cli_open(&bundle, cli, path, VLM_OPEN_AS_IT_IS, err));
  if (cli->args->dot) VLM_TRY(vlm_dot_write(bundle, cli->args->dot, err));
  if (cli->quiet && !json) goto out;
  VLM_TRY(vlm_cli_context(&context, cli, err));
  VLM_TRY(vlm_model_view_make(&view, context, bundle, true, err));
  if (json) VLM_TRY(print_json(cli, &view, err));
  if (vlm_says_text(cli)) {
    vlm_model_view_print_totals(&view, path);
    VLM_TRY(vlm_model_view_print_graphs(&view, cli, err));
    puts("\nwhat vlm-quantize would put in 8 bits, before it looks at statistics:");
    vlm_coverage_print(view.coverage, cli, print_line, NULL);
  }
out:
  vlm_model_view_free(&view);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
  return st;
}
