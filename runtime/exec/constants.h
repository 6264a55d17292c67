/* Private to exec/: what is constant in a graph, and what follows from it whatever the input shapes are: computed once per frame. */
#ifndef VLM_EXEC_CONSTANTS_H
#define VLM_EXEC_CONSTANTS_H

#include "runtime/exec/session.h"

typedef struct vlm_constants vlm_constants;

/* parent: of the enclosing graph, or NULL; it lives longer. */
vlm_status vlm_constants_create(vlm_constants **out, const vlm_context *context, const vlm_graph *graph,
                                const vlm_constants *parent, vlm_error *err);
void vlm_constants_free(vlm_constants *constants);
/* Graph constant, folded value, or either of these in the parent through a capture; NULL when the value is computed per run. */
const vlm_tensor *vlm_constants_get(const vlm_constants *constants, vlm_value_id id);

#endif
