/* A packed file: sections, tensors, preprocessing, provenance, decisions. */
#include "cli/inspect.h"

static vlm_status print_json(const vlm_cli *cli, const vlm_pack_view *v, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "kind", "packed");
  VLM_TRY(vlm_pack_view_put(w, v, err));
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static vlm_status inspect(const vlm_cli *cli, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack_view v = {.pack = NULL};
  vlm_context *context = NULL;
  vlm_cli_open_opts opts;
  bool json = VLM_OPTION_GIVEN(cli->args, json);
  VLM_TRY(vlm_cli_open_read(&opts, cli, VLM_OPEN_LOWERED, err));
  VLM_TRY(vlm_cli_context(&context, cli, err));
  VLM_TRY(vlm_pack_view_open(&v, context, path, &opts.flow, err));
  if (cli->args->dot) VLM_TRY(vlm_dot_write(v.bundle, cli->args->dot, err));
  if (cli->args->unpack) VLM_TRY(vlm_pack_view_unpack(&v, cli->args->unpack, err));
  if (json) VLM_TRY(print_json(cli, &v, err));
  if (vlm_says_text(cli)) VLM_TRY(vlm_pack_view_print(&v, cli, err));
out:
  vlm_pack_view_free(&v);
  vlm_context_free(context);
  vlm_cli_open_free(&opts);
  return st;
}

vlm_status vlm_inspect_pack(const vlm_cli *cli, const char *path, vlm_error *err) {
  if (cli->args->verify) return vlm_inspect_verify(cli, path, err);
  if (cli->args->diff) return vlm_inspect_diff(cli, path, cli->args->diff, err);
  return inspect(cli, path, err);
}
