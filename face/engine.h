/* Private to the face: who shares an engine, and that it computes for one call at a time. */
#ifndef VLM_FACE_ENGINE_H
#define VLM_FACE_ENGINE_H

#include <vlmq/engine.h>

#include "runtime/exec/session.h"

vlm_context *vlm_engine_context(vlm_engine *engine);
/* One owner more; gives back with vlm_engine_free. */
void vlm_engine_hold(vlm_engine *engine);
/* VLM_USAGE when another call computes on the engine; whoever gets VLM_OK must leave. */
vlm_status vlm_engine_enter(vlm_engine *engine, vlm_error *err);
void vlm_engine_leave(vlm_engine *engine);

#endif
