#include "runtime/ops/resolve.h"

#include <string.h>

#include "runtime/graph/order.h"
#include "runtime/ops/bind.h"
#include "runtime/ops/op.h"

static bool is_id(const vlm_graph *graph, vlm_value_id id) { return id >= 0 && id < graph->n_values; }

static vlm_status check_captures(const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (vlm_value_id id = 0; id < graph->n_values; id++) {
    const vlm_value *value = &graph->values[id];
    if (value->kind != VLM_VALUE_CAPTURE) continue;
    bool defined = graph->parent != NULL && is_id(graph->parent, value->parent_value);
    if (defined) {
      const vlm_value *outer = &graph->parent->values[value->parent_value];
      defined = outer->kind != VLM_VALUE_NODE || outer->producer >= 0;
    }
    VLM_CHECK(defined, err, VLM_INPUT, "%s: graph \"%s\" captures \"%s\", which no enclosing graph defines",
              graph->source, graph->name, value->name);
  }
out:
  return st;
}

static vlm_status claim_output(vlm_graph *graph, int32_t n, int32_t k, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id id = graph->nodes[n].outputs[k];
  if (id == VLM_NO_VALUE) return VLM_OK;
  VLM_CHECK(is_id(graph, id), err, VLM_INTERNAL, "output %d has value id %d outside [0, %d)", k, id,
            graph->n_values);
  vlm_value *value = &graph->values[id];
  VLM_CHECK(value->kind == VLM_VALUE_NODE && value->producer < 0, err, VLM_INPUT,
            "output \"%s\" is defined twice; every value has one producer", value->name);
  value->producer = n;
out:
  return vlm_node_blame(graph, &graph->nodes[n], st, err);
}

static vlm_status set_producers(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (vlm_value_id id = 0; id < graph->n_values; id++) graph->values[id].producer = -1;
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t k = 0; k < graph->nodes[n].n_outputs; k++) VLM_TRY(claim_output(graph, n, k, err));
out:
  return st;
}

/* Inputs are those that are listed, each once: nobody gives others a value. */
static vlm_status check_listed(vlm_graph *graph, vlm_error *err) {
  enum { LISTED = -2 };
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < graph->n_inputs; k++) {
    const vlm_value_id id = graph->inputs[k];
    vlm_value *value = is_id(graph, id) ? &graph->values[id] : NULL;
    VLM_CHECK(value && value->kind == VLM_VALUE_INPUT && value->producer != LISTED, err, VLM_INPUT,
              "%s: input %d of graph \"%s\" is no input, or is listed twice", graph->source, k, graph->name);
    value->producer = LISTED;
  }
  for (vlm_value_id id = 0; id < graph->n_values; id++) {
    vlm_value *value = &graph->values[id];
    VLM_CHECK(value->kind != VLM_VALUE_INPUT || value->producer == LISTED, err, VLM_INPUT,
              "%s: \"%s\" is none of the inputs of graph \"%s\"", graph->source, value->name, graph->name);
    if (value->kind == VLM_VALUE_INPUT) value->producer = -1;
  }
out:
  return st;
}

/* A value that a node reads or a graph returns must come from somewhere. */
static vlm_status check_defined(const vlm_graph *graph, vlm_value_id id, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(is_id(graph, id), err, VLM_INTERNAL, "value id %d is outside [0, %d)", id, graph->n_values);
  const vlm_value *value = &graph->values[id];
  VLM_CHECK(value->kind != VLM_VALUE_NODE || value->producer >= 0, err, VLM_INPUT,
            "\"%s\" is neither an input, nor an initializer, nor the output of a node", value->name);
out:
  return st;
}

static vlm_status check_inputs(const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < graph->n_nodes && st == VLM_OK; n++) {
    const vlm_node *node = &graph->nodes[n];
    for (int32_t k = 0; k < node->n_inputs && st == VLM_OK; k++)
      if (node->inputs[k] != VLM_NO_VALUE) st = check_defined(graph, node->inputs[k], err);
    vlm_node_blame(graph, node, st, err);
  }
  return st;
}

static vlm_status check_outputs(const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < graph->n_outputs && st == VLM_OK; k++) {
    st = check_defined(graph, graph->outputs[k], err);
    if (st != VLM_OK) vlm_error_context(err, "%s: output %d of graph \"%s\"", graph->source, k, graph->name);
  }
  return st;
}

