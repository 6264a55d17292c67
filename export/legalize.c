#include "export/legalize.h"

#include <stdio.h>
#include <string.h>

#include "export/legalize_private.h"
#include "runtime/graph/copy.h"
#include "runtime/ops/resolve.h"

typedef struct {
  const char *domain, *op;
  int32_t since, below;
  vlm_legal_rule *rule;
} rule_row;

static const rule_row ROWS[] = {
#define X(domain, op, since, below, function) {domain, op, since, below, vlm_legal_##function},
#include "export/legalize.def"
#undef X
};
enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

/* ---- what rules share ---- */

vlm_status vlm_legal_fail(const vlm_legalizer *l, const char *why) {
  const vlm_node *node = vlm_legal_node(l);
  return vlm_fail(l->x.err, VLM_UNSUPPORTED,
                  "node \"%s\" (%s) cannot be written at opset %d: %s; --opset %d can", node->name,
                  node->op_type, l->opset, why, node->opset > l->opset ? node->opset : 21);
}

void vlm_legal_drop(vlm_node *node, const char *attr) {
  int32_t kept = 0;
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (strcmp(node->attrs[a].name, attr) != 0) node->attrs[kept++] = node->attrs[a];
  node->n_attrs = kept;
}

vlm_status vlm_legal_set_input(vlm_legalizer *l, int32_t k, vlm_value_id id) {
  vlm_status st = VLM_OK;
  vlm_node *node = vlm_legal_node(l);
  vlm_value_id *inputs;
  if (k >= node->n_inputs) {
    VLM_TRY(vlm_arena_new(l->graph->arena, &inputs, (size_t)k + 1, l->x.err));
    for (int32_t i = 0; i <= k; i++) inputs[i] = vlm_node_input(node, i);
    node->inputs = inputs;
    node->n_inputs = k + 1;
  }
  node->inputs[k] = id;
out:
  return st;
}

vlm_status vlm_legal_ints_input(vlm_legalizer *l, int32_t k, const char *suffix, const int64_t *ints,
                                int32_t count) {
  vlm_status st = VLM_OK;
  vlm_value_id id;
  int64_t *copy;
  VLM_TRY(vlm_arena_new(l->x.arena, &copy, (size_t)count + 1, l->x.err));
  if (count) memcpy(copy, ints, (size_t)count * sizeof *copy);
  const vlm_tensor t = vlm_tensor_make(VLM_S64, 1, (int64_t[]){count}, copy);
  VLM_TRY(vlm_part_constant(&l->x, l->graph, &id, vlm_legal_node(l)->name, suffix, &t));
  VLM_TRY(vlm_legal_set_input(l, k, id));
out:
  return st;
}

static vlm_dtype float_type(const vlm_legalizer *l) {
  vlm_dtype t = l->graph->values[vlm_legal_node(l)->inputs[0]].tensor.dtype;
  return vlm_dtype_is_float(t) ? t : VLM_F32;
}

vlm_status vlm_legal_number(vlm_legalizer *l, vlm_value_id *out, double value) {
  return vlm_part_scalar(&l->x, l->graph, out, vlm_legal_node(l)->name, "_constant", float_type(l), value);
}

vlm_status vlm_legal_scalar_input(vlm_legalizer *l, int32_t k, const char *suffix, double value) {
  vlm_status st = VLM_OK;
  vlm_value_id id;
  VLM_TRY(vlm_part_scalar(&l->x, l->graph, &id, vlm_legal_node(l)->name, suffix, float_type(l), value));
  VLM_TRY(vlm_legal_set_input(l, k, id));
out:
  return st;
}

vlm_status vlm_legal_step(vlm_legalizer *l, vlm_value_id *out, const char *op_type,
                          const vlm_value_id *inputs, int32_t n_inputs, const vlm_attr *attrs,
                          int32_t n_attrs) {
  char suffix[64];
  snprintf(suffix, sizeof suffix, "_%s", op_type);
  return vlm_part_add(&l->x, l->graph, out, NULL,
                      &(vlm_part){.op_type = op_type,
                                  .base = vlm_legal_node(l)->name,
                                  .suffix = suffix,
                                  .opset = l->opset,
                                  .inputs = inputs,
                                  .n_inputs = n_inputs,
                                  .attrs = attrs,
                                  .n_attrs = n_attrs});
}

