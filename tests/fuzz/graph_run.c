#include "tests/fuzz/graph_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/passes.h"
#include "runtime/graph/copy.h"
#include "runtime/lower/lower.h"
#include "runtime/ops/evaluate.h"
#include "runtime/ops/op.h"
#include "runtime/ops/resolve.h"

void fuzz_answer_free(fuzz_answer *a) {
  for (int k = 0; k < a->n_out; k++) free(a->out[k].data);
  a->n_out = 0;
}

static void keep_output(fuzz_answer *a, int k, const vlm_tensor *t) {
  const size_t bytes = vlm_tensor_bytes(t);
  a->out[k] = *t;
  a->out[k].data = malloc(bytes ? bytes : 1);
  if (bytes) memcpy(a->out[k].data, t->data, bytes);
}

/* ---- node by node ---- */

typedef struct {
  void **blocks;
  int32_t n, capacity;
  size_t bytes;
} fuzz_heap;

static vlm_status take_exactly(void *user, void **out, size_t bytes, vlm_error *err) {
  fuzz_heap *h = user;
  h->bytes += bytes;
  if (h->n == h->capacity || h->bytes > FUZZ_BYTES) return vlm_fail(err, VLM_LIMIT, "more than a test takes");
  if (posix_memalign(out, 64, bytes)) return vlm_fail(err, VLM_MEMORY, "out of memory");
  memset(*out, 0xA5, bytes);
  h->blocks[h->n++] = *out;
  return VLM_OK;
}

static vlm_status run_node(const vlm_node *node, vlm_tensor *values, const vlm_evaluate_opts *e,
                           vlm_error *err) {
  const vlm_tensor *in[64];
  vlm_tensor *out[64];
  if (node->n_inputs > 64 || node->n_outputs > 64) return vlm_fail(err, VLM_LIMIT, "many ends");
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (node->attrs[a].kind == VLM_ATTR_GRAPH) return vlm_fail(err, VLM_UNSUPPORTED, "bodies");
  for (int32_t k = 0; k < node->n_inputs; k++)
    in[k] = node->inputs[k] == VLM_NO_VALUE ? NULL : &values[node->inputs[k]];
  for (int32_t k = 0; k < node->n_outputs; k++) {
    out[k] = node->outputs[k] == VLM_NO_VALUE ? NULL : &values[node->outputs[k]];
    if (out[k]) *out[k] = (vlm_tensor){.dtype = VLM_NONE};
  }
  return vlm_node_evaluate(e, node, in, out, err);
}

void fuzz_run_nodes(fuzz_answer *a, const fuzz_graph *g, const vlm_graph *graph, vlm_context *context,
                    int run) {
  fuzz_heap heap = {.capacity = 4 * graph->n_nodes + 64};
  vlm_tensor *values = calloc((size_t)graph->n_values + 1, sizeof *values);
  heap.blocks = calloc((size_t)heap.capacity, sizeof *heap.blocks);
  const vlm_evaluate_opts e = {
      .kernels = vlm_context_kernels(context), .max_bytes = FUZZ_BYTES, .take = take_exactly, .user = &heap};
  *a = (fuzz_answer){.status = VLM_OK};
  for (vlm_value_id id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CONSTANT) values[id] = graph->values[id].tensor;
  for (int32_t i = 0; i < graph->n_inputs; i++) values[graph->inputs[i]] = g->in[run][i];
  for (int32_t n = 0; n < graph->n_nodes && a->status == VLM_OK; n++)
    a->status = run_node(&graph->nodes[n], values, &e, &a->err);
  for (int32_t k = 0; a->status == VLM_OK && k < graph->n_outputs && k < FUZZ_OUTPUTS; k++)
    keep_output(a, a->n_out++, &values[graph->outputs[k]]);
  for (int32_t i = 0; i < heap.n; i++) free(heap.blocks[i]);
  free(heap.blocks);
  free(values);
}

void fuzz_run_session(fuzz_answer *a, const fuzz_graph *g, vlm_session *session, int n_out, int run) {
  *a = (fuzz_answer){.status = VLM_OK};
  a->status = vlm_session_run(session, g->in[run], g->graph->n_inputs, &a->err);
  for (int k = 0; a->status == VLM_OK && k < n_out && k < FUZZ_OUTPUTS; k++)
    keep_output(a, a->n_out++, vlm_session_output(session, k));
}

/* ---- comparing ---- */

/* Sums in another order overflow elsewhere: with a tolerance, what is huge on both sides agrees. */
static bool is_huge(double x) { return !(fabs(x) < 1e30); }

static bool close_enough(double a, double b, double tolerance) {
  if (a == b || (isnan(a) && isnan(b))) return true;
  if (tolerance > 0 && is_huge(a) && is_huge(b)) return true;
  return fabs(a - b) <= tolerance * (1 + fabs(a) + fabs(b));
}

const char *fuzz_difference(const fuzz_answer *a, const fuzz_answer *b, double tolerance) {
  static char text[256];
  text[0] = 0;
  for (int k = 0; k < a->n_out && k < b->n_out; k++) {
    const vlm_tensor *x = &a->out[k], *y = &b->out[k];
    char one[64], two[64];
    if (x->dtype != y->dtype || !vlm_tensor_same_shape(x, y)) {
      snprintf(text, sizeof text, "output %d is %s %s and %s %s", k, vlm_dtype_name(x->dtype),
               vlm_tensor_shape_text(x, one, sizeof one), vlm_dtype_name(y->dtype),
               vlm_tensor_shape_text(y, two, sizeof two));
      return text;
    }
    for (int64_t i = 0, n = vlm_tensor_count(x); i < n; i++) {
      const double p = vlm_tensor_get(x, i), q = vlm_tensor_get(y, i);
      if (close_enough(p, q, tolerance)) continue;
      snprintf(text, sizeof text, "output %d, element %lld: %.9g and %.9g", k, (long long)i, p, q);
      return text;
    }
  }
  return text;
}

