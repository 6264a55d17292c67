/* --verify and --diff. */
#include <string.h>

#include "calib/graph_inputs.h"
#include "flow/golden.h"
#include "flow/pack_view.h"
#include "runtime/lower/lower.h"

enum { WORDS = 96 };

/* ---- golden cases ---- */

typedef struct {
  const vlm_cli *cli;
  const char *path;
  vlm_context *context; /* made for the first case */
  vlm_bundle *bundle;   /* lowered, as the model runs */
  int32_t passed, unnamed;
} golden_run;

static vlm_status compare(const char *name, const vlm_tensor *got, const vlm_tensor *wanted, vlm_error *err) {
  vlm_status st = VLM_OK;
  char a[128], b[128];
  VLM_CHECK(got->dtype == wanted->dtype && vlm_tensor_same_shape(got, wanted), err, VLM_INTEGRITY,
            "output \"%s\" is %s %s, the file says %s %s", name, vlm_dtype_name(got->dtype), vlm_tensor_shape_text(got, a, sizeof a),
            vlm_dtype_name(wanted->dtype), vlm_tensor_shape_text(wanted, b, sizeof b));
  size_t bytes = vlm_tensor_bytes(wanted);
  if (!bytes || !memcmp(got->data, wanted->data, bytes)) return VLM_OK;
  int64_t n = vlm_tensor_count(wanted), differing = 0, first = -1;
  size_t size = (size_t)(vlm_dtype_bits(wanted->dtype) + 7) / 8;
  for (int64_t i = 0; i < n && vlm_dtype_bits(wanted->dtype) >= 8; i++) {
    if (!memcmp((const char *)got->data + (size_t)i * size, (const char *)wanted->data + (size_t)i * size, size)) continue;
    if (!differing++) first = i;
  }
  VLM_CHECK(first >= 0, err, VLM_INTEGRITY, "output \"%s\" differs from the file", name);
  st = vlm_fail(err, VLM_INTEGRITY, "output \"%s\": element %lld is %.9g, the file says %.9g (%lld of %lld differ)", name, (long long)first,
                vlm_tensor_get(got, first), vlm_tensor_get(wanted, first), (long long)differing, (long long)n);
out:
  return st;
}

static vlm_status open_model(golden_run *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (r->bundle) return VLM_OK;
  VLM_TRY(vlm_cli_context(&r->context, r->cli, err));
  VLM_TRY(vlm_cli_open(&r->bundle, r->cli, r->path, VLM_OPEN_LOWERED, err));
out:
  return st;
}

static vlm_status run_case(golden_run *r, const vlm_graph *g, const vlm_pack_golden *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_session *session = NULL;
  vlm_tensor *inputs = NULL;
  VLM_TRY(vlm_new(&inputs, g->n_inputs, err));
  VLM_TRY(vlm_match_inputs(inputs, g, c->names, c->tensors, (size_t)c->n_inputs, err));
  VLM_TRY(vlm_session_create(&session, r->context, g, NULL, err));
  VLM_TRY(vlm_session_run(session, inputs, g->n_inputs, err));
  for (int32_t i = c->n_inputs; i < c->n_inputs + c->n_outputs; i++) {
    int32_t output = vlm_graph_find_output(g, c->names[i]);
    VLM_CHECK(output >= 0, err, VLM_INTEGRITY, "the graph has no output \"%s\"", c->names[i]);
    VLM_TRY(compare(c->names[i], vlm_session_output(session, output), &c->tensors[i], err));
  }
out:
  vlm_session_free(session);
  vlm_free(inputs);
  return st;
}

static vlm_status run_answer(golden_run *r, const vlm_pack_golden *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor ids;
  VLM_TRY(vlm_golden_answer(&ids, r->context, r->bundle, c, err));
  VLM_TRY(compare("ids", &ids, &c->tensors[2], err));
out:
  vlm_free(ids.data);
  return st;
}

/* The graphs handed over are as stored; the case is run the way models run. A case that does not belong to one graph is left to its writer.
 */
static vlm_status check_golden(void *user, const vlm_bundle *bundle, const vlm_pack_golden *c, vlm_error *err) {
  golden_run *r = user;
  vlm_role role;
  (void)bundle;
  vlm_status st = open_model(r, err);
  if (st != VLM_OK) return st;
  if (!strcmp(c->graph, VLM_GOLDEN_ANSWER)) {
    st = run_answer(r, c, err);
    r->passed += st == VLM_OK;
    return st;
  }
  if (!vlm_role_parse(&role, c->graph) || !r->bundle->graphs[role]) {
    r->unnamed++;
    return VLM_OK;
  }
  st = run_case(r, r->bundle->graphs[role], c, err);
  r->passed += st == VLM_OK;
  return st;
}

/* ---- --verify ---- */

static vlm_status put_verdict(const vlm_cli *cli, const vlm_pack_report *p, const golden_run *r, const char *failure, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "kind", "verify");
  vlm_json_put_bool(w, "ok", !failure);
  vlm_json_put_text(w, "error", failure);
  vlm_json_put_int(w, "sections", p->sections);
  vlm_json_put_int(w, "tensors", p->tensors);
  vlm_json_put_int(w, "graphs", p->graphs);
  vlm_json_put_int(w, "golden_passed", r->passed);
  vlm_json_put_int(w, "golden_not_run", r->unnamed);
  vlm_json_put_int(w, "size_bytes", (int64_t)p->file_bytes);
  vlm_json_put_int(w, "weight_bytes", (int64_t)p->weight_bytes);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static void print_verdict(const char *path, const vlm_pack_report *p, const golden_run *r) {
  printf("%s: intact: %s, %d sections, %d tensors (%s), %d graphs", path, vlm_show_bytes((double)p->file_bytes).text, p->sections,
         p->tensors, vlm_show_bytes((double)p->weight_bytes).text, p->graphs);
  if (p->golden) printf(", golden cases that hold: %d", r->passed);
  else printf(", no golden cases in the file");
  if (r->unnamed) printf(" (%d of no single graph were not run)", r->unnamed);
  putchar('\n');
}

vlm_status vlm_pack_view_verify(const vlm_cli *cli, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  golden_run run = {.cli = cli, .path = path};
  vlm_pack_report report = {.sections = 0};
  vlm_error failure = {0};
  const vlm_pack_verify_opts opts = {.check = check_golden, .user = &run};
  vlm_status verdict = vlm_pack_verify(path, &opts, &report, &failure);
  bool json = vlm_args_has(cli->args, VLM_OPT_JSON);
  if (json) VLM_TRY(put_verdict(cli, &report, &run, verdict == VLM_OK ? NULL : failure.text, err));
  if (verdict != VLM_OK) VLM_TRY(vlm_fail(err, verdict, "%s", failure.text));
  if (vlm_says_text(cli)) print_verdict(path, &report, &run);
out:
  vlm_bundle_free(run.bundle);
  vlm_context_free(run.context);
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

vlm_status vlm_pack_view_diff(const vlm_cli *cli, const char *path, const char *other, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *a = NULL, *b = NULL;
  differences d = {.quiet = cli->quiet, .verbose = cli->verbose};
  int64_t count;
  const char *text;
  VLM_TRY(vlm_pack_open(&a, path, NULL, err));
  VLM_TRY(vlm_pack_open(&b, other, NULL, err));
  if (vlm_args_has(cli->args, VLM_OPT_JSON)) {
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
