/* Private to the face: what a reply is made of. */
#ifndef VLM_FACE_REPLY_H
#define VLM_FACE_REPLY_H

#include <vlmq/generate.h>

#include "runtime/decode/answer.h"
#include "runtime/decode/tasks.h"

struct vlm_reply {
  vlm_answer answer;
  vlm_objects objects;
  vlm_finish finish;
};

#endif
