/* Private to exec/: what a session is. */
#ifndef VLM_EXEC_SESSION_PRIVATE_H
#define VLM_EXEC_SESSION_PRIVATE_H

#include "runtime/exec/frame.h"

struct vlm_session {
  vlm_frame_shared shared;
  vlm_frame *root;
};

#endif
