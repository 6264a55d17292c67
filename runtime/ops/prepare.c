#include "runtime/ops/prepare.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/ops/op_data.h"

void vlm_op_binding_rewind(vlm_op_binding *b) {
  b->work_bytes = 0;
  b->used_kept = b->used_held = 0;
}

/* Block number used_kept, with at least `bytes` bytes. */
static vlm_status next_block(vlm_op_binding *b, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (b->used_kept == b->cap_kept) {
    void *more;
    int32_t wanted = b->cap_kept ? 2 * b->cap_kept : 2;
    VLM_TRY(vlm_arena_alloc(b->arena, &more, (size_t)wanted, sizeof *b->kept, err));
    if (b->n_kept) memcpy(more, b->kept, (size_t)b->n_kept * sizeof *b->kept);
    b->kept = more;
    b->cap_kept = wanted;
  }
  struct vlm_op_kept *block = &b->kept[b->used_kept];
  if (b->used_kept < b->n_kept && block->bytes >= bytes) {
    memset(block->data, 0, bytes);
    goto out;
  }
  /* A block that was there and is too small grows by half, so that steps of growing sizes do not eat the arena. */
  size_t room = b->used_kept < b->n_kept ? bytes + bytes / 2 : bytes;
  VLM_TRY(vlm_arena_alloc(b->arena, &block->data, room, 1, err));
  block->bytes = room;
  if (b->used_kept == b->n_kept) b->n_kept++;
out:
  return st;
}

vlm_status vlm_op_keep(vlm_op_call *c, void **out, int64_t count, size_t size) {
  vlm_status st = VLM_OK;
  vlm_op_binding *b = c->binding;
  size_t bytes;
  VLM_CHECK(count >= 0 && vlm_size_mul((size_t)count, size, &bytes), c->err, VLM_LIMIT,
            "an array of %lld x %zu bytes is too large", (long long)count, size);
  VLM_TRY(next_block(b, bytes > 0 ? bytes : 1, c->err));
  *out = b->kept[b->used_kept++].data;
out:
  return st;
}

vlm_status vlm_op_state(vlm_op_call *c, void **out, size_t size) {
  vlm_status st = vlm_op_keep(c, out, 1, size);
  if (st == VLM_OK) c->state = *out;
  return st;
}

vlm_status vlm_op_reserve(vlm_op_call *c, size_t *at, int64_t count, size_t size) {
  size_t bytes, *total = &c->binding->work_bytes;
  *at = *total;
  if (count >= 0 && vlm_size_mul((size_t)count, size, &bytes) && bytes <= SIZE_MAX / 2 &&
      vlm_size_add(*total, vlm_size_align(bytes), total))
    return VLM_OK;
  return vlm_fail(c->err, VLM_LIMIT, "a working array of %lld x %zu bytes is too large", (long long)count,
                  size);
}

bool vlm_op_lasts(const vlm_op_call *c, int k) {
  const vlm_tensor *t = vlm_in(c, k);
  return t && t->data && c->binding->lasting[k];
}
