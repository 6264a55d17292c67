#include <string.h>

#include "onnx/importer.h"

static vlm_status add_initializers(vlm_importer *im, vlm_scope *scope, Onnx__GraphProto *proto) {
  vlm_status st = VLM_OK;
  vlm_tensor tensor;
  vlm_value_id id;
  for (size_t k = 0; k < proto->n_initializer; k++) {
    Onnx__TensorProto *t = proto->initializer[k];
    VLM_CHECK(t->name != NULL && t->name[0] != '\0', im->err, VLM_INPUT,
              "%s: initializer %zu of graph \"%s\" has no name", im->source, k, scope->graph->name);
    VLM_TRY(vlm_import_tensor(im, scope, t, t->name, &tensor));
    VLM_TRY(vlm_graph_add_constant(scope->graph, &id, t->name, &tensor, false, im->err));
  }
  for (size_t k = 0; k < proto->n_sparse_initializer; k++) {
    Onnx__SparseTensorProto *t = proto->sparse_initializer[k];
    const char *name = t->values != NULL ? t->values->name : NULL;
    VLM_CHECK(name != NULL && name[0] != '\0', im->err, VLM_INPUT,
              "%s: sparse initializer %zu of graph \"%s\" has no name", im->source, k, scope->graph->name);
    VLM_TRY(vlm_import_sparse(im, scope, t, name, &tensor));
    VLM_TRY(vlm_graph_add_constant(scope->graph, &id, name, &tensor, false, im->err));
  }
out:
  return st;
}

static vlm_status add_inputs(vlm_importer *im, vlm_scope *scope, Onnx__GraphProto *proto) {
  vlm_status st = VLM_OK;
  int32_t constants = scope->graph->n_values;
  for (size_t k = 0; k < proto->n_input; k++) {
    const Onnx__ValueInfoProto *info = proto->input[k];
    vlm_value_id id = VLM_NO_VALUE;
    VLM_CHECK(info->name != NULL && info->name[0] != '\0', im->err, VLM_INPUT,
              "%s: input %zu of graph \"%s\" has no name", im->source, k, scope->graph->name);
    id = vlm_graph_find(scope->graph, info->name);
    if (id != VLM_NO_VALUE && id < constants && scope->parent == NULL) continue;
    VLM_TRY(vlm_graph_add_value(scope->graph, &id, info->name, VLM_VALUE_INPUT, im->err));
    VLM_TRY(vlm_graph_add_input(scope->graph, id, im->err));
    VLM_TRY(vlm_import_type(im, scope, id, info, true));
  }
out:
  return st;
}

static vlm_status add_value_types(vlm_importer *im, vlm_scope *scope, Onnx__GraphProto *proto) {
  vlm_status st = VLM_OK;
  for (size_t k = 0; k < proto->n_value_info; k++) {
    const Onnx__ValueInfoProto *info = proto->value_info[k];
    vlm_value_id id = vlm_graph_find(scope->graph, info->name);
    if (id != VLM_NO_VALUE && scope->graph->values[id].kind == VLM_VALUE_NODE)
      VLM_TRY(vlm_import_type(im, scope, id, info, false));
  }
out:
  return st;
}

static vlm_status add_outputs(vlm_importer *im, vlm_scope *scope, Onnx__GraphProto *proto) {
  vlm_status st = VLM_OK;
  for (size_t k = 0; k < proto->n_output; k++) {
    const Onnx__ValueInfoProto *info = proto->output[k];
    vlm_value_id id = VLM_NO_VALUE;
    VLM_CHECK(info->name != NULL && info->name[0] != '\0', im->err, VLM_INPUT,
              "%s: output %zu of graph \"%s\" has no name", im->source, k, scope->graph->name);
    VLM_TRY(vlm_scope_find(im, scope, info->name, &id));
    VLM_CHECK(
        id != VLM_NO_VALUE, im->err, VLM_INPUT,
        "%s: output \"%s\" of graph \"%s\" is neither an input, nor an initializer, nor the output of a node",
        im->source, info->name, scope->graph->name);
    VLM_TRY(vlm_graph_add_output(scope->graph, id, im->err));
    if (scope->graph->values[id].kind == VLM_VALUE_NODE) VLM_TRY(vlm_import_type(im, scope, id, info, true));
  }
out:
  return st;
}

vlm_status vlm_import_graph(vlm_importer *im, vlm_scope *scope, Onnx__GraphProto *proto) {
  vlm_status st = VLM_OK;
  scope->nodes = proto->node;
  scope->n_nodes = proto->n_node;
  scope->graph->opset = vlm_scope_opset(scope, "");
  VLM_TRY(add_initializers(im, scope, proto));
  VLM_TRY(add_inputs(im, scope, proto));
  VLM_TRY(vlm_import_declare_nodes(im, scope));
  VLM_TRY(add_value_types(im, scope, proto));
  VLM_TRY(vlm_import_connect_nodes(im, scope));
  VLM_TRY(add_outputs(im, scope, proto));
out:
  return st;
}

vlm_status vlm_import_subgraph(vlm_importer *im, vlm_scope *outer, Onnx__GraphProto *proto, vlm_graph **out) {
  vlm_status st = VLM_OK;
  vlm_scope scope = {.parent = outer,
                     .prefix = "",
                     .opsets = outer->opsets,
                     .n_opsets = outer->n_opsets,
                     .depth = outer->depth + 1};
  VLM_CHECK(scope.depth <= im->opts.max_nesting, im->err, VLM_LIMIT,
            "%s: subgraphs are nested deeper than %d", im->source, im->opts.max_nesting);
  VLM_TRY(vlm_graph_create_sub(&scope.graph, outer->graph, proto->name, im->err));
  VLM_TRY(vlm_import_graph(im, &scope, proto));
  *out = scope.graph;
out:
  return st;
}
