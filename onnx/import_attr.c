#include <string.h>

#include "onnx/importer.h"

typedef Onnx__AttributeProto attr_proto;
#define ATTR(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

/* Files of the first IR versions have no type field: what is filled in tells. */
static int type_of(const attr_proto *a) {
  if (a->has_type && a->type != ATTR(UNDEFINED)) return (int)a->type;
  if (a->has_f) return ATTR(FLOAT);
  if (a->has_i) return ATTR(INT);
  if (a->has_s) return ATTR(STRING);
  if (a->t != NULL) return ATTR(TENSOR);
  if (a->g != NULL) return ATTR(GRAPH);
  if (a->n_floats > 0) return ATTR(FLOATS);
  if (a->n_ints > 0) return ATTR(INTS);
  if (a->n_strings > 0) return ATTR(STRINGS);
  return ATTR(UNDEFINED);
}

static vlm_status copy_list(vlm_importer *im, vlm_graph *graph, const void *data, size_t count, size_t size,
                            vlm_attr *out, void **list) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  VLM_CHECK(count <= INT32_MAX, im->err, VLM_LIMIT, "%s: attribute \"%s\" has %zu entries", im->source,
            out->name, count);
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, count + 1, size, im->err));
  if (count > 0) memcpy(memory, data, count * size);
  out->count = (int32_t)count;
  *list = memory;
out:
  return st;
}

static vlm_status copy_string(vlm_importer *im, vlm_graph *graph, const ProtobufCBinaryData *bytes,
                              const char **out) {
  return vlm_arena_format(graph->arena, out, im->err, "%.*s",
                          (int)(bytes->len < INT32_MAX ? bytes->len : INT32_MAX),
                          bytes->data != NULL ? (const char *)bytes->data : "");
}

static vlm_status copy_strings(vlm_importer *im, vlm_graph *graph, const attr_proto *a, vlm_attr *out) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  VLM_CHECK(a->n_strings <= INT32_MAX, im->err, VLM_LIMIT, "%s: attribute \"%s\" has %zu entries", im->source,
            out->name, a->n_strings);
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, a->n_strings + 1, sizeof(char *), im->err));
  const char **list = memory;
  for (size_t k = 0; k < a->n_strings; k++) VLM_TRY(copy_string(im, graph, &a->strings[k], &list[k]));
  out->count = (int32_t)a->n_strings;
  out->u.strings = list;
out:
  return st;
}

static vlm_status import_tensor_attr(vlm_importer *im, const vlm_scope *scope, const attr_proto *a,
                                     const char *op, vlm_attr *out) {
  vlm_status st = VLM_OK;
  vlm_tensor tensor;
  void *memory = NULL;
  VLM_CHECK(a->t != NULL || a->sparse_tensor != NULL, im->err, VLM_INPUT,
            "%s: attribute \"%s\" of operator %s is an empty tensor", im->source, out->name, op);
  if (a->t != NULL) VLM_TRY(vlm_import_tensor(im, scope, a->t, out->name, &tensor));
  else VLM_TRY(vlm_import_sparse(im, scope, a->sparse_tensor, out->name, &tensor));
  VLM_TRY(vlm_arena_alloc(im->root->arena, &memory, 1, sizeof tensor, im->err));
  *(vlm_tensor *)memory = tensor;
  out->u.t = memory;
out:
  return st;
}

static vlm_status import_graph_attr(vlm_importer *im, vlm_scope *scope, const attr_proto *written,
                                    const attr_proto *a, vlm_attr *out) {
  vlm_status st = VLM_OK;
  VLM_CHECK(a->g != NULL, im->err, VLM_INPUT, "%s: attribute \"%s\" is an empty graph", im->source,
            out->name);
  VLM_CHECK(written == a, im->err, VLM_UNSUPPORTED,
            "%s: attribute \"%s\" is a graph handed to a function, which is not supported", im->source,
            out->name);
  VLM_TRY(vlm_import_subgraph(im, scope, a->g, &out->u.g));
out:
  return st;
}

static const vlm_attr_kind kinds[] = {
    [ATTR(FLOAT)] = VLM_ATTR_FLOAT,
    [ATTR(INT)] = VLM_ATTR_INT,
    [ATTR(STRING)] = VLM_ATTR_STRING,
    [ATTR(TENSOR)] = VLM_ATTR_TENSOR,
    [ATTR(GRAPH)] = VLM_ATTR_GRAPH,
    [ATTR(FLOATS)] = VLM_ATTR_FLOATS,
    [ATTR(INTS)] = VLM_ATTR_INTS,
    [ATTR(STRINGS)] = VLM_ATTR_STRINGS,
    [ATTR(SPARSE_TENSOR)] = VLM_ATTR_TENSOR,
};

