/* What is known of the values of a graph before it runs. */
#ifndef VLM_EXPORT_MARKS_H
#define VLM_EXPORT_MARKS_H

#include "runtime/graph/graph.h"

typedef struct vlm_marks { /* per value */
  bool *open;              /* its shape depends on dims that nobody fixed */
  bool *known;             /* constant, or computed from constants and fixed shapes alone: runtimes fold it */
  bool *stopped;           /* behind a NonMaxSuppression */
} vlm_marks;

/* fixed: as if all open dims of inputs had sizes. The graph is resolved. Free with vlm_marks_free in any case. */
vlm_status vlm_marks_make(vlm_marks *out, const vlm_graph *graph, bool fixed, vlm_error *err);
void vlm_marks_free(vlm_marks *marks);
/* Whether a marked value is among the node's inputs. */
bool vlm_marks_any(const vlm_node *node, const bool *marked);
/* Whether all that the node makes is known. */
bool vlm_marks_folds(const vlm_marks *marks, const vlm_node *node);

#endif
