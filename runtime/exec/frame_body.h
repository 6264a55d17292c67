/* Private to exec/: bodies of control flow. */
#ifndef VLM_EXEC_FRAME_BODY_H
#define VLM_EXEC_FRAME_BODY_H

#include "runtime/exec/frame.h"

/* Bodies: copies of the results stay valid until the second next call of the same body. An If runs the branch that its condition names; the
 * branch's outputs become the node's, without a copy. */
extern const vlm_frame_control vlm_frame_bodies;

#endif
