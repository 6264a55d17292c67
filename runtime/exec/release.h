/* Letting go of constants: when every reader of a constant has packed it, its original pages go back to the system.
 *
 * One release serves the graphs of one model and the sessions that run them, all of one context. A constant that is gone is marked in its graphs
 * (vlm_value.released): another session cannot be made of such a graph, nor can it be written. */
#ifndef VLM_EXEC_RELEASE_H
#define VLM_EXEC_RELEASE_H

#include "runtime/exec/session.h"
#include "runtime/ops/prepare.h"

typedef struct vlm_release vlm_release;

/* Lists who reads which constant. NULL graphs are skipped, the same graph counts once. */
vlm_status vlm_release_create(vlm_release **out, vlm_graph *const *graphs, int32_t count, vlm_error *err);
/* After the sessions; the constants stay gone. */
void vlm_release_free(vlm_release *release);
size_t vlm_release_bytes(const vlm_release *release); /* gone so far */

/* Input k of a node is not read again, because `weight` has it (held from now on; NULL = because it was folded). */
vlm_status vlm_release_note(vlm_release *release, const vlm_node *node, int k, struct vlm_weight *weight,
                            vlm_error *err);
/* The same as functions for the steps; NULL for NULL. */
const vlm_weight_owner *vlm_release_owner(vlm_release *release);
/* VLM_INPUT when a constant of the graph is gone. */
vlm_status vlm_release_check(const vlm_graph *graph, vlm_error *err);

#endif
