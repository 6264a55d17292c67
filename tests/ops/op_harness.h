/* Runs one operator on tensors, through the table, attribute binding, infer and run; for tests of operators.
 *
 *   op_harness h = {0};
 *   const vlm_tensor a = OP_TENSOR(VLM_F32, ((float[]){1, 2, 3}), 3);
 *   const vlm_attr axis = OP_INT("axis", -1);
 *   op_apply(&h, "", "Softmax", 13, (const vlm_attr *[]){&axis, NULL}, (const vlm_tensor *[]){&a}, 1, 1);
 *   … h.out[0] …
 *   op_release(&h);
 *
 * op_apply fails the test when the operator fails; op_try returns the status and leaves the message in h.err. */
#ifndef VLM_TESTS_OP_HARNESS_H
#define VLM_TESTS_OP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/cpu.h"
#include "runtime/graph/graph.h"
#include "runtime/kernels/kernels.h"
#include "runtime/ops/op.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/resolve.h"

enum { OP_MAX_IO = 16, OP_MAX_BLOCKS = 128 };

typedef struct op_harness {
  vlm_tensor out[OP_MAX_IO];
  vlm_error err;
  int threads; /* 0 or 1 = none */
  vlm_graph *graph;
  vlm_kernels kernels;
  void *blocks[OP_MAX_BLOCKS];
  int n_blocks;
} op_harness;

#define OP_NUMARGS(...) ((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
/* A tensor over `values` (an array or pointer) with the dims that follow; no dims = pass OP_SCALAR. */
#define OP_TENSOR(type, values, ...) \
  vlm_tensor_make(type, OP_NUMARGS(__VA_ARGS__), (int64_t[]){__VA_ARGS__}, (void *)(uintptr_t)(values))
#define OP_SCALAR(type, values) vlm_tensor_make(type, 0, NULL, (void *)(uintptr_t)(values))
#define OP_INT(text, value) ((vlm_attr){.name = text, .kind = VLM_ATTR_INT, .u.i = value})
#define OP_FLOAT(text, value) ((vlm_attr){.name = text, .kind = VLM_ATTR_FLOAT, .u.f = value})
#define OP_STRING(text, value) ((vlm_attr){.name = text, .kind = VLM_ATTR_STRING, .u.s = value})
#define OP_INTS(text, values, n) \
  ((vlm_attr){.name = text, .kind = VLM_ATTR_INTS, .count = n, .u.ints = values})

static inline vlm_status op_block(op_harness *h, void **out, size_t bytes) {
  if (h->n_blocks == OP_MAX_BLOCKS) return vlm_fail(&h->err, VLM_INTERNAL, "harness is out of blocks");
  vlm_status st = vlm_alloc(out, bytes, 1, &h->err);
  if (st == VLM_OK) h->blocks[h->n_blocks++] = *out;
  return st;
}

static inline vlm_status op_scratch(vlm_op_call *c, void **out, size_t bytes) {
  vlm_status st = op_block(c->executor, out, bytes);
  if (st == VLM_OK) memset(*out, 0xA5, bytes); /* scratch is not zeroed */
  return st;
}

static inline vlm_status op_allocate(vlm_op_call *c, int32_t k) {
  size_t bytes;
  if (!c->out[k]) return VLM_OK;
  vlm_status st = vlm_tensor_bytes_checked(&bytes, c->out[k], c->err);
  return st == VLM_OK ? op_block(c->executor, &c->out[k]->data, bytes) : st;
}

static inline void op_release(op_harness *h) {
  for (int i = 0; i < h->n_blocks; i++) vlm_free(h->blocks[i]);
  if (h->graph) vlm_graph_free(h->graph);
  int threads = h->threads;
  *h = (op_harness){.threads = threads};
}

