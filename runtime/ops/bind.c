#include "runtime/ops/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ops/attr_bounds.h"
#include "runtime/ops/traits.h"

/* One attribute of a row: "name:type!" or "name:type=default". */
typedef struct attr_spec {
  const char *name, *value; /* value NULL = no default */
  size_t name_size, value_size;
  vlm_attr_kind kind;
  bool required;
} attr_spec;

static const struct {
  const char *text;
  vlm_attr_kind kind;
} type_codes[] = {
    {"is", VLM_ATTR_INTS}, {"fs", VLM_ATTR_FLOATS}, {"ss", VLM_ATTR_STRINGS}, {"i", VLM_ATTR_INT},
    {"f", VLM_ATTR_FLOAT}, {"s", VLM_ATTR_STRING},  {"t", VLM_ATTR_TENSOR},   {"g", VLM_ATTR_GRAPH},
};

static const char *kind_name(vlm_attr_kind kind) {
  static const char *const names[] = {"nothing", "int",  "float",  "string", "tensor",
                                      "graph",   "ints", "floats", "strings"};
  return names[kind];
}

/* Reads the next attribute of `*at` and moves on; false at the end. A malformed row gives kind NONE. */
static bool next_spec(const char **at, attr_spec *spec) {
  const char *p = *at;
  while (*p == ' ') p++;
  if (*p == '\0') return false;
  size_t size = strcspn(p, " ");
  *at = p + size;
  *spec = (attr_spec){.name = p, .name_size = size};
  const char *colon = memchr(p, ':', size);
  if (colon == NULL) return true;
  spec->name_size = (size_t)(colon - p);
  const char *type = colon + 1, *end = p + size;
  for (size_t k = 0; k < sizeof type_codes / sizeof type_codes[0]; k++) {
    size_t length = strlen(type_codes[k].text);
    if ((size_t)(end - type) < length || strncmp(type, type_codes[k].text, length) != 0) continue;
    const char *rest = type + length;
    if (rest < end && *rest != '!' && *rest != '=') continue;
    spec->kind = type_codes[k].kind;
    spec->required = rest < end && *rest == '!';
    if (rest < end && *rest == '=') {
      spec->value = rest + 1;
      spec->value_size = (size_t)(end - rest - 1);
    }
    return true;
  }
  return true;
}

static vlm_status parse_default_ints(vlm_graph *graph, vlm_attr *attr, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  size_t most = strlen(text) + 1;
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, most, sizeof(int64_t), err));
  int64_t *ints = memory;
  while (*text != '\0') {
    char *end = NULL;
    ints[attr->count++] = strtoll(text, &end, 10);
    text = *end == ',' ? end + 1 : end;
    if (end == text) break;
  }
  attr->u.ints = ints;
out:
  return st;
}

static vlm_status parse_default(vlm_graph *graph, vlm_attr *attr, const attr_spec *spec, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text = NULL;
  VLM_TRY(vlm_arena_format(graph->arena, &text, err, "%.*s", (int)spec->value_size, spec->value));
  attr->kind = spec->kind;
  switch (spec->kind) {
    case VLM_ATTR_INT: attr->u.i = strtoll(text, NULL, 0); break;
    case VLM_ATTR_FLOAT: attr->u.f = strtof(text, NULL); break;
    case VLM_ATTR_STRING: attr->u.s = text; break;
    case VLM_ATTR_INTS: st = parse_default_ints(graph, attr, text, err); break;
    default:
      st = vlm_fail(err, VLM_INTERNAL, "the operator table has a default of type %s", kind_name(spec->kind));
  }
out:
  return st;
}

static int32_t count_specs(const char *attrs) {
  int32_t count = 0;
  attr_spec spec;
  for (const char *at = attrs; next_spec(&at, &spec);) count++;
  return count;
}

/* args and the defaults they may point to are one block that is made once per operator row of a node. */
static vlm_status make_args(vlm_graph *graph, vlm_node *node, int32_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *pointers = NULL, *defaults = NULL;
  VLM_TRY(vlm_arena_alloc(graph->arena, &defaults, (size_t)count + 1, sizeof(vlm_attr), err));
  VLM_TRY(vlm_arena_alloc(graph->arena, &pointers, (size_t)count * 2 + 1, sizeof(vlm_attr *), err));
  const vlm_attr **args = pointers;
  const char *at = node->op->attrs != NULL ? node->op->attrs : "";
  attr_spec spec;
  for (int32_t k = 0; next_spec(&at, &spec); k++) {
    vlm_attr *attr = (vlm_attr *)defaults + k;
    VLM_CHECK(spec.kind != VLM_ATTR_NONE, err, VLM_INTERNAL,
              "the operator table has a malformed attribute \"%.*s\"", (int)spec.name_size, spec.name);
    VLM_TRY(vlm_arena_format(graph->arena, &attr->name, err, "%.*s", (int)spec.name_size, spec.name));
    if (spec.value != NULL) VLM_TRY(parse_default(graph, attr, &spec, err));
    args[k] = args[count + k] = attr;
  }
  node->args = args;
out:
  return st;
}

