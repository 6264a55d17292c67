#include <string.h>

#include "export/proto_build.h"

/* ---- attributes ---- */

static ProtobufCBinaryData bytes_of(const char *text) {
  return (ProtobufCBinaryData){strlen(text), vlm_unconst(text)};
}

static vlm_status put_strings(vlm_proto_builder *b, Onnx__AttributeProto *to, const vlm_attr *a) {
  vlm_status st = VLM_OK;
  to->n_strings = (size_t)a->count;
  VLM_TRY(vlm_arena_new(b->arena, &to->strings, to->n_strings + 1, b->err));
  for (int32_t i = 0; i < a->count; i++) to->strings[i] = bytes_of(a->u.strings[i]);
out:
  return st;
}

static vlm_status put_ints(vlm_proto_builder *b, Onnx__AttributeProto *to, const vlm_attr *a) {
  vlm_status st = VLM_OK;
  to->n_ints = (size_t)a->count;
  VLM_TRY(vlm_arena_new(b->arena, &to->ints, to->n_ints + 1, b->err));
  if (a->count) memcpy(to->ints, a->u.ints, to->n_ints * sizeof *to->ints);
out:
  return st;
}

static vlm_status put_floats(vlm_proto_builder *b, Onnx__AttributeProto *to, const vlm_attr *a) {
  vlm_status st = VLM_OK;
  to->n_floats = (size_t)a->count;
  VLM_TRY(vlm_arena_new(b->arena, &to->floats, to->n_floats + 1, b->err));
  if (a->count) memcpy(to->floats, a->u.floats, to->n_floats * sizeof *to->floats);
out:
  return st;
}

#define TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name
static const int TYPES[] = {
    [VLM_ATTR_INT] = TYPE(INT),       [VLM_ATTR_FLOAT] = TYPE(FLOAT),     [VLM_ATTR_STRING] = TYPE(STRING),
    [VLM_ATTR_TENSOR] = TYPE(TENSOR), [VLM_ATTR_GRAPH] = TYPE(GRAPH),     [VLM_ATTR_INTS] = TYPE(INTS),
    [VLM_ATTR_FLOATS] = TYPE(FLOATS), [VLM_ATTR_STRINGS] = TYPE(STRINGS),
};

static vlm_status put_attr(vlm_proto_builder *b, Onnx__AttributeProto **out, const vlm_attr *a) {
  vlm_status st = VLM_OK;
  Onnx__AttributeProto *to;
  VLM_TRY(VLM_PROTO_NEW(b, &to, onnx__attribute_proto__init));
  *out = to;
  to->name = vlm_unconst(a->name);
  to->has_type = 1;
  to->type = (Onnx__AttributeProto__AttributeType)TYPES[a->kind];
  to->has_i = a->kind == VLM_ATTR_INT;
  to->has_f = a->kind == VLM_ATTR_FLOAT;
  to->has_s = a->kind == VLM_ATTR_STRING;
  switch (a->kind) {
    case VLM_ATTR_NONE: break;
    case VLM_ATTR_INT: to->i = a->u.i; break;
    case VLM_ATTR_FLOAT: to->f = a->u.f; break;
    case VLM_ATTR_STRING: to->s = bytes_of(a->u.s); break;
    case VLM_ATTR_TENSOR: VLM_TRY(vlm_proto_tensor(b, &to->t, NULL, a->u.t)); break;
    case VLM_ATTR_GRAPH: VLM_TRY(vlm_proto_graph(b, &to->g, a->u.g)); break;
    case VLM_ATTR_INTS: VLM_TRY(put_ints(b, to, a)); break;
    case VLM_ATTR_FLOATS: VLM_TRY(put_floats(b, to, a)); break;
    case VLM_ATTR_STRINGS: VLM_TRY(put_strings(b, to, a)); break;
  }
out:
  return st;
}

/* ---- nodes ---- */

/* Absent ones at the end are not written. */
static vlm_status put_ids(vlm_proto_builder *b, char ***out, size_t *count, const vlm_graph *graph,
                          const vlm_value_id *ids, int32_t n) {
  vlm_status st = VLM_OK;
  while (n > 0 && ids[n - 1] == VLM_NO_VALUE) n--;
  *count = (size_t)n;
  VLM_TRY(vlm_arena_new(b->arena, out, *count + 1, b->err));
  for (int32_t k = 0; k < n; k++)
    (*out)[k] = vlm_unconst(ids[k] == VLM_NO_VALUE ? "" : vlm_proto_name(b, graph, ids[k]));
out:
  return st;
}