vlm_value_id vlm_legal_replace(vlm_legalizer *l) {
  vlm_value_id out = vlm_legal_node(l)->outputs[0];
  vlm_legal_node(l)->outputs[0] = VLM_NO_VALUE;
  return out;
}

/* ---- the driver ---- */

static const rule_row *rule_of(const vlm_node *node, int32_t opset, int32_t *from) {
  for (; *from < N_ROWS; ++*from) {
    const rule_row *r = &ROWS[*from];
    bool named = !strcmp(r->domain, node->domain) && !strcmp(r->op, node->op_type);
    if (named && node->opset >= r->since && (!r->below || opset < r->below)) return &ROWS[(*from)++];
  }
  return NULL;
}

static bool is_gone(const vlm_node *node) { return node->n_outputs > 0 && node->outputs[0] == VLM_NO_VALUE; }

static vlm_status legalize_node(vlm_legalizer *l) {
  vlm_status st = VLM_OK;
  bool known;
  const rule_row *rule;
  for (int32_t at = 0;
       (rule = rule_of(vlm_legal_node(l), l->opset, &at)) != NULL && !is_gone(vlm_legal_node(l));)
    VLM_TRY(rule->rule(l));
  vlm_node *node = vlm_legal_node(l);
  if (*node->domain || is_gone(node)) goto out;
  vlm_legal_drop(node, "consumed_inputs"); /* of the first opset: a hint about memory */
  if (!vlm_op_find("", node->op_type, l->opset, &known)) VLM_TRY(vlm_legal_fail(l, "the operator is newer"));
  node->opset = l->opset;
  node->op = NULL;
out:
  return st;
}

static vlm_status legalize_body(vlm_legalizer *l, vlm_graph *graph) {
  vlm_status st = VLM_OK;
  int32_t count = graph->n_nodes; /* what rules add is of the opset */
  l->graph = graph;
  graph->opset = l->opset;
  for (l->node = 0; l->node < count; l->node++) VLM_TRY(legalize_node(l));
out:
  return st;
}

vlm_status vlm_legalize(vlm_graph *graph, int32_t opset, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_body_list bodies = {0};
  vlm_legalizer l = {.x = {.err = err}, .opset = opset};
  VLM_TRY(vlm_arena_create(&l.x.arena, err));
  VLM_TRY(vlm_bodies_make(&bodies, graph, "graph", l.x.arena, err));
  for (int32_t b = 0; b < bodies.count; b++) VLM_TRY(legalize_body(&l, bodies.items[b].graph));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
out:
  vlm_bodies_free(&bodies);
  if (l.x.arena) vlm_arena_free(l.x.arena);
  return st;
}

/* ---- which opset ---- */

static vlm_status try_opset(const vlm_graph *graph, int32_t opset, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph *copy = NULL;
  VLM_TRY(vlm_graph_copy(&copy, graph, graph->name, err));
  VLM_TRY(vlm_graph_resolve(copy, err));
  VLM_TRY(vlm_legalize(copy, opset, err));
out:
  if (copy) vlm_graph_free(copy);
  return st;
}

vlm_status vlm_legal_opset(int32_t *out, const vlm_graph *graph, vlm_error *err) {
  enum { USUAL = 17, NEWEST = 26 };
  vlm_error later;
  vlm_status st = VLM_OK;
  *out = USUAL;
  VLM_TRY(try_opset(graph, USUAL, err));
out:
  for (int32_t opset = USUAL + 1; st == VLM_UNSUPPORTED && opset <= NEWEST; opset++) {
    *out = opset;
    if (try_opset(graph, opset, &later) == VLM_OK) st = VLM_OK;
  }
  return st;
}
