#include <string.h>

#include "onnx/importer.h"
#include "onnx/proto.h"

/* Fields that are newer than the installed proto. */
enum { FUNCTION_ATTRIBUTE_PROTO = 11, FUNCTION_OVERLOAD = 13, NODE_OVERLOAD = 8, ATTRIBUTE_DEPTH = 256 };

static vlm_status read_defaults(vlm_importer *im, vlm_onnx_function *f) {
  vlm_status st = VLM_OK;
  const unsigned char *data = NULL;
  size_t bytes = 0;
  for (int32_t k = 0; vlm_proto_unknown(&f->proto->base, FUNCTION_ATTRIBUTE_PROTO, k, &data, &bytes); k++) {
    ProtobufCMessage *message = NULL;
    VLM_TRY(vlm_more(&f->defaults, f->n_defaults, f->n_defaults + 1, im->err));
    VLM_TRY(vlm_proto_unpack(&message, &onnx__attribute_proto__descriptor, data, bytes,
                             (vlm_proto_limits){ATTRIBUTE_DEPTH, 0}, im->source, NULL, im->err));
    f->defaults[f->n_defaults++] = (Onnx__AttributeProto *)message;
  }
out:
  return st;
}

vlm_status vlm_import_functions(vlm_importer *im) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&im->functions, im->model->n_functions, im->err));
  for (; im->n_functions < im->model->n_functions;) {
    vlm_onnx_function *f = &im->functions[im->n_functions++];
    f->proto = im->model->functions[im->n_functions - 1];
    VLM_CHECK(f->proto->name != NULL, im->err, VLM_INPUT, "%s: a model-local function has no name",
              im->source);
    vlm_proto_unknown(&f->proto->base, FUNCTION_OVERLOAD, 0, &f->overload, &f->overload_size);
    VLM_TRY(read_defaults(im, f));
  }
out:
  return st;
}

void vlm_import_free_functions(vlm_importer *im) {
  for (size_t n = 0; n < im->n_functions; n++) {
    for (size_t k = 0; k < im->functions[n].n_defaults; k++)
      vlm_proto_free(&im->functions[n].defaults[k]->base);
    vlm_free(im->functions[n].defaults);
  }
  vlm_free(im->functions);
}

const vlm_onnx_function *vlm_import_find_function(const vlm_importer *im, const Onnx__NodeProto *node) {
  const unsigned char *overload = NULL;
  size_t size = 0;
  if (im->n_functions == 0) return NULL;
  vlm_proto_unknown(&node->base, NODE_OVERLOAD, 0, &overload, &size);
  for (size_t n = 0; n < im->n_functions; n++) {
    const vlm_onnx_function *f = &im->functions[n];
    if (strcmp(f->proto->name, node->op_type) != 0) continue;
    if (strcmp(vlm_onnx_domain(f->proto->domain), vlm_onnx_domain(node->domain)) != 0) continue;
    if (f->overload_size == size && (size == 0 || memcmp(f->overload, overload, size) == 0)) return f;
  }
  return NULL;
}

/* No value of the graph may have a name that a value of the body gets. */
static vlm_status prefix_is_free(vlm_importer *im, const vlm_scope *body, bool *free) {
  vlm_status st = VLM_OK;
  *free = true;
  for (size_t n = 0; n < body->n_nodes && *free; n++) {
    for (size_t k = 0; k < body->nodes[n]->n_output && *free; k++) {
      const char *full = NULL;
      VLM_TRY(vlm_scope_name(im, body, body->nodes[n]->output[k], &full));
      *free = vlm_graph_find(body->graph, full) == VLM_NO_VALUE;
    }
  }
out:
  return st;
}