static vlm_status bind_one_arg(vlm_node *node, const attr_spec *spec, int32_t k, int32_t count,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_attr *fallback = node->args[count + k];
  const vlm_attr *given = vlm_node_attr(node, fallback->name);
  if (given != NULL && given->kind == VLM_ATTR_NONE) given = NULL;
  VLM_CHECK(given != NULL || !spec->required, err, VLM_INPUT, "attribute \"%s\" is missing", fallback->name);
  VLM_CHECK(given == NULL || given->kind == spec->kind, err, VLM_INPUT,
            "attribute \"%s\" is of type %s, expected %s", fallback->name, kind_name(given->kind),
            kind_name(spec->kind));
  node->args[k] = given != NULL ? given : fallback;
  VLM_TRY(vlm_attr_check_bounds(node->args[k], err));
out:
  return st;
}

static vlm_status refuse_unknown_attrs(const vlm_node *node, int32_t count, vlm_error *err) {
  for (int32_t a = 0; a < node->n_attrs; a++) {
    bool known = node->attrs[a].kind == VLM_ATTR_NONE;
    for (int32_t k = 0; k < count && !known; k++)
      known = strcmp(node->args[k]->name, node->attrs[a].name) == 0;
    if (!known)
      return vlm_fail(err, VLM_UNSUPPORTED, "attribute \"%s\" of operator %s is not supported",
                      node->attrs[a].name, node->op_type);
  }
  return VLM_OK;
}

static vlm_status bind_args(vlm_graph *graph, vlm_node *node, bool keep_block, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *at = node->op->attrs != NULL ? node->op->attrs : "";
  int32_t count = count_specs(at);
  if (!keep_block) VLM_TRY(make_args(graph, node, count, err));
  attr_spec spec;
  for (int32_t k = 0; next_spec(&at, &spec); k++) VLM_TRY(bind_one_arg(node, &spec, k, count, err));
  VLM_TRY(refuse_unknown_attrs(node, count, err));
out:
  return st;
}

static vlm_status check_count(const char *what, int32_t got, int32_t min, int32_t max, vlm_error *err) {
  if (got >= min && (max < 0 || got <= max)) return VLM_OK;
  if (max < 0) return vlm_fail(err, VLM_INPUT, "got %d %s, expected at least %d", got, what, min);
  if (min == max) return vlm_fail(err, VLM_INPUT, "got %d %s, expected %d", got, what, min);
  return vlm_fail(err, VLM_INPUT, "got %d %s, expected %d to %d", got, what, min, max);
}

static int32_t count_given(const vlm_value_id *ids, int32_t count) {
  while (count > 0 && ids[count - 1] == VLM_NO_VALUE) count--;
  return count;
}

static vlm_status check_arity(const vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_op *op = node->op;
  VLM_TRY(check_count("inputs", count_given(node->inputs, node->n_inputs), op->min_in, op->max_in, err));
  for (int32_t k = 0; k < op->min_in; k++) {
    VLM_CHECK(node->inputs[k] != VLM_NO_VALUE, err, VLM_INPUT, "input %d is left out, but it is not optional",
              k);
  }
  VLM_TRY(check_count("outputs", node->n_outputs, op->min_out, op->max_out, err));
out:
  return st;
}

/* Outputs that the operator always computes exist even when nobody reads them: run functions write them without asking. */
static vlm_status complete_outputs(vlm_graph *graph, vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t index = (int32_t)(node - graph->nodes);
  for (int32_t k = 0; k < node->op->min_out; k++) {
    vlm_value_id id;
    if (node->outputs[k] != VLM_NO_VALUE) continue;
    VLM_TRY(vlm_graph_add_value(graph, &id, NULL, VLM_VALUE_NODE, err));
    vlm_node_set_output(graph, index, k, id);
  }
out:
  return st;
}

/* Domains of which a model says nothing that holds elsewhere. */
static const char *advice(const char *domain) {
  bool layout = strcmp(domain, "com.microsoft.nchwc") == 0 || strcmp(domain, "com.ms.internal.nhwc") == 0;
  return layout ? ": ONNX Runtime's layout for the one machine it was made on; let it optimize at level "
                  "ORT_ENABLE_EXTENDED or below"
                : "";
}

static vlm_status find_row(const vlm_node *node, const vlm_op **op, vlm_error *err) {
  bool known = false;
  *op = vlm_op_find(node->domain, node->op_type, node->opset, &known);
  if (*op != NULL) return VLM_OK;
  const char *dot = node->domain[0] != '\0' ? "." : "";
  if (known) {
    return vlm_fail(err, VLM_UNSUPPORTED, "operator %s%s%s is not supported at opset %d", node->domain, dot,
                    node->op_type, node->opset);
  }
  return vlm_fail(err, VLM_UNSUPPORTED, "operator %s%s%s is not supported%s", node->domain, dot,
                  node->op_type, advice(node->domain));
}

vlm_status vlm_node_bind(vlm_graph *graph, vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_op *op = NULL;
  VLM_TRY(find_row(node, &op, err));
  bool keep_block = op == node->op && node->args != NULL;
  node->op = op;
  node->traits = vlm_traits_find(node->domain, node->op_type);
  VLM_TRY(check_arity(node, err));
  VLM_TRY(complete_outputs(graph, node, err));
  VLM_TRY(bind_args(graph, node, keep_block, err));
out:
  return vlm_node_blame(graph, node, st, err);
}
