#include "runtime/graph/graph.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "runtime/graph/keep.h"
#include "runtime/graph/names.h"

static vlm_status fill_new(vlm_graph *graph, const char *name, const char *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_strdup(graph->arena, &graph->name, name != NULL ? name : "", err));
  VLM_TRY(vlm_arena_strdup(graph->arena, &graph->source,
                           source != NULL && source[0] != '\0' ? source : "(memory)", err));
out:
  return st;
}

vlm_status vlm_graph_create(vlm_graph **out, const char *name, const char *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_arena *arena = NULL;
  void *memory = NULL;
  *out = NULL;
  VLM_TRY(vlm_arena_create(&arena, err));
  VLM_TRY(vlm_arena_alloc(arena, &memory, 1, sizeof(vlm_graph), err));
  vlm_graph *graph = memory;
  graph->arena = arena;
  VLM_TRY(fill_new(graph, name, source, err));
  *out = graph;
  arena = NULL;
out:
  if (arena != NULL) vlm_arena_free(arena);
  return st;
}

vlm_status vlm_graph_create_sub(vlm_graph **out, vlm_graph *parent, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  *out = NULL;
  VLM_TRY(vlm_arena_alloc(parent->arena, &memory, 1, sizeof(vlm_graph), err));
  vlm_graph *graph = memory;
  graph->arena = parent->arena;
  graph->parent = parent;
  graph->opset = parent->opset;
  graph->source = parent->source;
  graph->lazy = parent->lazy;
  VLM_TRY(vlm_arena_strdup(graph->arena, &graph->name, name != NULL ? name : "", err));
  *out = graph;
out:
  return st;
}

void vlm_graph_free(vlm_graph *graph) {
  if (graph == NULL) return;
  assert(graph->parent == NULL); /* bodies live in the root's arena */
  vlm_graph_release_kept(graph);
  vlm_arena_free(graph->arena);
}

static vlm_status made_up_name(vlm_graph *graph, const char **name, vlm_error *err) {
  char text[40];
  int32_t n = graph->n_values;
  do {
    snprintf(text, sizeof text, "value_%d", n++);
  } while (vlm_graph_find(graph, text) != VLM_NO_VALUE);
  return vlm_arena_strdup(graph->arena, name, text, err);
}

vlm_status vlm_graph_add_value(vlm_graph *graph, vlm_value_id *out, const char *name, vlm_value_kind kind,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value value = {
      .kind = kind, .parent_value = VLM_NO_VALUE, .producer = -1, .tensor = {.dtype = VLM_NONE, .rank = -1}};
  *out = VLM_NO_VALUE;
  if (name == NULL || name[0] == '\0') {
    VLM_TRY(made_up_name(graph, &value.name, err));
  } else {
    VLM_CHECK(vlm_graph_find(graph, name) == VLM_NO_VALUE, err, VLM_INPUT,
              "%s: the name \"%s\" is defined twice in graph \"%s\"; names must be unique", graph->source,
              name, graph->name);
    VLM_TRY(vlm_arena_strdup(graph->arena, &value.name, name, err));
  }
  VLM_TRY(vlm_graph_reserve(graph, &graph->values, &graph->cap_values, graph->n_values, err));
  assert(graph->n_values < graph->cap_values);
  vlm_value_id id = graph->n_values++;
  graph->values[id] = value;
  st = vlm_names_add(graph, id, err);
  if (st != VLM_OK) graph->n_values--;
  else *out = id;
out:
  return st;
}

vlm_status vlm_graph_add_constant(vlm_graph *graph, vlm_value_id *out, const char *name,
                                  const vlm_tensor *tensor, bool copy, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t bytes = 0;
  vlm_tensor own = *tensor;
  *out = VLM_NO_VALUE;
  VLM_TRY(vlm_tensor_bytes_checked(&bytes, tensor, err));
  if (copy || own.data == NULL) {
    VLM_TRY(vlm_arena_alloc(graph->arena, &own.data, bytes > 0 ? bytes : 1, 1, err));
    if (bytes > 0 && tensor->data != NULL) memcpy(own.data, tensor->data, bytes);
  }
  VLM_TRY(vlm_graph_add_value(graph, out, name, VLM_VALUE_CONSTANT, err));
  graph->values[*out].tensor = own;
out:
  return st;
}

static vlm_status append_id(vlm_graph *graph, vlm_value_id **list, int32_t *count, int32_t *cap,
                            vlm_value_id value, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(value >= 0 && value < graph->n_values, err, VLM_INTERNAL, "value id %d is outside [0, %d)", value,
            graph->n_values);
  VLM_TRY(vlm_graph_reserve(graph, list, cap, *count, err));
  (*list)[(*count)++] = value;
out:
  return st;
}

vlm_status vlm_graph_add_input(vlm_graph *graph, vlm_value_id value, vlm_error *err) {
  return append_id(graph, &graph->inputs, &graph->n_inputs, &graph->cap_inputs, value, err);
}

vlm_status vlm_graph_add_output(vlm_graph *graph, vlm_value_id value, vlm_error *err) {
  return append_id(graph, &graph->outputs, &graph->n_outputs, &graph->cap_outputs, value, err);
}

