/* The constants of a model's graphs, and why those that stay float do. */
#ifndef VLM_QUANT_CONSTANTS_H
#define VLM_QUANT_CONSTANTS_H

#include "quant/plan.h"
#include "runtime/base/hash.h"

typedef struct vlm_constant {
  vlm_tensor tensor;
  vlm_digest digest;
  const char *role, *path, *name; /* root graph; graph that holds it; value */
  const char *float_reason;       /* NULL: every consumer reads it in 8 bits */
} vlm_constant;

typedef struct vlm_constant_list {
  vlm_constant *items;
  int32_t count, capacity;
} vlm_constant_list;

/* Those of two or more elements. Names and reasons live in the arena, the graph and the plan. */
vlm_status vlm_constant_list_add(vlm_constant_list *list, const vlm_quant_graph *graph,
                                 const vlm_quant_plan *plan, vlm_arena *arena, vlm_error *err);
/* Equal content together, then by graph in the order added. */
vlm_status vlm_constant_list_sort(vlm_constant_list *list, vlm_error *err);
bool vlm_constant_equals(const vlm_constant *a, const vlm_constant *b);
void vlm_constant_list_free(vlm_constant_list *list);

#endif
