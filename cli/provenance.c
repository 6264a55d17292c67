#include "cli/provenance.h"

#include "cli/option_row.h"
#include "flow/digest.h"
#include "runtime/base/threads.h"

enum { SCHEMA = 1 }; /* counts up when a member changes its meaning or goes */

static void put_option(vlm_json_writer *w, const vlm_args *args, const vlm_option_row *row) {
  char shown[512];
  const char *key = row->name + (row->name[1] == '-' ? 2 : 1);
  const void *field = (const char *)args + row->target;
  if (vlm_option_is_list(row)) {
    const vlm_option_values list = vlm_option_given_values(args, row, NULL);
    vlm_json_open_array(w, key);
    for (int i = 0; i < list.count; i++) vlm_json_put_text(w, NULL, list.items[i]);
    vlm_json_close_array(w);
    return;
  }
  vlm_option_show(shown, sizeof shown, args, row);
  if (row->type == VLM_TYPE_flag) vlm_json_put_bool(w, key, true);
  else if (row->type == VLM_TYPE_integer) vlm_json_put_int(w, key, *(const int64_t *)field);
  else if (row->type == VLM_TYPE_number || row->type == VLM_TYPE_percent)
    vlm_json_put_double(w, key, *(const double *)field);
  else vlm_json_put_text(w, key, shown);
}

void vlm_put_provenance(vlm_json_writer *w, const vlm_cli *cli, vlm_context *context) {
  vlm_json_put_int(w, "schema", SCHEMA);
  vlm_json_open_object(w, "tool");
  vlm_json_put_text(w, "name", cli->program->name);
  vlm_json_put_text(w, "version", VLM_VERSION);
  vlm_json_close_object(w);
  vlm_json_open_object(w, "options");
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (cli->args->given[i]) put_option(w, cli->args, &vlm_option_rows[i]);
  vlm_json_close_object(w);
  if (!context) return;
  vlm_json_put_text(w, "cpu", vlm_context_cpu(context));
  vlm_json_put_int(w, "threads", vlm_threads_count(vlm_context_threads(context)));
}

vlm_status vlm_put_model(vlm_json_writer *w, const char *key, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_digest digest;
  char text[33];
  VLM_TRY(vlm_flow_digest(&digest, path, err));
  vlm_json_open_object(w, key);
  vlm_json_put_text(w, "path", path);
  vlm_json_put_text(w, "digest", vlm_digest_text(digest, text));
  vlm_json_close_object(w);
out:
  return st;
}
