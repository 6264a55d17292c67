/* Inputs that the pipeline makes itself (token ids, masks, positions), in the element type that the graph declares. */
#ifndef VLM_DECODE_FEED_H
#define VLM_DECODE_FEED_H

#include "runtime/graph/graph.h"

/* Memory of one such input, kept from run to run. Zero-initialise. */
typedef struct vlm_feed {
  void *data;
  size_t bytes;
} vlm_feed;

/* A tensor of this shape: ids[i] or, when ids is NULL, first + i * step along the last dim. */
typedef struct vlm_feed_values {
  int rank;
  const int64_t *dims;
  const int64_t *ids;
  int64_t first, step;
} vlm_feed_values;
/* int64 where the declaration gives no type. The data is the feed's. */
vlm_status vlm_feed_fill(vlm_feed *feed, vlm_tensor *out, const vlm_value *declared,
                         const vlm_feed_values *values, vlm_error *err);
static inline vlm_status vlm_feed_ones(vlm_feed *feed, vlm_tensor *out, const vlm_value *declared, int rank,
                                       const int64_t *dims, vlm_error *err) {
  return vlm_feed_fill(feed, out, declared, &(vlm_feed_values){.rank = rank, .dims = dims, .first = 1}, err);
}
void vlm_feed_free(vlm_feed *feed);

#endif