bool fuzz_is_outcome(vlm_status status) {
  return status == VLM_OK || status == VLM_INPUT || status == VLM_UNSUPPORTED || status == VLM_LIMIT;
}

/* ---- every way ---- */

typedef struct {
  fuzz_graph *g;
  vlm_graph *other; /* lowered or cleaned */
  vlm_context *context;
  char problem[1024];
  bool ran;
} attempt;

static void complain(attempt *t, const char *way, const char *what) {
  if (!t->problem[0]) snprintf(t->problem, sizeof t->problem, "%s: %s", way, what);
}

static void check_status(attempt *t, const char *way, const fuzz_answer *a) {
  if (fuzz_is_outcome(a->status) && (a->status == VLM_OK || a->err.text[0])) return;
  complain(t, way, vlm_status_name(a->status));
  complain(t, way, a->err.text);
}

static void expect_same(attempt *t, const char *way, const fuzz_answer *a, const fuzz_answer *b,
                        double tolerance) {
  if (a->status != VLM_OK || b->status != VLM_OK) return;
  const char *what = fuzz_difference(a, b, tolerance);
  if (what[0]) complain(t, way, what);
}

/* Sessions in each setting against the nodes alone: all runs, the first one twice. */
static void try_sessions(attempt *t, const vlm_graph *graph, const char *way, fuzz_answer *first) {
  vlm_error err = {0};
  vlm_session *session = NULL;
  static const int ORDER[] = {0, 1, 2, 0};
  const vlm_session_opts opts = {.max_bytes = FUZZ_BYTES};
  vlm_status st = vlm_session_create(&session, t->context, graph, &opts, &err);
  *first = (fuzz_answer){.status = st, .err = err};
  check_status(t, way, first);
  for (int i = 0; st == VLM_OK && i < 4; i++) {
    fuzz_answer planned, alone;
    fuzz_run_session(&planned, t->g, session, graph->n_outputs, ORDER[i]);
    fuzz_run_nodes(&alone, t->g, graph, t->context, ORDER[i]);
    check_status(t, way, &planned);
    check_status(t, "nodes alone", &alone);
    expect_same(t, way, &alone, &planned, 0);
    if (planned.status != VLM_OK && planned.status != VLM_LIMIT && alone.status == VLM_OK)
      complain(t, way, planned.err.text);
    fuzz_answer_free(&alone);
    if (i == 0) *first = planned;
    else fuzz_answer_free(&planned);
  }
  vlm_session_free(session);
}

/* Integer forms round where floats do not; whatever is behind may be anything. */
static bool is_exact(const vlm_graph *graph) {
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const char *op = graph->nodes[n].op_type;
    if (strstr(op, "uantize") || strstr(op, "QLinear") || strstr(op, "Integer") || strstr(op, "NBits"))
      return false;
  }
  return true;
}

static void try_rewritten(attempt *t, const char *way, bool lower, const fuzz_answer *plain) {
  vlm_error err = {0};
  fuzz_answer answer = {.status = VLM_OK};
  vlm_status st = vlm_graph_copy(&t->other, t->g->graph, "other", &err);
  if (st == VLM_OK) st = vlm_graph_resolve(t->other, &err);
  if (st == VLM_OK)
    st = lower ? vlm_graph_lower(t->other, NULL, &err) : vlm_graph_clean(t->other, NULL, &err);
  answer.status = st;
  answer.err = err;
  check_status(t, way, &answer);
  if (st == VLM_OK) {
    try_sessions(t, t->other, way, &answer);
    if (is_exact(t->g->graph)) expect_same(t, way, plain, &answer, 1e-3);
    if (plain->status == VLM_OK && answer.status != VLM_OK && answer.status != VLM_LIMIT)
      complain(t, way, answer.err.text);
    fuzz_answer_free(&answer);
  } else if (plain->status == VLM_OK) complain(t, way, err.text);
  vlm_graph_free(t->other);
  t->other = NULL;
}

static void try_all(attempt *t) {
  fuzz_answer plain = {.status = VLM_OK};
  const vlm_context_opts opts = {.threads = 1, .max_loop_runs = 200};
  plain.status = vlm_context_create(&t->context, &opts, &plain.err);
  if (plain.status == VLM_OK) plain.status = vlm_graph_resolve(t->g->graph, &plain.err);
  check_status(t, "resolve", &plain);
  if (plain.status != VLM_OK) return;
  try_sessions(t, t->g->graph, "as it is", &plain);
  t->ran = plain.status == VLM_OK;
  try_rewritten(t, "lowered", true, &plain);
  try_rewritten(t, "cleaned", false, &plain);
  fuzz_answer_free(&plain);
}

const char *fuzz_graph_check(fuzz_graph *g, bool *ran) {
  static attempt t; /* large */
  t = (attempt){.g = g};
  try_all(&t);
  vlm_context_free(t.context);
  if (ran) *ran = t.ran;
  return t.problem[0] ? t.problem : NULL;
}

const char *fuzz_graph_try(const uint8_t *data, size_t size, bool *ran) {
  static fuzz_graph g; /* large */
  const char *problem = NULL;
  if (ran) *ran = false;
  if (fuzz_graph_make(&g, data, size)) problem = fuzz_graph_check(&g, ran);
  fuzz_graph_free(&g);
  return problem;
}
