#include <string.h>

#include "onnx/importer.h"
#include "onnx/proto.h"

const char *vlm_onnx_domain(const char *domain) {
  return domain == NULL || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

int32_t vlm_scope_opset(const vlm_scope *scope, const char *domain) {
  for (size_t k = 0; k < scope->n_opsets; k++) {
    if (strcmp(vlm_onnx_domain(scope->opsets[k]->domain), domain) != 0) continue;
    int64_t version = scope->opsets[k]->version;
    return version < 0 || version > INT32_MAX ? INT32_MAX : (int32_t)version;
  }
  return 0;
}

vlm_status vlm_import_check_opsets(vlm_importer *im, Onnx__OperatorSetIdProto **sets, size_t count,
                                   const char *function) {
  vlm_status st = VLM_OK;
  const Onnx__OperatorSetIdProto *first = NULL;
  const char *of = function != NULL ? " of function " : "", *name = function != NULL ? function : "";
  for (size_t k = 0; k < count; k++) {
    const Onnx__OperatorSetIdProto *set = sets[k];
    if (vlm_onnx_domain(set->domain)[0] != '\0') continue;
    VLM_CHECK(set->version >= 1 && set->version < INT32_MAX, im->err, VLM_INPUT,
              "%s: opset%s%s is %lld; opsets are 1 or more", im->source, of, name, (long long)set->version);
    if (first == NULL) first = set;
    VLM_CHECK(set->version == first->version, im->err, VLM_INPUT,
              "%s: opset%s%s is given twice, as %lld and as %lld", im->source, of, name,
              (long long)first->version, (long long)set->version);
  }
out:
  return st;
}

vlm_status vlm_scope_name(vlm_importer *im, const vlm_scope *scope, const char *name, const char **out) {
  if (scope->prefix[0] == '\0') {
    *out = name;
    return VLM_OK;
  }
  return vlm_arena_format(scope->graph->arena, out, im->err, "%s%s", scope->prefix, name);
}

/* Index of a name among the formals of a function (inputs first), or -1. */
static int64_t formal_index(const Onnx__FunctionProto *f, const char *name) {
  for (size_t k = 0; k < f->n_input; k++)
    if (strcmp(f->input[k], name) == 0) return (int64_t)k;
  for (size_t k = 0; k < f->n_output; k++)
    if (strcmp(f->output[k], name) == 0) return (int64_t)(f->n_input + k);
  return -1;
}

static vlm_status find_local(vlm_importer *im, const vlm_scope *scope, const char *name, vlm_value_id *out,
                             bool *formal) {
  vlm_status st = VLM_OK;
  const char *full = name;
  int64_t k = scope->function != NULL ? formal_index(scope->function->proto, name) : -1;
  *formal = k >= 0;
  *out = k >= 0 ? scope->formals[k] : VLM_NO_VALUE;
  /* An input that the call leaves out is absent; an output that it leaves out is an ordinary value of the body. */
  if (*out != VLM_NO_VALUE || (k >= 0 && (size_t)k < scope->function->proto->n_input)) goto out;
  VLM_TRY(vlm_scope_name(im, scope, name, &full));
  *out = vlm_graph_find(scope->graph, full);
out:
  return st;
}

static vlm_status add_capture(vlm_importer *im, vlm_graph *graph, vlm_value_id outer, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const vlm_value *value = &graph->parent->values[outer];
  vlm_value_id known = vlm_graph_find(graph, value->name);
  if (known != VLM_NO_VALUE && graph->values[known].kind == VLM_VALUE_CAPTURE &&
      graph->values[known].parent_value == outer) {
    *out = known;
    goto out;
  }
  VLM_TRY(vlm_graph_add_value(graph, out, known == VLM_NO_VALUE ? value->name : NULL, VLM_VALUE_CAPTURE,
                              im->err));
  value = &graph->parent->values[outer];
  graph->values[*out].parent_value = outer;
  graph->values[*out].tensor = value->tensor;
  graph->values[*out].tensor.data = NULL;
  memcpy(graph->values[*out].dim_names, value->dim_names, sizeof value->dim_names);
out:
  return st;
}

vlm_status vlm_scope_find(vlm_importer *im, vlm_scope *scope, const char *name, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  bool formal = false;
  VLM_TRY(find_local(im, scope, name, out, &formal));
  if (*out != VLM_NO_VALUE || formal || scope->parent == NULL) goto out;
  vlm_value_id outer = VLM_NO_VALUE;
  VLM_TRY(vlm_scope_find(im, scope->parent, name, &outer));
  if (outer != VLM_NO_VALUE) VLM_TRY(add_capture(im, scope->graph, outer, out));
out:
  return st;
}

vlm_status vlm_scope_define(vlm_importer *im, vlm_scope *scope, const char *name, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const char *full = name;
  int64_t k = scope->function != NULL ? formal_index(scope->function->proto, name) : -1;
  if (k >= 0 && scope->formals[k] != VLM_NO_VALUE) {
    *out = scope->formals[k];
    goto out;
  }
  VLM_TRY(vlm_scope_name(im, scope, name, &full));
  VLM_TRY(vlm_graph_add_value(scope->graph, out, full, VLM_VALUE_NODE, im->err));
out:
  return st;
}

static const Onnx__AttributeProto *named(Onnx__AttributeProto **list, size_t count, const char *name) {
  for (size_t k = 0; k < count; k++)
    if (list[k]->name != NULL && strcmp(list[k]->name, name) == 0) return list[k];
  return NULL;
}

vlm_status vlm_scope_attribute(vlm_importer *im, const vlm_scope *scope, const Onnx__AttributeProto *attr,
                               const Onnx__AttributeProto **out) {
  vlm_status st = VLM_OK;
  while (attr != NULL && attr->ref_attr_name != NULL && attr->ref_attr_name[0] != '\0') {
    const char *wanted = attr->ref_attr_name;
    while (scope != NULL && scope->function == NULL) scope = scope->parent;
    VLM_CHECK(scope != NULL, im->err, VLM_INPUT,
              "%s: attribute \"%s\" refers to \"%s\", but is not inside a function", im->source,
              attr->name != NULL ? attr->name : "", wanted);
    attr = named(scope->call->attribute, scope->call->n_attribute, wanted);
    if (attr == NULL) attr = named(scope->function->defaults, scope->function->n_defaults, wanted);
    scope = scope->caller;
  }
  *out = attr;
out:
  return st;
}

static bool lists(char **names, size_t count, const char *name) {
  for (size_t k = 0; k < count; k++)
    if (strcmp(names[k], name) == 0) return true;
  return false;
}

static const char *operator_in(Onnx__NodeProto **nodes, size_t count, const char *value);

/* A body reads values of its surroundings by their names. */
static const char *operator_in_bodies(const Onnx__NodeProto *node, const char *value) {
  const char *op = NULL;
  for (size_t a = 0; a < node->n_attribute && op == NULL; a++)
    if (node->attribute[a]->g != NULL)
      op = operator_in(node->attribute[a]->g->node, node->attribute[a]->g->n_node, value);
  return op;
}

static const char *operator_in(Onnx__NodeProto **nodes, size_t count, const char *value) {
  for (size_t n = 0; n < count; n++) {
    const Onnx__NodeProto *node = nodes[n];
    bool touches = lists(node->input, node->n_input, value) || lists(node->output, node->n_output, value);
    const char *inner = operator_in_bodies(node, value);
    if (touches && node->op_type != NULL) return node->op_type;
    if (inner != NULL) return inner;
  }
  return NULL;
}

const char *vlm_scope_operator_of(const vlm_scope *scope, const char *value) {
  const char *op = operator_in(scope->nodes, scope->n_nodes, value);
  return op != NULL ? op : "?";
}
