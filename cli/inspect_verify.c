/* --verify and --diff. */
#include <string.h>

#include "cli/inspect.h"
#include "flow/verify.h"

enum { WORDS = 96 };

/* ---- --verify ---- */

static vlm_status put_verdict(const vlm_cli *cli, const vlm_verify_result *r, const char *failure,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "kind", "verify");
  vlm_json_put_bool(w, "ok", !failure);
  vlm_json_put_text(w, "error", failure);
  vlm_json_put_int(w, "sections", r->file.sections);
  vlm_json_put_int(w, "tensors", r->file.tensors);
  vlm_json_put_int(w, "graphs", r->file.graphs);
  vlm_json_put_int(w, "golden_passed", r->passed);
  vlm_json_put_int(w, "golden_not_run", r->not_run);
  vlm_json_put_int(w, "size_bytes", (int64_t)r->file.file_bytes);
  vlm_json_put_int(w, "weight_bytes", (int64_t)r->file.weight_bytes);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static void print_verdict(const char *path, const vlm_verify_result *r) {
  printf("%s: intact: %s, %d sections, %d tensors (%s), %d graphs", path,
         vlm_show_bytes((double)r->file.file_bytes).text, r->file.sections, r->file.tensors,
         vlm_show_bytes((double)r->file.weight_bytes).text, r->file.graphs);
  if (r->file.golden) printf(", golden cases that hold: %d", r->passed);
  else printf(", no golden cases in the file");
  if (r->not_run) printf(" (%d of no single graph were not run)", r->not_run);
  putchar('\n');
}

vlm_status vlm_inspect_verify(const vlm_cli *cli, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context *context = NULL;
  vlm_cli_open_opts opts;
  vlm_verify_result result;
  vlm_error failure = {0};
  VLM_TRY(vlm_cli_open_read(&opts, cli, VLM_OPEN_LOWERED, err));
  VLM_TRY(vlm_cli_context(&context, cli, err));
  vlm_status verdict = vlm_flow_verify(&result, context, path, &opts.flow, &failure);
  bool json = VLM_OPTION_GIVEN(cli->args, json);
  if (json) VLM_TRY(put_verdict(cli, &result, verdict == VLM_OK ? NULL : failure.text, err));
  if (verdict != VLM_OK) VLM_TRY(vlm_fail(err, verdict, "%s", failure.text));
  if (vlm_says_text(cli)) print_verdict(path, &result);
out:
  vlm_context_free(context);
  vlm_cli_open_free(&opts);
  return st;
}

/* ---- --diff ---- */

typedef struct {
  vlm_json_writer *json; /* or print */
  bool quiet, verbose;
} differences;

static void tell(void *user, const char *where, const char *a, const char *b) {
  differences *d = user;
  char text[2048];
  if (d->json) {
    vlm_json_open_object(d->json, NULL);
    vlm_json_put_text(d->json, "where", where);
    vlm_json_put_text(d->json, "a", a);
    vlm_json_put_text(d->json, "b", b);
    vlm_json_close_object(d->json);
  } else if (!d->quiet) {
    int width = d->verbose ? 500 : WORDS;
    const char *const sides[2] = {a, b};
    puts(vlm_show_clean(text, sizeof text, where));
    for (int i = 0; i < 2; i++) {
      if (!*sides[i]) continue;
      vlm_show_cell(text, sizeof text, sides[i], width);
      size_t n = strlen(text);
      while (n && text[n - 1] == ' ') text[--n] = 0;
      printf("  %c %s\n", i ? '+' : '-', text);
    }
  }
}

vlm_status vlm_inspect_diff(const vlm_cli *cli, const char *path, const char *other, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *a = NULL, *b = NULL;
  differences d = {.quiet = cli->quiet, .verbose = cli->verbose};
  int64_t count;
  const char *text;
  VLM_TRY(vlm_pack_open(&a, path, NULL, err));
  VLM_TRY(vlm_pack_open(&b, other, NULL, err));
  if (VLM_OPTION_GIVEN(cli->args, json)) {
    VLM_TRY(vlm_json_writer_create(&d.json, 1, err));
    vlm_json_open_object(d.json, NULL);
    vlm_json_put_text(d.json, "kind", "diff");
    vlm_json_open_array(d.json, "differences");
  }
  VLM_TRY(vlm_pack_diff(a, b, tell, &d, &count, err));
  if (d.json) {
    vlm_json_close_array(d.json);
    vlm_json_put_int(d.json, "count", count);
    vlm_json_close_object(d.json);
    VLM_TRY(vlm_json_writer_text(d.json, &text, NULL, err));
    VLM_TRY(vlm_write_json(cli, text, err));
  } else if (!cli->quiet) {
    printf("%lld differences\n", (long long)count);
  }
out:
  vlm_json_writer_free(d.json);
  vlm_pack_close(a);
  vlm_pack_close(b);
  return st;
}