static vlm_status choose_prefix(vlm_importer *im, vlm_scope *body) {
  vlm_status st = VLM_OK;
  const Onnx__NodeProto *call = body->call;
  const char *name = call->name != NULL && call->name[0] != '\0' ? call->name : call->op_type;
  bool free = false;
  VLM_TRY(vlm_arena_format(body->graph->arena, &body->prefix, im->err, "%s%s/", body->caller->prefix, name));
  VLM_TRY(prefix_is_free(im, body, &free));
  for (int32_t n = 2; !free; n++) {
    VLM_TRY(vlm_arena_format(body->graph->arena, &body->prefix, im->err, "%s%s_%d/", body->caller->prefix,
                             name, n));
    VLM_TRY(prefix_is_free(im, body, &free));
  }
out:
  return st;
}

static vlm_status bind_formals(vlm_importer *im, vlm_scope *body) {
  vlm_status st = VLM_OK;
  const Onnx__FunctionProto *f = body->function->proto;
  const Onnx__NodeProto *call = body->call;
  VLM_CHECK(call->n_input <= f->n_input && call->n_output <= f->n_output, im->err, VLM_INPUT,
            "%s: node \"%s\" calls function %s with %zu inputs and %zu outputs, which has %zu and %zu",
            im->source, call->name != NULL ? call->name : "", f->name, call->n_input, call->n_output,
            f->n_input, f->n_output);
  VLM_TRY(vlm_new(&body->formals, f->n_input + f->n_output, im->err));
  for (size_t k = 0; k < f->n_input + f->n_output; k++) body->formals[k] = VLM_NO_VALUE;
  for (size_t k = 0; k < call->n_input + call->n_output; k++) {
    bool input = k < call->n_input;
    const char *name = input ? call->input[k] : call->output[k - call->n_input];
    vlm_value_id *formal = &body->formals[input ? k : f->n_input + k - call->n_input];
    if (name[0] == '\0') continue;
    VLM_TRY(vlm_scope_find(im, body->caller, name, formal));
    VLM_CHECK(
        *formal != VLM_NO_VALUE, im->err, VLM_INPUT,
        "%s: node \"%s\" (%s): \"%s\" is neither an input, nor an initializer, nor the output of a node",
        im->source, call->name != NULL ? call->name : "", f->name, name);
  }
out:
  return st;
}

/* An output that is an input of the function at the same time. */
static vlm_status pass_through(vlm_importer *im, vlm_scope *body) {
  vlm_status st = VLM_OK;
  const Onnx__FunctionProto *f = body->function->proto;
  for (size_t k = 0; k < f->n_output; k++) {
    for (size_t i = 0; i < f->n_input; i++) {
      if (strcmp(f->input[i], f->output[k]) != 0 || body->formals[f->n_input + k] == VLM_NO_VALUE) continue;
      VLM_TRY(vlm_import_identity(im, body, body->formals[i], body->formals[f->n_input + k]));
    }
  }
out:
  return st;
}

vlm_status vlm_import_call(vlm_importer *im, vlm_scope *scope, const vlm_onnx_function *function,
                           Onnx__NodeProto *node) {
  vlm_status st = VLM_OK;
  const Onnx__FunctionProto *f = function->proto;
  vlm_scope body = {.graph = scope->graph,
                    .opsets = f->opset_import,
                    .n_opsets = f->n_opset_import,
                    .nodes = f->node,
                    .n_nodes = f->n_node,
                    .depth = scope->depth + 1,
                    .function = function,
                    .call = node,
                    .caller = scope,
                    .prefix = ""};
  VLM_CHECK(body.depth <= im->opts.max_nesting, im->err, VLM_LIMIT,
            "%s: function %s: calls are nested deeper than %d (does it call itself?)", im->source, f->name,
            im->opts.max_nesting);
  VLM_TRY(vlm_import_check_opsets(im, f->opset_import, f->n_opset_import, f->name));
  VLM_TRY(bind_formals(im, &body));
  VLM_TRY(choose_prefix(im, &body));
  VLM_TRY(vlm_import_declare_nodes(im, &body));
  VLM_TRY(vlm_import_connect_nodes(im, &body));
  VLM_TRY(pass_through(im, &body));
out:
  vlm_free(body.formals);
  return st;
}
