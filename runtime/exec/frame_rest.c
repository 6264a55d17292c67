/* What a frame gives back after a run. */
#include "runtime/base/pages.h"
#include "runtime/exec/frame.h"

enum { KEPT_BYTES = 4 << 20 };

/* True when an output lies in the arena behind `from`; the nearest is [*begin, *end). */
static bool next_output(const vlm_frame *frame, size_t from, size_t *begin, size_t *end) {
  bool found = false;
  for (int32_t i = 0; frame->plan && i < frame->graph->n_outputs; i++) {
    const vlm_plan_value *root = &frame->plan->values[frame->plan->values[frame->graph->outputs[i]].root];
    if (root->store != VLM_STORE_ARENA || root->offset < from || (found && root->offset >= *begin)) continue;
    found = true;
    *begin = root->offset;
    *end = root->offset + vlm_tensor_bytes(&root->tensor);
  }
  return found;
}

void vlm_frame_trim(vlm_frame *frame) {
  char *bytes = frame->bytes;
  size_t from = 0, begin = 0, end = 0;
  for (int32_t i = 0; i < frame->n_children; i++) vlm_frame_trim(frame->children[i]);
  if (frame->shared->heap.total_bytes > KEPT_BYTES) vlm_heap_trim(&frame->shared->heap);
  if (frame->bytes_size <= KEPT_BYTES) return;
  for (; next_output(frame, from, &begin, &end); from = end) vlm_pages_drop(bytes + from, begin - from);
  vlm_pages_drop(bytes + from, frame->bytes_size - from);
}

void vlm_frame_drop(vlm_frame *frame) {
  if (frame->bytes_size > KEPT_BYTES) vlm_pages_drop(frame->bytes, frame->bytes_size);
}

/* An output that was folded when planning lies in the plan. */
static bool plan_has_outputs(const vlm_frame *frame) {
  for (int32_t i = 0; frame->plan && i < frame->graph->n_outputs; i++) {
    const vlm_plan_value *root = &frame->plan->values[frame->plan->values[frame->graph->outputs[i]].root];
    if (root->store == VLM_STORE_CONSTANT && !vlm_constants_get(frame->constants, frame->graph->outputs[i]))
      return true;
  }
  return false;
}

void vlm_frame_forget(vlm_frame *frame) {
  if (frame->n_children > 0 || plan_has_outputs(frame)) return;
  vlm_plan_cache_free(&frame->plans);
  frame->plan = NULL;
  frame->bound = 0;
}
