#include <string.h>

#include "onnx/importer.h"

/* Functions that call functions can double with every line of a file: above FREE_INLINED this many nodes per function are made. */
enum { FREE_INLINED = 65536, MOST_INLINED = 1024 };

static const char *label_of(const Onnx__NodeProto *node) {
  if (node->name != NULL && node->name[0] != '\0') return node->name;
  return node->n_output > 0 ? node->output[0] : "";
}

static vlm_status declare_constant(vlm_importer *im, vlm_scope *scope, Onnx__NodeProto *node) {
  vlm_status st = VLM_OK;
  vlm_tensor tensor;
  vlm_value_id id = VLM_NO_VALUE;
  const char *full = NULL;
  VLM_TRY(vlm_import_constant(im, scope, node, &tensor));
  VLM_TRY(vlm_scope_name(im, scope, node->output[0], &full));
  VLM_TRY(vlm_graph_add_constant(scope->graph, &id, full, &tensor, false, im->err));
out:
  return st;
}

/* The output of a function may be the value of one of its Constant nodes, but the caller's value exists already. */
static bool is_formal_output(const vlm_scope *scope, const char *name) {
  if (scope->function == NULL) return false;
  const Onnx__FunctionProto *f = scope->function->proto;
  for (size_t k = 0; k < f->n_output; k++)
    if (strcmp(f->output[k], name) == 0) return scope->formals[f->n_input + k] != VLM_NO_VALUE;
  return false;
}

static bool is_plain_constant(const vlm_scope *scope, const Onnx__NodeProto *node) {
  return vlm_onnx_is_constant(node, vlm_onnx_domain(node->domain)) && node->n_output == 1 &&
         node->output[0][0] != '\0' && !is_formal_output(scope, node->output[0]);
}

vlm_status vlm_import_declare_nodes(vlm_importer *im, vlm_scope *scope) {
  vlm_status st = VLM_OK;
  for (size_t n = 0; n < scope->n_nodes; n++) {
    Onnx__NodeProto *node = scope->nodes[n];
    VLM_CHECK(++im->n_nodes <= im->opts.max_nodes, im->err, VLM_LIMIT, "%s: more than %lld nodes", im->source,
              (long long)im->opts.max_nodes);
    im->n_inlined += scope->function != NULL;
    VLM_CHECK(
        im->n_inlined <= FREE_INLINED || im->n_inlined / MOST_INLINED <= (int64_t)im->model->n_functions,
        im->err, VLM_LIMIT, "%s: %zu functions grow to more than %lld nodes when they are inlined",
        im->source, im->model->n_functions, (long long)im->n_inlined - 1);
    VLM_CHECK(node->op_type != NULL && node->op_type[0] != '\0', im->err, VLM_INPUT,
              "%s: node \"%s\" has no operator", im->source, label_of(node));
    if (is_plain_constant(scope, node)) {
      VLM_TRY(declare_constant(im, scope, node));
      continue;
    }
    for (size_t k = 0; k < node->n_output; k++) {
      vlm_value_id id;
      if (node->output[k][0] != '\0') VLM_TRY(vlm_scope_define(im, scope, node->output[k], &id));
    }
  }
out:
  return st;
}

static int32_t count_names(char **names, size_t count) {
  while (count > 0 && names[count - 1][0] == '\0') count--;
  return count > INT32_MAX ? INT32_MAX : (int32_t)count;
}

static vlm_status new_node(vlm_importer *im, vlm_scope *scope, const Onnx__NodeProto *proto, int32_t opset,
                           int32_t *out) {
  vlm_status st = VLM_OK;
  const char *name = NULL;
  if (proto->name != NULL && proto->name[0] != '\0') {
    VLM_TRY(vlm_scope_name(im, scope, proto->name, &name));
  } else if (scope->prefix[0] != '\0') {
    VLM_TRY(vlm_arena_format(scope->graph->arena, &name, im->err, "%s%s_%d", scope->prefix, proto->op_type,
                             scope->graph->n_nodes));
  }
  VLM_TRY(vlm_graph_add_node(scope->graph, out,
                             &(vlm_node){.name = name,
                                         .domain = vlm_onnx_domain(proto->domain),
                                         .op_type = proto->op_type,
                                         .opset = opset,
                                         .n_inputs = count_names(proto->input, proto->n_input),
                                         .n_outputs = count_names(proto->output, proto->n_output),
                                         .n_attrs = (int32_t)proto->n_attribute},
                             im->err));
out:
  return st;
}

static vlm_status opset_of(vlm_importer *im, const vlm_scope *scope, const Onnx__NodeProto *proto,
                           int32_t *out) {
  vlm_status st = VLM_OK;
  const char *domain = vlm_onnx_domain(proto->domain);
  *out = vlm_scope_opset(scope, domain);
  /* Many files use com.microsoft without saying so; only ai.onnx has versions that matter. */
  if (*out == 0 && domain[0] != '\0') *out = 1;
  VLM_CHECK(*out != 0, im->err, VLM_INPUT,
            "%s: node \"%s\" (%s) is of domain ai.onnx, but no version of that domain is imported",
            im->source, label_of(proto), proto->op_type);
out:
  return st;
}

