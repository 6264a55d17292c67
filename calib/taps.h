/* Which values of a bundle are looked at, and where their statistics go. */
#ifndef VLM_CALIB_TAPS_H
#define VLM_CALIB_TAPS_H

#include "calib/stats.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_taps vlm_taps;

typedef struct vlm_tap_place {
  bool wanted, multiplied; /* with a constant weight */
  bool by_row;             /* by a node that can have ranges per row */
  int role;                /* of the root graph */
  /* of the graph that makes the value: key of its statistics (runtime/graph/bodies.h) */
  const char *path;
  vlm_tensor_stats *entry; /* the caller's; NULL at first */
} vlm_tap_place;

/* Wanted are the values that some node multiplies with a constant weight, and what convolutions make of them (other runtimes need its range);
 * everything: all but caches, which
 * are buffers of another layout than their shape says. The bundle must stay as it is. Free with
 * vlm_taps_free. */
vlm_status vlm_taps_make(vlm_taps **out, const vlm_bundle *bundle, bool everything, vlm_error *err);
void vlm_taps_free(vlm_taps *taps);

bool vlm_taps_wants(const vlm_taps *taps, const vlm_graph *graph, vlm_value_id value);
/* NULL for a graph that is not of the bundle. */
vlm_tap_place *vlm_taps_find(const vlm_taps *taps, const vlm_graph *graph, vlm_value_id value);

#endif
