/* What a provider wants of an operator (limits.def), and whether one has it. */
#ifndef VLM_EXPORT_LIMITS_H
#define VLM_EXPORT_LIMITS_H

#include "export/units.h"

typedef enum vlm_limit_id {
#define X(name, ...) VLM_LIMIT_##name,
#include "export/limits.def"
#undef X
  VLM_LIMIT_COUNT
} vlm_limit_id;

enum {
  VLM_LIMITS_NONE = 0
#define X(name, ...) , VLM_LIMITS_##name = 1 << VLM_LIMIT_##name
#include "export/limits.def"
#undef X
};

typedef struct vlm_limited {
  const vlm_graph *graph;
  const vlm_node *node;
  const vlm_unit *unit;
  const vlm_tensor *shapes; /* per value: rank -1 = not known, which no limit of dims refuses */
  const bool *known;        /* per value: constant once the graph is loaded (marks.h) */
} vlm_limited;

/* Why the node does not meet these limits: of the first that it does not; NULL = it does. */
const char *vlm_limits_refuse(const vlm_limited *node, int32_t limits);
/* The limit in words: "constant weights". */
const char *vlm_limit_text(vlm_limit_id id);

#endif
