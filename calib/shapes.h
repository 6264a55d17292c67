/* The shapes that a graph's inputs had in its largest run: what its operators cost at the user's own sizes. */
#ifndef VLM_CALIB_SHAPES_H
#define VLM_CALIB_SHAPES_H

#include "calib/stats.h"

typedef struct vlm_input_shape {
  const char *graph, *name; /* role, input */
  int32_t rank;
  int64_t dims[VLM_MAX_RANK];
} vlm_input_shape;

typedef struct vlm_shape_list {
  vlm_input_shape *items; /* by graph, then in the graph's order of inputs */
  int32_t count;
} vlm_shape_list;

/* The inputs of one run (all of one graph) take the place of those known when they have more elements, or as many
 * and greater dims: any order of runs gives the same. Names are copied. */
vlm_status vlm_shape_list_see(vlm_shape_list *list, const vlm_input_shape *run, int32_t count,
                              vlm_error *err);
vlm_status vlm_shape_list_merge(vlm_shape_list *list, const vlm_shape_list *other, vlm_error *err);
const vlm_input_shape *vlm_shape_list_find(const vlm_shape_list *list, const char *graph, const char *name);
vlm_status vlm_shape_list_digest(vlm_digest *out, const vlm_shape_list *list, vlm_error *err);
void vlm_shape_list_free(vlm_shape_list *list);

#endif
