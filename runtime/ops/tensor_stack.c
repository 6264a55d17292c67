#include "runtime/ops/tensor_stack.h"

#include <string.h>

#include "runtime/base/memory.h"

static vlm_status make_room(vlm_stack *s, size_t bytes, vlm_error *err) {
  size_t need;
  if (!vlm_size_add(s->used, bytes, &need))
    return vlm_fail(err, VLM_LIMIT, "the collected steps are too large");
  if (need <= s->room) return VLM_OK;
  size_t room = need < 4096 ? 4096 : need + need / 2;
  vlm_status st = vlm_grow(&s->data, s->room, room, 1, err);
  if (st == VLM_OK) s->room = room;
  return st;
}

vlm_status vlm_stack_push(vlm_stack *s, const vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  char got[128], wanted[128];
  size_t bytes = vlm_tensor_bytes(t);
  if (s->count == 0) s->item = *t;
  VLM_CHECK(t->dtype == s->item.dtype && vlm_tensor_same_shape(t, &s->item), err, VLM_INPUT,
            "step %lld gives %s %s, the steps before %s %s", (long long)s->count, vlm_dtype_name(t->dtype),
            vlm_tensor_shape_text(t, got, sizeof got), vlm_dtype_name(s->item.dtype),
            vlm_tensor_shape_text(&s->item, wanted, sizeof wanted));
  VLM_TRY(make_room(s, bytes, err));
  if (bytes > 0) memcpy((char *)s->data + s->used, t->data, bytes);
  s->used += bytes;
  s->count++;
out:
  return st;
}

vlm_status vlm_stack_push_zeros(vlm_stack *s, vlm_error *err) {
  size_t bytes = vlm_tensor_bytes(&s->item);
  vlm_status st = make_room(s, bytes, err);
  if (st != VLM_OK) return st;
  if (bytes > 0) memset((char *)s->data + s->used, 0, bytes);
  s->used += bytes;
  s->count++;
  return VLM_OK;
}

void vlm_stack_free(vlm_stack *s) {
  vlm_free(s->data);
  memset(s, 0, sizeof *s);
}