/* `written` is the attribute of the node, `a` what it refers to (the same outside functions). */
static vlm_status import_attr(vlm_importer *im, vlm_scope *scope, const attr_proto *written,
                              const attr_proto *a, const char *op, vlm_attr *out) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = scope->graph;
  void *list = NULL;
  int type = type_of(a);
  VLM_TRY(vlm_arena_strdup(graph->arena, &out->name, written->name != NULL ? written->name : "", im->err));
  out->kind = type >= 0 && (size_t)type < sizeof kinds / sizeof kinds[0] ? kinds[type] : VLM_ATTR_NONE;
  VLM_CHECK(out->kind != VLM_ATTR_NONE || type == ATTR(UNDEFINED), im->err, VLM_UNSUPPORTED,
            "%s: attribute \"%s\" of operator %s has type %d, which is not supported", im->source, out->name,
            op, type);
  switch (out->kind) {
    case VLM_ATTR_NONE: break;
    case VLM_ATTR_INT: out->u.i = a->i; break;
    case VLM_ATTR_FLOAT: out->u.f = a->f; break;
    case VLM_ATTR_STRING: st = copy_string(im, graph, &a->s, &out->u.s); break;
    case VLM_ATTR_TENSOR: st = import_tensor_attr(im, scope, a, op, out); break;
    case VLM_ATTR_GRAPH: st = import_graph_attr(im, scope, written, a, out); break;
    case VLM_ATTR_INTS:
      st = copy_list(im, graph, a->ints, a->n_ints, sizeof(int64_t), out, &list);
      out->u.ints = list;
      break;
    case VLM_ATTR_FLOATS:
      st = copy_list(im, graph, a->floats, a->n_floats, sizeof(float), out, &list);
      out->u.floats = list;
      break;
    case VLM_ATTR_STRINGS: st = copy_strings(im, graph, a, out); break;
  }
out:
  return st;
}

vlm_status vlm_import_attrs(vlm_importer *im, vlm_scope *scope, int32_t node, Onnx__NodeProto *proto) {
  vlm_status st = VLM_OK;
  for (size_t k = 0; k < proto->n_attribute; k++) {
    const attr_proto *a = NULL;
    vlm_attr *out = &scope->graph->nodes[node].attrs[k];
    VLM_TRY(vlm_scope_attribute(im, scope, proto->attribute[k], &a));
    if (a != NULL) VLM_TRY(import_attr(im, scope, proto->attribute[k], a, proto->op_type, out));
    else out->name = "";
  }
out:
  return st;
}

/* ---- Constant nodes ---- */

static vlm_status constant_list(vlm_importer *im, vlm_dtype dtype, const void *data, size_t count,
                                bool scalar, vlm_tensor *out) {
  vlm_status st = VLM_OK;
  size_t width = (size_t)vlm_dtype_bits(dtype) / 8;
  *out = vlm_tensor_make(dtype, scalar ? 0 : 1, (int64_t[]){(int64_t)count}, NULL);
  VLM_TRY(vlm_arena_alloc(im->root->arena, &out->data, count + 1, width, im->err));
  if (count > 0) memcpy(out->data, data, count * width);
out:
  return st;
}

static vlm_status constant_of(vlm_importer *im, const vlm_scope *scope, const char *label, const char *name,
                              const attr_proto *a, vlm_tensor *out) {
  if (strcmp(name, "value") == 0 && a->t != NULL) return vlm_import_tensor(im, scope, a->t, label, out);
  if (strcmp(name, "sparse_value") == 0 && a->sparse_tensor != NULL)
    return vlm_import_sparse(im, scope, a->sparse_tensor, label, out);
  if (strcmp(name, "value_float") == 0) return constant_list(im, VLM_F32, &a->f, 1, true, out);
  if (strcmp(name, "value_int") == 0) return constant_list(im, VLM_S64, &a->i, 1, true, out);
  if (strcmp(name, "value_floats") == 0)
    return constant_list(im, VLM_F32, a->floats, a->n_floats, false, out);
  if (strcmp(name, "value_ints") == 0) return constant_list(im, VLM_S64, a->ints, a->n_ints, false, out);
  return vlm_fail(im->err, VLM_UNSUPPORTED,
                  "%s: tensor \"%s\": operator Constant with attribute \"%s\" is not supported", im->source,
                  label, name);
}

vlm_status vlm_import_constant(vlm_importer *im, vlm_scope *scope, Onnx__NodeProto *proto, vlm_tensor *out) {
  vlm_status st = VLM_OK;
  const char *label = proto->n_output > 0 ? proto->output[0] : "";
  for (size_t k = 0; k < proto->n_attribute; k++) {
    const attr_proto *a = NULL;
    VLM_TRY(vlm_scope_attribute(im, scope, proto->attribute[k], &a));
    if (a == NULL || proto->attribute[k]->name == NULL) continue;
    VLM_TRY(constant_of(im, scope, label, proto->attribute[k]->name, a, out));
    goto out;
  }
  st = vlm_fail(im->err, VLM_INPUT, "%s: node \"%s\" (Constant): has no value", im->source,
                proto->name != NULL ? proto->name : label);
out:
  return st;
}
