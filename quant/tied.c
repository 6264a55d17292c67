#include "quant/tied.h"

#include <string.h>

#include "quant/weight_store.h"

/* Columns in t, to be stored as rows. */
static bool can_turn(const vlm_node_plan *n) {
  return n->turns && (n->decision == VLM_DECIDE_STATIC || n->decision == VLM_DECIDE_WEIGHT_ONLY);
}

static bool equals(const vlm_tensor *a, const vlm_tensor *b) {
  bool alike = a->dtype == b->dtype && vlm_tensor_same_shape(a, b);
  return alike && (a->data == b->data || !memcmp(a->data, b->data, vlm_tensor_bytes(a)));
}

static bool equals_turned(const vlm_tensor *a, const vlm_tensor *b) {
  if (a->dtype != b->dtype || b->rank != 2 || a->dims[0] != b->dims[1] || a->dims[1] != b->dims[0]) return false;
  size_t size = (size_t)vlm_dtype_bits(a->dtype) / 8, rows = (size_t)a->dims[0], columns = (size_t)a->dims[1];
  const char *x = a->data, *y = b->data;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      if (memcmp(x + (i * columns + j) * size, y + (j * rows + i) * size, size) != 0) return false;
  return true;
}

/* Does `other` store the columns of n's weight as rows? */
static bool has_rows_of(const vlm_node_plan *other, const vlm_node_plan *n) {
  if (other == n || other->decision == VLM_DECIDE_FLOAT || other->constant.rank != 2) return false;
  if (other->slot.axis == 0) return equals_turned(&n->constant, &other->constant);
  return other->decision == VLM_DECIDE_DYNAMIC && equals(&n->constant, &other->constant);
}

void vlm_quant_plan_tie(vlm_quant_plan *plan) {
  for (int32_t i = 0; i < plan->count; i++) {
    vlm_node_plan *n = &plan->nodes[i];
    n->turned = false;
    for (int32_t k = 0; can_turn(n) && !n->turned && k < plan->count; k++) n->turned = has_rows_of(&plan->nodes[k], n);
  }
}
