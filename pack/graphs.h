/* Graphs to bytes and back (docs/format.md section 2.4). */
#ifndef VLM_PACK_GRAPHS_H
#define VLM_PACK_GRAPHS_H

#include "pack/tensors.h"
#include "runtime/graph/graph.h"

#define VLM_PACK_MAX_ROLES 8

/* A section GRPH: the roles, the graph; its constants are added to the pool. */
vlm_status vlm_graph_encode(vlm_encoder *e, const char *const *roles, int32_t n_roles, const vlm_graph *graph,
                            vlm_tensor_pool *pool);

/* The roles at the start of a section, in the arena. */
vlm_status vlm_graph_decode_roles(vlm_byte_reader *d, vlm_arena *arena, const char **roles, int32_t *n_roles);
/* The rest: a graph that is not resolved yet; constants point to the table's tensors. */
vlm_status vlm_graph_decode(vlm_graph **out, vlm_byte_reader *d, const vlm_tensor_table *tensors,
                            const char *source);

#endif
