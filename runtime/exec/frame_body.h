/* Private to exec/: bodies of control flow. */
#ifndef VLM_EXEC_FRAME_BODY_H
#define VLM_EXEC_FRAME_BODY_H

#include "runtime/exec/frame.h"

/* A vlm_run_body whose runner is the frame of the node: copies of the results stay valid until the second next call of the same body. */
vlm_run_body vlm_frame_run_body;
/* Runs the branch that the condition of an If names; its outputs become the node's, without a copy. */
vlm_status vlm_frame_run_if(vlm_frame *frame, const vlm_step *step, vlm_error *err);

#endif
