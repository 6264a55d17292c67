/* --target: what a runtime takes of a model's files. */
#include "cli/inspect.h"

static vlm_status print_json(const vlm_cli *cli, const vlm_target_view *view, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  vlm_json_open_object(w, NULL);
  vlm_target_view_put(w, view);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

vlm_status vlm_inspect_target(const vlm_cli *cli, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context *context = NULL;
  vlm_cli_open_opts opts = {.shapes = NULL};
  vlm_target_view view = {.bundle = NULL};
  VLM_TRY(vlm_cli_context(&context, cli, err));
  VLM_TRY(vlm_cli_open_read(&opts, cli, VLM_OPEN_AS_IT_IS, err));
  VLM_TRY(vlm_target_view_make(&view, context, path, vlm_target_get((vlm_target_id)cli->args->target),
                               &opts.flow, err));
  if (VLM_OPTION_GIVEN(cli->args, json)) VLM_TRY(print_json(cli, &view, err));
  if (vlm_says_text(cli)) vlm_target_view_print(&view, cli, path);
out:
  vlm_target_view_free(&view);
  vlm_cli_open_free(&opts);
  vlm_context_free(context);
  return st;
}