static vlm_status node_strings(vlm_graph *graph, vlm_node *node, const vlm_node *like, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_strdup(graph->arena, &node->domain, like->domain != NULL ? like->domain : "", err));
  VLM_TRY(vlm_arena_strdup(graph->arena, &node->op_type, like->op_type != NULL ? like->op_type : "", err));
  if (like->name != NULL && like->name[0] != '\0') {
    VLM_TRY(vlm_arena_strdup(graph->arena, &node->name, like->name, err));
  } else {
    VLM_TRY(vlm_arena_format(graph->arena, &node->name, err, "%s_%d", node->op_type, graph->n_nodes));
  }
out:
  return st;
}

static vlm_status node_arrays(vlm_graph *graph, vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  VLM_CHECK(node->n_inputs >= 0 && node->n_outputs >= 0 && node->n_attrs >= 0, err, VLM_INTERNAL,
            "negative count of inputs, outputs or attributes");
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, (size_t)node->n_inputs + (size_t)node->n_outputs + 1,
                          sizeof(vlm_value_id), err));
  node->inputs = memory;
  node->outputs = node->inputs + node->n_inputs;
  for (int32_t k = 0; k < node->n_inputs + node->n_outputs; k++) node->inputs[k] = VLM_NO_VALUE;
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, (size_t)node->n_attrs + 1, sizeof(vlm_attr), err));
  node->attrs = memory;
out:
  return st;
}

vlm_status vlm_graph_add_node(vlm_graph *graph, int32_t *out, const vlm_node *like, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_node node = {.opset = like->opset,
                   .n_inputs = like->n_inputs,
                   .n_outputs = like->n_outputs,
                   .n_attrs = like->n_attrs};
  *out = -1;
  VLM_TRY(node_strings(graph, &node, like, err));
  VLM_TRY(node_arrays(graph, &node, err));
  VLM_TRY(vlm_graph_reserve(graph, &graph->nodes, &graph->cap_nodes, graph->n_nodes, err));
  assert(graph->n_nodes < graph->cap_nodes);
  *out = graph->n_nodes++;
  graph->nodes[*out] = node;
out:
  return st;
}

void vlm_node_set_output(vlm_graph *graph, int32_t node, int32_t k, vlm_value_id value) {
  assert(node >= 0 && node < graph->n_nodes && k >= 0 && k < graph->nodes[node].n_outputs);
  assert(value >= VLM_NO_VALUE && value < graph->n_values);
  graph->nodes[node].outputs[k] = value;
  if (value != VLM_NO_VALUE) graph->values[value].producer = node;
}

static int32_t find_in_list(const vlm_graph *graph, const vlm_value_id *list, int32_t count,
                            const char *name) {
  for (int32_t k = 0; k < count; k++)
    if (strcmp(graph->values[list[k]].name, name) == 0) return k;
  return -1;
}

int32_t vlm_graph_find_input(const vlm_graph *graph, const char *name) {
  return find_in_list(graph, graph->inputs, graph->n_inputs, name);
}

int32_t vlm_graph_find_output(const vlm_graph *graph, const char *name) {
  return find_in_list(graph, graph->outputs, graph->n_outputs, name);
}

const vlm_attr *vlm_node_attr(const vlm_node *node, const char *name) {
  for (int32_t k = 0; k < node->n_attrs; k++)
    if (node->attrs[k].name != NULL && strcmp(node->attrs[k].name, name) == 0) return &node->attrs[k];
  return NULL;
}

int64_t vlm_node_int(const vlm_node *node, const char *name, int64_t fallback) {
  const vlm_attr *a = vlm_node_attr(node, name);
  return a && a->kind == VLM_ATTR_INT ? a->u.i : fallback;
}

float vlm_node_float(const vlm_node *node, const char *name, float fallback) {
  const vlm_attr *a = vlm_node_attr(node, name);
  return a && a->kind == VLM_ATTR_FLOAT ? a->u.f : fallback;
}

vlm_value_id vlm_node_input(const vlm_node *node, int32_t k) {
  assert(k >= 0);
  return k < node->n_inputs ? node->inputs[k] : VLM_NO_VALUE;
}

bool vlm_node_is(const vlm_node *node, const char *op_type) {
  return !*node->domain && !strcmp(node->op_type, op_type);
}

vlm_node *vlm_graph_producer(const vlm_graph *graph, vlm_value_id id, const char *op_type) {
  assert(id >= VLM_NO_VALUE && id < graph->n_values);
  int32_t n = id == VLM_NO_VALUE ? -1 : graph->values[id].producer;
  assert(n < graph->n_nodes);
  return n >= 0 && vlm_node_is(&graph->nodes[n], op_type) ? &graph->nodes[n] : NULL;
}

const vlm_tensor *vlm_graph_constant(const vlm_graph *graph, vlm_value_id id) {
  while (graph != NULL && id >= 0 && id < graph->n_values) {
    const vlm_value *value = &graph->values[id];
    if (value->kind == VLM_VALUE_CONSTANT) return &value->tensor;
    if (value->kind != VLM_VALUE_CAPTURE) return NULL;
    id = value->parent_value;
    graph = graph->parent;
  }
  return NULL;
}

vlm_status vlm_node_blame(const vlm_graph *graph, const vlm_node *node, vlm_status status, vlm_error *err) {
  if (status != VLM_OK && err != NULL) {
    vlm_error_context(err, "%s: node \"%s\" (%s%s%s)", graph->source, node->name, node->domain,
                      node->domain[0] != '\0' ? "." : "", node->op_type);
  }
  return status;
}
