/* Private to exec/: what a session is. */
#ifndef VLM_EXEC_SESSION_PRIVATE_H
#define VLM_EXEC_SESSION_PRIVATE_H

#include "runtime/exec/frame.h"

struct vlm_session {
  vlm_frame_shared shared;
  struct vlm_release *own_release; /* of opts.owns_constants */
  vlm_frame *root;
};

#endif