static vlm_status put_node(vlm_proto_builder *b, Onnx__NodeProto **out, const vlm_graph *graph,
                           const vlm_node *node) {
  vlm_status st = VLM_OK;
  Onnx__NodeProto *to;
  VLM_TRY(VLM_PROTO_NEW(b, &to, onnx__node_proto__init));
  *out = to;
  to->name = vlm_unconst(node->name);
  to->op_type = vlm_unconst(node->op_type);
  if (*node->domain) to->domain = vlm_unconst(node->domain);
  VLM_TRY(put_ids(b, &to->input, &to->n_input, graph, node->inputs, node->n_inputs));
  VLM_TRY(put_ids(b, &to->output, &to->n_output, graph, node->outputs, node->n_outputs));
  VLM_TRY(vlm_arena_new(b->arena, &to->attribute, (size_t)node->n_attrs + 1, b->err));
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (node->attrs[a].kind != VLM_ATTR_NONE)
      VLM_TRY(put_attr(b, &to->attribute[to->n_attribute++], &node->attrs[a]));
out:
  return st;
}

/* An Identity that gives a value a name of its own. */
static vlm_status put_identity(vlm_proto_builder *b, Onnx__GraphProto *to, const char *from,
                               const char *name) {
  vlm_status st = VLM_OK;
  Onnx__NodeProto *node;
  VLM_TRY(VLM_PROTO_NEW(b, &node, onnx__node_proto__init));
  to->node[to->n_node++] = node;
  node->op_type = vlm_unconst("Identity");
  VLM_TRY(vlm_arena_new(b->arena, &node->input, 1, b->err));
  VLM_TRY(vlm_arena_new(b->arena, &node->output, 1, b->err));
  node->input[node->n_input++] = vlm_unconst(from);
  node->output[node->n_output++] = vlm_unconst(name);
out:
  return st;
}

/* ---- graphs ---- */

static vlm_status put_constants(vlm_proto_builder *b, Onnx__GraphProto *to, const vlm_graph *graph) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_arena_new(b->arena, &to->initializer, (size_t)graph->n_values + 1, b->err));
  for (vlm_value_id id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CONSTANT)
      VLM_TRY(vlm_proto_tensor(b, &to->initializer[to->n_initializer++], vlm_proto_name(b, graph, id),
                               &graph->values[id].tensor));
out:
  return st;
}

/* What a body returns must be its own, and under one name once. */
static bool needs_identity(const vlm_graph *graph, int32_t k) {
  for (int32_t i = 0; i < k; i++)
    if (graph->outputs[i] == graph->outputs[k]) return true;
  vlm_value_kind kind = graph->values[graph->outputs[k]].kind;
  return kind == VLM_VALUE_CAPTURE || (graph->parent && kind == VLM_VALUE_INPUT);
}

static vlm_status put_output(vlm_proto_builder *b, Onnx__GraphProto *to, const vlm_graph *graph, int32_t k) {
  vlm_status st = VLM_OK;
  vlm_value_id id = graph->outputs[k];
  const char *name = vlm_proto_name(b, graph, id);
  if (needs_identity(graph, k)) {
    const char *from = name;
    VLM_TRY(vlm_arena_format(b->arena, &name, b->err, "%s_output_%d", from, k));
    VLM_TRY(put_identity(b, to, from, name));
  }
  VLM_TRY(vlm_proto_value(b, &to->output[to->n_output++], name, &graph->values[id]));
out:
  return st;
}

vlm_status vlm_proto_graph(vlm_proto_builder *b, Onnx__GraphProto **out, const vlm_graph *graph) {
  vlm_status st = VLM_OK;
  Onnx__GraphProto *to;
  VLM_TRY(VLM_PROTO_NEW(b, &to, onnx__graph_proto__init));
  *out = to;
  to->name = vlm_unconst(graph->name && *graph->name ? graph->name : "graph");
  VLM_TRY(vlm_arena_new(b->arena, &to->node, (size_t)graph->n_nodes + (size_t)graph->n_outputs + 1, b->err));
  VLM_TRY(vlm_arena_new(b->arena, &to->input, (size_t)graph->n_inputs + 1, b->err));
  VLM_TRY(vlm_arena_new(b->arena, &to->output, (size_t)graph->n_outputs + 1, b->err));
  VLM_TRY(put_constants(b, to, graph));
  for (int32_t n = 0; n < graph->n_nodes; n++)
    VLM_TRY(put_node(b, &to->node[to->n_node++], graph, &graph->nodes[n]));
  for (int32_t i = 0; i < graph->n_inputs; i++)
    VLM_TRY(vlm_proto_value(b, &to->input[to->n_input++], vlm_proto_name(b, graph, graph->inputs[i]),
                            &graph->values[graph->inputs[i]]));
  for (int32_t k = 0; k < graph->n_outputs; k++) VLM_TRY(put_output(b, to, graph, k));
out:
  return st;
}
