/* Private to lower/: operands that an operator reads in place of the nodes which arrange them (ops/view.h). */
#ifndef VLM_LOWER_VIEWS_H
#define VLM_LOWER_VIEWS_H

#include "runtime/ops/view.h"

typedef struct vlm_seen {
  vlm_value_id source;
  int32_t rank;               /* of the operand */
  int64_t axes[VLM_MAX_RANK]; /* of the source, per dim of the operand */
  int64_t axis, part, parts;  /* as in ops/view.h */
} vlm_seen;

/* Where the elements of `id` come from; false when its number of dims is not known. */
bool vlm_see_through(const vlm_graph *graph, vlm_value_id id, vlm_seen *out);
/* As an attribute of that name, in the graph's arena. */
vlm_status vlm_seen_attr(vlm_graph *graph, const char *name, const vlm_seen *seen, vlm_attr *out,
                         vlm_error *err);

#endif
