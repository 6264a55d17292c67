/* The decoder of a pipeline: one token in, one row of logits out, with the cache in between.
 *
 * A cache is a set of tensors, one per past_key_values input of the step graph. Cross-attention entries are computed by the first graph and
 * kept for the whole answer. Self-attention entries of a graph under the cache contract (vlm.CacheAttention) are buffers of a fixed number
 * of rows that each step appends to in place; other graphs give a longer copy at each step, which is stored. */
#ifndef VLM_DECODE_DECODER_H
#define VLM_DECODE_DECODER_H

#include "runtime/exec/session.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_decoder vlm_decoder;
typedef struct vlm_cache vlm_cache;

/* What stays the same for one answer. Tensors are borrowed. */
typedef struct vlm_decoder_context {
  const vlm_tensor *encoder_states; /* f32 [1, E, D]; NULL for decoder-only models */
  int64_t encoder_length;
} vlm_decoder_context;

/* Sessions and bundle must outlive the decoder. embed may be NULL (decoders that take ids). */
vlm_status vlm_decoder_create(vlm_decoder **out, const vlm_bundle *bundle, vlm_session *first,
                              vlm_session *step, vlm_session *embed, vlm_error *err);
void vlm_decoder_free(vlm_decoder *decoder);

/* A new answer: forgets the cross-attention entries. */
void vlm_decoder_begin(vlm_decoder *decoder, const vlm_decoder_context *context);

/* Tokens that the answer can have, the start token included: cache buffers are made for as many. */
void vlm_decoder_expect(vlm_decoder *decoder, int64_t max_length);

/* Runs the first graph on `count` start tokens (or on embeds [1, count, D] when ids is NULL). *logits points at the last row, *vocab values,
 * owned by the session until its next run. *cache is new; release it with vlm_cache_release. */
vlm_status vlm_decoder_first(vlm_decoder *decoder, const int64_t *ids, const vlm_tensor *embeds,
                             int64_t count, vlm_cache **cache, const float **logits, int64_t *vocab,
                             vlm_error *err);
/* Runs the step graph on one token after `past`. keep_past false: *past is used up (it becomes NULL) and grows in place into *cache; true: another
 * row continues from it too, so it stays and *cache starts as its copy. */
vlm_status vlm_decoder_step(vlm_decoder *decoder, int64_t id, vlm_cache **past, bool keep_past,
                            vlm_cache **cache, const float **logits, int64_t *vocab, vlm_error *err);

/* Gives a set back for the next answer; NULL is fine. */
void vlm_cache_release(vlm_decoder *decoder, vlm_cache *cache);
/* Tokens in the cache. */
int64_t vlm_cache_length(const vlm_cache *cache);

#endif