static inline vlm_status op_bind(op_harness *h, const char *domain, const char *op, int opset,
                                 const vlm_attr *const *attrs, const vlm_tensor *const *in, int n_in,
                                 int n_out) {
  vlm_status st = VLM_OK;
  int32_t node, n_attrs = 0;
  while (attrs && attrs[n_attrs]) n_attrs++;
  VLM_TRY(vlm_graph_create(&h->graph, "harness", "harness", &h->err));
  VLM_TRY(vlm_graph_add_node(h->graph, &node,
                             &(vlm_node){.name = op,
                                         .domain = domain,
                                         .op_type = op,
                                         .opset = opset,
                                         .n_inputs = n_in,
                                         .n_outputs = n_out,
                                         .n_attrs = n_attrs},
                             &h->err));
  for (int k = 0; k < n_in; k++) {
    vlm_value_id id;
    if (!in[k]) continue;
    VLM_TRY(vlm_graph_add_value(h->graph, &id, NULL, VLM_VALUE_INPUT, &h->err));
    VLM_TRY(vlm_graph_add_input(h->graph, id, &h->err));
    h->graph->nodes[node].inputs[k] = id;
  }
  for (int k = 0; k < n_out; k++) {
    vlm_value_id id;
    VLM_TRY(vlm_graph_add_value(h->graph, &id, NULL, VLM_VALUE_NODE, &h->err));
    vlm_node_set_output(h->graph, node, k, id);
    VLM_TRY(vlm_graph_add_output(h->graph, id, &h->err));
  }
  for (int k = 0; k < n_attrs; k++) h->graph->nodes[node].attrs[k] = *attrs[k];
  VLM_TRY(vlm_graph_resolve(h->graph, &h->err));
out:
  return st;
}

/* The second half of a call, after infer: nothing lasts, so weights are packed by run. */
static inline vlm_status op_prepare_and_run(op_harness *h, vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_arena *arena = NULL;
  bool lasting[OP_MAX_IO] = {false};
  VLM_TRY(vlm_arena_create(&arena, &h->err));
  vlm_op_binding binding = {.arena = arena, .lasting = lasting};
  c->binding = &binding;
  VLM_TRY(c->node->op->prepare(c));
  VLM_TRY(op_scratch(c, &c->work, binding.work_bytes + 1));
  VLM_TRY(c->node->op->run(c));
out:
  vlm_arena_free(arena);
  return st;
}

/* attrs: NULL-terminated list, or NULL. Releases what an earlier call left. */
static inline vlm_status op_try(op_harness *h, const char *domain, const char *op, int opset,
                                const vlm_attr *const *attrs, const vlm_tensor *const *in, int n_in,
                                int n_out) {
  vlm_status st = VLM_OK;
  vlm_threads *threads = NULL;
  vlm_tensor *out[OP_MAX_IO];
  op_release(h);
  VLM_TRY(op_bind(h, domain, op, opset, attrs, in, n_in, n_out));
  VLM_TRY(vlm_kernels_select(&h->kernels, vlm_cpu_detect(), &h->err));
  if (h->threads > 1) VLM_TRY(vlm_threads_create(&threads, h->threads, &h->err));
  for (int k = 0; k < n_out; k++) out[k] = &h->out[k];
  const vlm_node *node = &h->graph->nodes[0];
  vlm_op_call c = {.node = node,
                   .n_in = n_in,
                   .n_out = n_out,
                   .in = in,
                   .out = out,
                   .threads = threads,
                   .kernels = &h->kernels,
                   .scratch = op_scratch,
                   .allocate = op_allocate,
                   .executor = h,
                   .err = &h->err};
  if (!(node->op->flags & VLM_OP_SELF_ALLOC)) {
    VLM_TRY(node->op->infer(&c));
    for (int k = 0; k < n_out; k++) VLM_TRY(op_allocate(&c, k));
  }
  VLM_TRY(op_prepare_and_run(h, &c));
out:
  vlm_threads_free(threads);
  return st;
}

static inline void op_apply(op_harness *h, const char *domain, const char *op, int opset,
                            const vlm_attr *const *attrs, const vlm_tensor *const *in, int n_in, int n_out) {
  if (op_try(h, domain, op, opset, attrs, in, n_in, n_out) != VLM_OK) fail_msg("%s: %s", op, h->err.text);
}

/* Shape and values of an output against a list of doubles; limit is absolute plus relative. */
static inline void op_expect(const op_harness *h, int k, const double *want, int64_t n, double limit) {
  const vlm_tensor *t = &h->out[k];
  assert_int_equal(vlm_tensor_count(t), n);
  for (int64_t i = 0; i < n; i++) {
    double got = vlm_tensor_get(t, i), w = want[i];
    bool same = got == w || (got != got && w != w);
    double error = got > w ? got - w : w - got, size = w < 0 ? -w : w;
    if (!same && !(error <= limit * (1.0 + size)))
      fail_msg("output %d: element %d is %.9g, wanted %.9g", k, (int)i, got, w);
  }
}

#endif
