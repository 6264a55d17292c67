/* Private to the decoder: what decoder_layout.c finds out about its graphs, decoder_inputs.c fills and decoder.c runs. */
#ifndef VLM_DECODE_DECODER_PRIVATE_H
#define VLM_DECODE_DECODER_PRIVATE_H

#include "runtime/bundle/binding.h"
#include "runtime/bundle/bundle_texts.h"
#include "runtime/decode/decoder_cache.h"
#include "runtime/decode/feed.h"

typedef struct vlm_decoder_graph {
  vlm_session *session;
  const vlm_graph *graph;
  vlm_binding *bindings;
  vlm_tensor *inputs;
  vlm_feed *feeds;
  int32_t logits;
} vlm_decoder_graph;

struct vlm_decoder {
  const vlm_bundle *bundle;
  vlm_decoder_graph first, step;
  vlm_session *embed;
  vlm_cache_pool pool;
  vlm_decoder_facts facts;
  vlm_decoder_context context;
  vlm_feed embed_ids;
  vlm_cache_entry states; /* encoder states, where steps of several rows read them */
  int64_t max_length;     /* of the answer */
  int64_t capacity;       /* of the set that runs now, as a graph input */
  int32_t expected_rows;
  bool joins_rows; /* the rows of a step are one run */
  float *logits;   /* of rows that were not run in their order */
  size_t logits_floats;
};

/* What a run of a graph starts from. */
typedef struct vlm_decoder_input {
  const int64_t *ids; /* rows * count */
  const vlm_tensor *embeds;
  int64_t count;       /* tokens per row */
  vlm_cache *past;     /* NULL = the first graph */
  int32_t place, rows; /* of the past */
} vlm_decoder_input;

/* What the inputs of the graphs mean and who keeps what. */
vlm_status vlm_decoder_read_layout(vlm_decoder *d, vlm_error *err);
/* Sets d's inputs of a graph. */
vlm_status vlm_decoder_fill(vlm_decoder *d, const vlm_decoder_graph *r, const vlm_decoder_input *in,
                            vlm_error *err);

#endif
