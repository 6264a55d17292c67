#include <assert.h>
#include <string.h>

#include "pack/tensors.h"
#include "runtime/base/hash.h"

static bool same(const vlm_pack_tensor *a, const vlm_pack_tensor *b) {
  return a->hash == b->hash && a->tensor.dtype == b->tensor.dtype &&
         vlm_tensor_same_shape(&a->tensor, &b->tensor) &&
         (a->bytes == 0 || memcmp(a->tensor.data, b->tensor.data, a->bytes) == 0);
}

/* The slot where the tensor is or would be. */
static uint32_t slot_of(const vlm_tensor_pool *pool, const vlm_pack_tensor *item) {
  const uint32_t mask = (uint32_t)pool->capacity * 2 - 1;
  assert(pool->count <= pool->capacity && (mask & (mask + 1)) == 0); /* half of the slots stay free */
  uint32_t slot = (uint32_t)item->hash & mask;
  while (pool->slots[slot] && !same(&pool->items[pool->slots[slot] - 1], item)) slot = (slot + 1) & mask;
  return slot;
}

static vlm_status grow(vlm_tensor_pool *pool, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int32_t more = pool->capacity ? pool->capacity * 2 : 256;
  int32_t *slots = NULL;
  VLM_CHECK(more <= VLM_PACK_MAX_TENSORS, err, VLM_LIMIT, "more than %d tensors", VLM_PACK_MAX_TENSORS);
  VLM_TRY(vlm_new(&slots, (size_t)more * 2, err));
  VLM_TRY(vlm_more(&pool->items, pool->capacity, more, err));
  VLM_TRY(vlm_more(&pool->codecs, pool->capacity, more, err));
  vlm_free(pool->slots);
  pool->slots = slots;
  slots = NULL;
  pool->capacity = more;
  for (int32_t i = 0; i < pool->count; i++) pool->slots[slot_of(pool, &pool->items[i])] = i + 1;
out:
  vlm_free(slots);
  return st;
}

vlm_status vlm_tensor_pool_add(vlm_tensor_pool *pool, int32_t *index, const vlm_tensor *tensor,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack_tensor item = {.tensor = *tensor};
  char shape[128];
  VLM_CHECK(tensor->dtype != VLM_NONE && tensor->rank >= 0 && tensor->rank <= VLM_MAX_RANK, err, VLM_INTERNAL,
            "a constant has type %s and rank %d", vlm_dtype_name(tensor->dtype), tensor->rank);
  VLM_TRY(vlm_tensor_bytes_checked(&item.bytes, tensor, err));
  VLM_CHECK(tensor->data || item.bytes == 0, err, VLM_INTERNAL, "a constant of shape %s has no data",
            vlm_tensor_shape_text(tensor, shape, sizeof(shape)));
  item.hash = vlm_xxh64(item.bytes ? tensor->data : "", item.bytes);
  if (pool->count == pool->capacity) VLM_TRY(grow(pool, err));
  const uint32_t slot = slot_of(pool, &item);
  if (!pool->slots[slot]) {
    pool->items[pool->count++] = item;
    pool->slots[slot] = pool->count;
  }
  *index = pool->slots[slot] - 1;
out:
  return st;
}

void vlm_tensor_pool_free(vlm_tensor_pool *pool) {
  vlm_free(pool->items);
  vlm_free(pool->codecs);
  vlm_free(pool->slots);
  *pool = (vlm_tensor_pool){.count = 0};
}

static void put_inside(vlm_encoder *e, const vlm_pack_tensor *item) {
  unsigned char planes[VLM_TENSOR_INSIDE_BYTES];
  assert(item->bytes <= sizeof(planes));
  vlm_planes_split(planes, item->tensor.data, &item->tensor, item->bytes);
  vlm_put_bytes(e, planes, item->bytes);
}

void vlm_tensor_pool_encode(vlm_encoder *e, const vlm_tensor_pool *pool, bool raw) {
  vlm_put_uint(e, (uint64_t)pool->count);
  for (int32_t i = 0; i < pool->count; i++) {
    vlm_put_shape(e, &pool->items[i].tensor);
    vlm_put_u8(e, pool->codecs[i]);
    if (pool->codecs[i] == VLM_TENSOR_INSIDE) {
      put_inside(e, &pool->items[i]);
      continue;
    }
    if (!raw) vlm_put_uint(e, pool->items[i].stored_bytes);
    vlm_put_u64(e, pool->items[i].hash);
  }
}