static vlm_status resolve_at(vlm_graph *graph, int depth, vlm_error *err);

static vlm_status resolve_bodies(vlm_graph *graph, const vlm_node *node, int depth, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    vlm_graph *body = node->attrs[a].u.g;
    VLM_CHECK(body != NULL && body->parent == graph, err, VLM_INTERNAL,
              "node \"%s\": attribute \"%s\" is not a subgraph of its graph", node->name,
              node->attrs[a].name);
    VLM_TRY(resolve_at(body, depth + 1, err));
  }
out:
  return st;
}

/* Both branches of an If give what the node hands on, in number and type: wrong ones are found even when they are never taken. */
static vlm_status check_branch(const vlm_node *node, const char *name, const vlm_graph *other,
                               const vlm_graph *branch, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(branch->n_outputs == node->n_outputs, err, VLM_INPUT, "%s has %d outputs, wanted %d", name,
            branch->n_outputs, node->n_outputs);
  for (int32_t k = 0; other != NULL && k < branch->n_outputs; k++) {
    vlm_dtype got = branch->values[branch->outputs[k]].tensor.dtype,
              wanted = other->values[other->outputs[k]].tensor.dtype;
    VLM_CHECK(got == wanted || got == VLM_NONE || wanted == VLM_NONE, err, VLM_INPUT,
              "output %d is %s in then_branch and %s in else_branch", k, vlm_dtype_name(wanted),
              vlm_dtype_name(got));
  }
out:
  return st;
}

static vlm_status check_branches(const vlm_graph *graph, const vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (strcmp(node->op_type, "If") != 0 || node->domain[0] != '\0') return VLM_OK;
  const vlm_attr *yes = vlm_node_attr(node, "then_branch"), *no = vlm_node_attr(node, "else_branch");
  VLM_TRY(check_branch(node, "then_branch", NULL, yes->u.g, err));
  VLM_TRY(check_branch(node, "else_branch", yes->u.g, no->u.g, err));
out:
  return vlm_node_blame(graph, node, st, err);
}

/* vlm.CacheAttention writes behind the rows of its past: only buffers that a caller hands to the whole graph have that room. */
static vlm_status check_cache(const vlm_graph *graph, const vlm_node *node, vlm_error *err) {
  enum { PAST_KEY = 3, CAPACITY = 5 };
  vlm_status st = VLM_OK;
  if (!(node->op->flags & VLM_OP_CACHE)) return VLM_OK;
  VLM_CHECK(graph->parent == NULL, err, VLM_INPUT, "stands in the body of another node");
  for (int k = PAST_KEY; k <= CAPACITY; k++)
    VLM_CHECK(graph->values[node->inputs[k]].kind == VLM_VALUE_INPUT, err, VLM_INPUT,
              "input %d is not an input of the graph", k);
out:
  return vlm_node_blame(graph, node, st, err);
}

static vlm_status resolve_at(vlm_graph *graph, int depth, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(depth <= VLM_GRAPH_MAX_NESTING, err, VLM_LIMIT, "%s: subgraphs are nested deeper than %d",
            graph->source, VLM_GRAPH_MAX_NESTING);
  VLM_TRY(check_captures(graph, err));
  VLM_TRY(set_producers(graph, err));
  VLM_TRY(check_listed(graph, err));
  VLM_TRY(check_inputs(graph, err));
  VLM_TRY(check_outputs(graph, err));
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    VLM_TRY(vlm_node_bind(graph, &graph->nodes[n], err));
    VLM_TRY(resolve_bodies(graph, &graph->nodes[n], depth, err));
    VLM_TRY(check_branches(graph, &graph->nodes[n], err));
    VLM_TRY(check_cache(graph, &graph->nodes[n], err));
  }
  VLM_TRY(vlm_graph_order(graph, err));
out:
  return st;
}

vlm_status vlm_graph_resolve(vlm_graph *graph, vlm_error *err) {
  int depth = 0;
  for (const vlm_graph *g = graph; g->parent != NULL && depth <= VLM_GRAPH_MAX_NESTING; g = g->parent)
    depth++;
  return resolve_at(graph, depth, err);
}
