#include "cli/check_report.h"

#include <stdio.h>
#include <string.h>

#include "cli/program.h"

typedef struct sink {
  const vlm_check_output *output;
  vlm_json_writer *json;
  FILE *text;
} sink;

static void write_case(void *user, const vlm_check_case *c) {
  sink *s = user;
  bool show = s->output->verbose || (c->result == VLM_CHECK_FAILED && !s->output->quiet);
  if (show) {
    fprintf(s->text, "%s %s%s%s\n", vlm_check_result_name(c->result), c->name,
            c->detail[0] != '\0' ? ": " : "", c->detail);
    fflush(s->text);
  }
  if (s->json == NULL) return;
  vlm_json_open_object(s->json, NULL);
  vlm_json_put_text(s->json, "name", c->name);
  vlm_json_put_text(s->json, "status", vlm_check_result_name(c->result));
  vlm_json_put_text(s->json, "detail", c->detail);
  vlm_json_close_object(s->json);
}

/* The members "passed" .. come after "cases": a case is written as soon as it is done. */
static vlm_status write_json(const sink *s, const vlm_check_counts *counts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text = NULL;
  vlm_json_close_array(s->json);
  vlm_json_put_int(s->json, "passed", counts->passed);
  vlm_json_put_int(s->json, "failed", counts->failed);
  vlm_json_put_int(s->json, "unsupported", counts->unsupported);
  vlm_json_close_object(s->json);
  VLM_TRY(vlm_json_writer_text(s->json, &text, NULL, err));
  if (s->output->json_path == NULL) {
    VLM_CHECK(printf("%s\n", text) > 0 && fflush(stdout) == 0, err, VLM_IO,
              "standard output cannot be written");
    goto out;
  }
  VLM_TRY(vlm_write_text(s->output->json_path, text, err));
out:
  return st;
}

vlm_status vlm_check_report(const char *const *folders, int32_t n_folders, const vlm_check_opts *opts,
                            const vlm_check_output *output, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_check_counts counts = {0};
  bool json_on_stdout = output->json && output->json_path == NULL;
  sink s = {.output = output, .text = json_on_stdout ? stderr : stdout};
  if (output->json) {
    VLM_TRY(vlm_json_writer_create(&s.json, 0, err));
    vlm_json_open_object(s.json, NULL);
    vlm_json_open_array(s.json, "cases");
  }
  VLM_TRY(vlm_check_folders(folders, n_folders, opts, write_case, &s, &counts, err));
  fprintf(s.text, "%lld passed, %lld failed, %lld unsupported\n", (long long)counts.passed,
          (long long)counts.failed, (long long)counts.unsupported);
  fflush(s.text);
  if (output->json) VLM_TRY(write_json(&s, &counts, err));
  VLM_CHECK(counts.failed == 0, err, VLM_INPUT, "%lld of %lld cases failed", (long long)counts.failed,
            (long long)(counts.passed + counts.failed + counts.unsupported));
out:
  vlm_json_writer_free(s.json);
  return st;
}
