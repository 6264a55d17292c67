#include "runtime/ops/evaluate.h"

#include "runtime/ops/prepare.h"

typedef struct {
  const vlm_evaluate_opts *e;
  vlm_arena *arena; /* everything that lives until the node has run */
  size_t bytes;     /* of results so far */
} job;

static vlm_status take_scratch(vlm_op_call *c, void **out, size_t bytes) {
  return vlm_arena_alloc(((job *)c->executor)->arena, out, bytes > 0 ? bytes : 1, 1, c->err);
}

static vlm_status take_output(vlm_op_call *c, int32_t k) {
  vlm_status st = VLM_OK;
  job *j = c->executor;
  size_t bytes;
  if (!c->out[k]) return VLM_OK;
  VLM_TRY(vlm_tensor_bytes_checked(&bytes, c->out[k], c->err));
  VLM_CHECK(vlm_size_add(j->bytes, bytes, &j->bytes) && j->bytes <= j->e->max_bytes, c->err, VLM_LIMIT,
            "results of %zu bytes are not folded, at most %zu", j->bytes, j->e->max_bytes);
  VLM_TRY(j->e->take(j->e->user, &c->out[k]->data, bytes > 0 ? bytes : 1, c->err));
out:
  return st;
}

static vlm_status refuse_body(vlm_op_call *c, vlm_graph *body, const vlm_tensor *inputs, int32_t n_inputs,
                              vlm_tensor *outputs, int32_t n_outputs) {
  (void)body, (void)inputs, (void)n_inputs, (void)outputs, (void)n_outputs;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "subgraphs are not run while folding");
}

/* Infers and places the results; *shared: the node only gives its input another shape. */
static vlm_status place_results(vlm_op_call *c, bool *shared) {
  vlm_status st = VLM_OK;
  *shared = false;
  if (c->node->op->flags & VLM_OP_SELF_ALLOC) goto out;
  VLM_TRY(c->node->op->infer(c));
  *shared = (c->node->op->flags & VLM_OP_ALIAS) != 0;
  for (int32_t k = *shared ? 1 : 0; k < c->n_out; k++) VLM_TRY(take_output(c, k));
  if (*shared && c->out[0]) c->out[0]->data = c->in[0]->data;
out:
  return st;
}

/* Nothing lasts here: the node runs once, so weights are packed in its work space. */
static vlm_status prepare(vlm_op_call *c, job *j) {
  vlm_status st = VLM_OK;
  void *lasting;
  VLM_TRY(vlm_arena_alloc(j->arena, &lasting, (size_t)c->n_in + 1, sizeof(bool), c->err));
  vlm_op_binding binding = {.arena = j->arena, .lasting = lasting};
  c->binding = &binding;
  VLM_TRY(c->node->op->prepare(c));
  VLM_TRY(take_scratch(c, &c->work, binding.work_bytes));
out:
  c->binding = NULL;
  return st;
}

vlm_status vlm_node_evaluate(const vlm_evaluate_opts *e, const vlm_node *node, const vlm_tensor *const *in,
                             vlm_tensor *const *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  job j = {.e = e};
  bool shared;
  vlm_op_call call = {.node = node,
                      .n_in = node->n_inputs,
                      .n_out = node->n_outputs,
                      .in = in,
                      .out = out,
                      .threads = e->threads,
                      .kernels = e->kernels,
                      .scratch = take_scratch,
                      .allocate = take_output,
                      .run_body = refuse_body,
                      .executor = &j,
                      .err = err};
  VLM_TRY(vlm_arena_create(&j.arena, err));
  VLM_TRY(place_results(&call, &shared));
  if (shared) goto out;
  VLM_TRY(prepare(&call, &j));
  VLM_TRY(node->op->run(&call));
out:
  vlm_arena_free(j.arena);
  return st;
}
