#include "runtime/decode/feed.h"

#include <assert.h>

static vlm_status reserve(vlm_feed *feed, size_t bytes, vlm_error *err) {
  if (feed->data && bytes <= feed->bytes) return VLM_OK;
  vlm_feed_free(feed);
  vlm_status st = vlm_alloc(&feed->data, 2 * bytes, 1, err);
  if (st == VLM_OK) feed->bytes = 2 * bytes;
  return st;
}

vlm_status vlm_feed_fill(vlm_feed *feed, vlm_tensor *out, const vlm_value *declared, const vlm_feed_values *v,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t bytes;
  assert(v->rank >= 0 && v->rank <= VLM_MAX_RANK);
  vlm_dtype dtype = declared->tensor.dtype == VLM_NONE ? VLM_S64 : declared->tensor.dtype;
  *out = vlm_tensor_make(dtype, v->rank, v->dims, NULL);
  VLM_TRY(vlm_tensor_bytes_checked(&bytes, out, err));
  VLM_TRY(reserve(feed, bytes + 1, err));
  out->data = feed->data;
  const int64_t period = v->rank ? v->dims[v->rank - 1] : 1;
  for (int64_t i = 0, n = vlm_tensor_count(out); i < n; i++) {
    int64_t value = v->ids ? v->ids[i] : v->first + i % period * v->step;
    if (dtype == VLM_S64) ((int64_t *)out->data)[i] = value;
    else vlm_tensor_set(out, i, (double)value);
  }
out:
  return st;
}

void vlm_feed_free(vlm_feed *feed) {
  vlm_free(feed->data);
  *feed = (vlm_feed){0};
}
