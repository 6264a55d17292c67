#include "onnx/importer.h"
#include "onnx/tensor_proto.h"

static const char *foreign_kind(const Onnx__TypeProto *type) {
  switch ((int)type->value_case) {
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE: return "a sequence";
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE: return "a map";
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE: return "an optional";
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE: return "a sparse tensor";
    default: return "of an unknown kind";
  }
}

static vlm_status import_dim(vlm_importer *im, vlm_graph *graph, vlm_value_id id, int k,
                             const Onnx__TensorShapeProto__Dimension *dim) {
  vlm_status st = VLM_OK;
  vlm_value *value = &graph->values[id];
  value->tensor.dims[k] = -1;
  if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
    VLM_CHECK(
        dim->dim_value >= -1, im->err, VLM_INPUT,
        "%s: \"%s\": dimension %d is %lld; dimensions are 0 or more, or -1 or a name when they are not known",
        im->source, value->name, k, (long long)dim->dim_value);
    value->tensor.dims[k] = dim->dim_value;
  } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
             dim->dim_param != NULL && dim->dim_param[0] != '\0') {
    VLM_TRY(vlm_arena_strdup(graph->arena, &value->dim_names[k], dim->dim_param, im->err));
  }
out:
  return st;
}

static vlm_status import_shape(vlm_importer *im, vlm_graph *graph, vlm_value_id id,
                               const Onnx__TensorShapeProto *shape, bool strict) {
  vlm_status st = VLM_OK;
  if (shape == NULL || (!strict && shape->n_dim > VLM_MAX_RANK)) return VLM_OK;
  VLM_CHECK(shape->n_dim <= VLM_MAX_RANK, im->err, VLM_UNSUPPORTED,
            "%s: \"%s\" has %zu dimensions, at most %d are supported", im->source, graph->values[id].name,
            shape->n_dim, VLM_MAX_RANK);
  graph->values[id].tensor.rank = (int)shape->n_dim;
  for (size_t k = 0; k < shape->n_dim; k++) VLM_TRY(import_dim(im, graph, id, (int)k, shape->dim[k]));
out:
  return st;
}

/* A type that we do not have does no harm where no operator touches the value. */
static vlm_status refuse(vlm_importer *im, const vlm_scope *scope, const vlm_value *value, const char *what,
                         int32_t element, const Onnx__ValueInfoProto *info) {
  const char *op = vlm_scope_operator_of(scope, info->name);
  if (op[0] == '?') return VLM_OK;
  if (what != NULL) {
    return vlm_fail(im->err, VLM_UNSUPPORTED,
                    "%s: \"%s\" is %s, not a tensor, which is not supported (operator %s uses it)",
                    im->source, value->name, what, op);
  }
  return vlm_fail(im->err, VLM_UNSUPPORTED,
                  "%s: \"%s\" has element type %s (%d), which is not supported (operator %s uses it)",
                  im->source, value->name, vlm_onnx_type_name(element), element, op);
}

vlm_status vlm_import_type(vlm_importer *im, vlm_scope *scope, vlm_value_id id,
                           const Onnx__ValueInfoProto *info, bool strict) {
  vlm_status st = VLM_OK;
  const Onnx__TypeProto *type = info->type;
  vlm_value *value = &scope->graph->values[id];
  if (type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET) return VLM_OK;
  /* What a branch returns is for the pass "sequences" to judge. */
  if (type->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE && value->kind == VLM_VALUE_NODE &&
      scope->parent != NULL)
    return VLM_OK;
  if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return strict ? refuse(im, scope, value, foreign_kind(type), 0, info) : VLM_OK;
  int32_t element = type->tensor_type->elem_type;
  value->tensor.dtype = vlm_dtype_from_onnx(element);
  if (strict && value->tensor.dtype == VLM_NONE && element != 0)
    VLM_TRY(refuse(im, scope, value, NULL, element, info));
  VLM_TRY(import_shape(im, scope->graph, id, type->tensor_type->shape, strict));
out:
  return st;
}
