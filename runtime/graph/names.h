/* Private to runtime/graph: the name -> id index of one graph and the growing of its arrays. */
#ifndef VLM_GRAPH_NAMES_H
#define VLM_GRAPH_NAMES_H

#include "runtime/graph/graph.h"

/* Enters value `id` (its name is already in graph->values). The caller has checked that the name is new. */
vlm_status vlm_names_add(vlm_graph *graph, vlm_value_id id, vlm_error *err);
/* Forgets everything and enters every value again: after ids have changed. */
vlm_status vlm_names_rebuild(vlm_graph *graph, vlm_error *err);

/* Makes room for one more element of *data in the arena; `count` are in use. The old block stays in the arena. */
#define vlm_graph_reserve(graph, data, cap, count, err)                                          \
  __extension__({                                                                                \
    __typeof__(data) vlm_out_ = (data);                                                          \
    void *vlm_block_ = *vlm_out_;                                                                \
    const vlm_status vlm_got_ =                                                                  \
        vlm_graph_reserve_bytes((graph), &vlm_block_, (cap), (count), sizeof **vlm_out_, (err)); \
    *vlm_out_ = vlm_block_;                                                                      \
    vlm_got_;                                                                                    \
  })
vlm_status vlm_graph_reserve_bytes(vlm_graph *graph, void **data, int32_t *cap, int32_t count, size_t size,
                                   vlm_error *err);

#endif