/* An input of a function that its call leaves out is absent in the body. */
static bool is_formal_input(const vlm_scope *scope, const char *name) {
  if (scope->function == NULL) return false;
  const Onnx__FunctionProto *f = scope->function->proto;
  for (size_t k = 0; k < f->n_input; k++)
    if (strcmp(f->input[k], name) == 0) return true;
  return false;
}

static vlm_status connect_inputs(vlm_importer *im, vlm_scope *scope, int32_t node,
                                 const Onnx__NodeProto *proto) {
  vlm_status st = VLM_OK;
  int32_t count = scope->graph->nodes[node].n_inputs;
  for (int32_t k = 0; k < count; k++) {
    vlm_value_id id = VLM_NO_VALUE;
    const char *name = proto->input[k];
    if (name[0] == '\0') continue;
    VLM_TRY(vlm_scope_find(im, scope, name, &id));
    VLM_CHECK(id != VLM_NO_VALUE || is_formal_input(scope, name), im->err, VLM_INPUT,
              "%s: node \"%s\" (%s): input \"%s\" is neither an input, nor an initializer, nor the output of "
              "a node",
              im->source, label_of(proto), proto->op_type, name);
    scope->graph->nodes[node].inputs[k] = id;
  }
out:
  return st;
}

static vlm_status connect_outputs(vlm_importer *im, vlm_scope *scope, int32_t node,
                                  const Onnx__NodeProto *proto) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < scope->graph->nodes[node].n_outputs; k++) {
    vlm_value_id id = VLM_NO_VALUE;
    if (proto->output[k][0] == '\0') continue;
    VLM_TRY(vlm_scope_find(im, scope, proto->output[k], &id));
    VLM_CHECK(id != VLM_NO_VALUE && scope->graph->values[id].kind == VLM_VALUE_NODE, im->err, VLM_INPUT,
              "%s: node \"%s\" (%s): output \"%s\" is defined twice; every value has one producer",
              im->source, label_of(proto), proto->op_type, proto->output[k]);
    vlm_node_set_output(scope->graph, node, k, id);
  }
out:
  return st;
}

static vlm_status connect_plain(vlm_importer *im, vlm_scope *scope, Onnx__NodeProto *proto) {
  vlm_status st = VLM_OK;
  int32_t node = -1, opset = 0;
  VLM_CHECK(strcmp(vlm_onnx_domain(proto->domain), "vlm") != 0, im->err, VLM_UNSUPPORTED,
            "%s: node \"%s\" (%s): operators of domain \"vlm\" are made by this program and do not occur in "
            "ONNX files",
            im->source, label_of(proto), proto->op_type);
  VLM_TRY(opset_of(im, scope, proto, &opset));
  VLM_TRY(new_node(im, scope, proto, opset, &node));
  VLM_TRY(connect_inputs(im, scope, node, proto));
  VLM_TRY(connect_outputs(im, scope, node, proto));
  VLM_TRY(vlm_import_attrs(im, scope, node, proto));
out:
  return st;
}

static vlm_status connect_formal_constant(vlm_importer *im, vlm_scope *scope, Onnx__NodeProto *proto) {
  vlm_status st = VLM_OK;
  vlm_tensor tensor;
  vlm_value_id from = VLM_NO_VALUE, to = VLM_NO_VALUE;
  VLM_TRY(vlm_import_constant(im, scope, proto, &tensor));
  VLM_TRY(vlm_graph_add_constant(scope->graph, &from, NULL, &tensor, false, im->err));
  VLM_TRY(vlm_scope_find(im, scope, proto->output[0], &to));
  VLM_TRY(vlm_import_identity(im, scope, from, to));
out:
  return st;
}

vlm_status vlm_import_identity(vlm_importer *im, vlm_scope *scope, vlm_value_id from, vlm_value_id to) {
  vlm_status st = VLM_OK;
  int32_t node = -1;
  VLM_TRY(vlm_graph_add_node(
      scope->graph, &node,
      &(vlm_node){.op_type = "Identity", .opset = scope->graph->opset, .n_inputs = 1, .n_outputs = 1},
      im->err));
  scope->graph->nodes[node].inputs[0] = from;
  vlm_node_set_output(scope->graph, node, 0, to);
out:
  return st;
}

vlm_status vlm_import_connect_nodes(vlm_importer *im, vlm_scope *scope) {
  vlm_status st = VLM_OK;
  for (size_t n = 0; n < scope->n_nodes; n++) {
    Onnx__NodeProto *node = scope->nodes[n];
    if (is_plain_constant(scope, node)) continue;
    const vlm_onnx_function *function = vlm_import_find_function(im, node);
    bool constant = vlm_onnx_is_constant(node, vlm_onnx_domain(node->domain)) && node->n_output == 1;
    if (function != NULL) VLM_TRY(vlm_import_call(im, scope, function, node));
    else if (constant) VLM_TRY(connect_formal_constant(im, scope, node));
    else VLM_TRY(connect_plain(im, scope, node));
  }
out:
  return st;
}
