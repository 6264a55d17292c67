#include <string.h>

#include "onnx/fold.h"
#include "runtime/base/hash.h"
#include "runtime/base/unconst.h"

/* Below this size a copy per body is cheaper than a capture; operands up to it are told by their bytes. */
enum { SHARED_BYTES = 4096 };

static const vlm_graph *owner_of(const vlm_graph *graph, vlm_value_id *id) {
  while (graph->values[*id].kind == VLM_VALUE_CAPTURE) {
    *id = graph->values[*id].parent_value;
    graph = graph->parent;
  }
  return graph;
}

/* The one enclosing graph that all large operands belong to; NULL when there is none, or several. */
static const vlm_graph *common_owner(const vlm_graph *graph, const vlm_node *node,
                                     const vlm_tensor *const *in, vlm_value_id *largest) {
  const vlm_graph *common = NULL;
  size_t most = 0;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (in[k] == NULL || vlm_tensor_bytes(in[k]) < SHARED_BYTES) continue;
    vlm_value_id id = node->inputs[k];
    const vlm_graph *owner = owner_of(graph, &id);
    if (owner == graph || (common != NULL && owner != common)) return NULL;
    common = owner;
    if (vlm_tensor_bytes(in[k]) > most) *largest = id;
    if (vlm_tensor_bytes(in[k]) > most) most = vlm_tensor_bytes(in[k]);
  }
  return common;
}

static void add_attribute(vlm_hasher *hasher, const vlm_attr *attr) {
  vlm_hasher_add_text(hasher, attr->name);
  vlm_hasher_add(hasher, &attr->kind, sizeof attr->kind);
  switch (attr->kind) {
    case VLM_ATTR_INT: vlm_hasher_add(hasher, &attr->u.i, sizeof attr->u.i); break;
    case VLM_ATTR_FLOAT: vlm_hasher_add(hasher, &attr->u.f, sizeof attr->u.f); break;
    case VLM_ATTR_STRING: vlm_hasher_add_text(hasher, attr->u.s); break;
    case VLM_ATTR_TENSOR: vlm_hasher_add(hasher, attr->u.t->data, vlm_tensor_bytes(attr->u.t)); break;
    case VLM_ATTR_INTS:
      vlm_hasher_add(hasher, attr->u.ints, (size_t)attr->count * sizeof *attr->u.ints);
      break;
    case VLM_ATTR_FLOATS:
      vlm_hasher_add(hasher, attr->u.floats, (size_t)attr->count * sizeof *attr->u.floats);
      break;
    case VLM_ATTR_STRINGS:
      for (int32_t k = 0; k < attr->count; k++) vlm_hasher_add_text(hasher, attr->u.strings[k]);
      break;
    default: break;
  }
}

static void add_operand(vlm_hasher *hasher, const vlm_graph *graph, vlm_value_id id,
                        const vlm_tensor *tensor) {
  size_t bytes = tensor != NULL ? vlm_tensor_bytes(tensor) : 0;
  vlm_hasher_add(hasher, &bytes, sizeof bytes);
  if (tensor == NULL) return;
  vlm_hasher_add(hasher, &tensor->dtype, sizeof tensor->dtype);
  vlm_hasher_add(hasher, tensor->dims, (size_t)tensor->rank * sizeof *tensor->dims);
  if (bytes < SHARED_BYTES) vlm_hasher_add(hasher, tensor->data, bytes);
  else vlm_hasher_add_text(hasher, owner_of(graph, &id)->values[id].name);
}

static vlm_status signature(const vlm_graph *graph, const vlm_node *node, const vlm_tensor *const *in,
                            uint64_t *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_hasher *hasher = NULL;
  VLM_TRY(vlm_hasher_create(&hasher, err));
  vlm_hasher_add_text(hasher, node->domain);
  vlm_hasher_add_text(hasher, node->op_type);
  vlm_hasher_add(hasher, &node->opset, sizeof node->opset);
  for (int32_t a = 0; a < node->n_attrs; a++) add_attribute(hasher, &node->attrs[a]);
  for (int32_t k = 0; k < node->n_inputs; k++) add_operand(hasher, graph, node->inputs[k], in[k]);
  *out = vlm_hasher_digest(hasher).low;
out:
  vlm_hasher_free(hasher);
  return st;
}

vlm_status vlm_fold_outer_name(vlm_graph *graph, const vlm_node *node, const vlm_tensor *const *in,
                               vlm_graph **owner, const char **name, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id largest = VLM_NO_VALUE;
  uint64_t hash = 0;
  *name = NULL;
  *owner = vlm_unconst(common_owner(graph, node, in, &largest));
  if (*owner == NULL || node->n_outputs != 1) return VLM_OK;
  VLM_TRY(signature(graph, node, in, &hash, err));
  VLM_TRY(vlm_arena_format(graph->arena, name, err, "%s.%s_%016llx", (*owner)->values[largest].name,
                           node->op_type, (unsigned long long)hash));
out:
  return st;
}
