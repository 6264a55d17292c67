#include "flow/verify.h"

#include <string.h>

#include "calib/graph_inputs.h"
#include "flow/golden.h"

/* ---- golden cases ---- */

typedef struct {
  vlm_context *context;
  const char *path;
  const vlm_flow_open_opts *opts;
  vlm_bundle *bundle; /* as the model runs; opened for the first case */
  vlm_verify_result *result;
} golden_run;

static vlm_status compare(const char *name, const vlm_tensor *got, const vlm_tensor *wanted, vlm_error *err) {
  vlm_status st = VLM_OK;
  char a[128], b[128];
  VLM_CHECK(got->dtype == wanted->dtype && vlm_tensor_same_shape(got, wanted), err, VLM_INTEGRITY,
            "output \"%s\" is %s %s, the file says %s %s", name, vlm_dtype_name(got->dtype),
            vlm_tensor_shape_text(got, a, sizeof a), vlm_dtype_name(wanted->dtype),
            vlm_tensor_shape_text(wanted, b, sizeof b));
  size_t bytes = vlm_tensor_bytes(wanted);
  if (!bytes || !memcmp(got->data, wanted->data, bytes)) return VLM_OK;
  int64_t n = vlm_tensor_count(wanted), differing = 0, first = -1;
  size_t size = (size_t)(vlm_dtype_bits(wanted->dtype) + 7) / 8;
  for (int64_t i = 0; i < n && vlm_dtype_bits(wanted->dtype) >= 8; i++) {
    if (!memcmp((const char *)got->data + (size_t)i * size, (const char *)wanted->data + (size_t)i * size,
                size))
      continue;
    if (!differing++) first = i;
  }
  VLM_CHECK(first >= 0, err, VLM_INTEGRITY, "output \"%s\" differs from the file", name);
  st = vlm_fail(err, VLM_INTEGRITY,
                "output \"%s\": element %lld is %.9g, the file says %.9g (%lld of %lld differ)", name,
                (long long)first, vlm_tensor_get(got, first), vlm_tensor_get(wanted, first),
                (long long)differing, (long long)n);
out:
  return st;
}

static vlm_status open_model(golden_run *r, vlm_error *err) {
  return r->bundle ? VLM_OK : vlm_flow_open(&r->bundle, r->path, r->opts, err);
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
static vlm_status check_golden(void *user, const vlm_bundle *bundle, const vlm_pack_golden *c,
                               vlm_error *err) {
  golden_run *r = user;
  vlm_role role;
  (void)bundle;
  vlm_status st = open_model(r, err);
  if (st != VLM_OK) return st;
  if (!strcmp(c->graph, VLM_GOLDEN_ANSWER)) {
    st = run_answer(r, c, err);
    r->result->passed += st == VLM_OK;
    return st;
  }
  if (!vlm_role_parse(&role, c->graph) || !r->bundle->graphs[role]) {
    r->result->not_run++;
    return VLM_OK;
  }
  st = run_case(r, r->bundle->graphs[role], c, err);
  r->result->passed += st == VLM_OK;
  return st;
}

vlm_status vlm_flow_verify(vlm_verify_result *out, vlm_context *context, const char *path,
                           const vlm_flow_open_opts *opts, vlm_error *err) {
  vlm_flow_open_opts run = opts ? *opts : (vlm_flow_open_opts){.lower = true};
  run.lower = true;
  *out = (vlm_verify_result){.passed = 0};
  golden_run golden = {.context = context, .path = path, .opts = &run, .result = out};
  const vlm_pack_verify_opts verify = {.check = check_golden, .user = &golden};
  vlm_status st = vlm_pack_verify(path, &verify, &out->file, err);
  vlm_bundle_free(golden.bundle);
  return st;
}
