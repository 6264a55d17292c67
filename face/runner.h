/* Private to the face: what a runner is made of. */
#ifndef VLM_FACE_RUNNER_H
#define VLM_FACE_RUNNER_H

#include <stdatomic.h>
#include <vlmq/generate.h>
#include <vlmq/graph.h>

#include "face/engine.h"
#include "runtime/decode/answer.h"
#include "runtime/exec/release.h"

/* What was set for the next run of a graph. */
typedef struct vlm_face_call {
  vlm_tensor *inputs; /* one per input of the graph; data NULL = not set */
  bool ran;           /* outputs are there */
} vlm_face_call;

struct vlm_runner {
  vlm_engine *engine;
  vlm_bundle *bundle;
  vlm_model *model;     /* NULL = a single graph */
  vlm_session *session; /* of the single graph, whose constants go once they are packed */
  vlm_release *release;
  vlm_face_call calls[VLM_ROLE_COUNT];
  atomic_bool cancelled;
};

struct vlm_prepared {
  const vlm_runner *runner; /* that made it; compared, never followed */
  vlm_pixels pixels;
  int64_t width, height; /* of the picture */
  double ms;
};

/* The session that runs a role's graph, or NULL. */
vlm_session *vlm_runner_session(const vlm_runner *runner, vlm_role role);

#endif
