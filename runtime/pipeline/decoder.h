/* The decoder of a pipeline: one token in, one row of logits out, with the cache in between.
 *
 * A cache is a set of tensors, one per past_key_values input of the step graph. Sets are reference counted: beams that share a parent share
 * its set until each writes a new one. Cross-attention entries are computed by the first graph and kept for the whole answer. */
#ifndef VLM_PIPELINE_DECODER_H
#define VLM_PIPELINE_DECODER_H

#include "runtime/exec/session.h"
#include "runtime/pipeline/bundle.h"

typedef struct vlm_decoder vlm_decoder;
typedef struct vlm_cache vlm_cache;

/* What stays the same for one answer. Tensors are borrowed. */
typedef struct vlm_decoder_context {
  const vlm_tensor *encoder_states; /* f32 [1, E, D]; NULL for decoder-only models */
  int64_t encoder_length;
} vlm_decoder_context;

/* Sessions and bundle must outlive the decoder. embed may be NULL (decoders that take ids). */
vlm_status vlm_decoder_create(vlm_decoder **out, const vlm_bundle *bundle, vlm_session *first, vlm_session *step, vlm_session *embed, vlm_error *err);
void vlm_decoder_free(vlm_decoder *decoder);

/* A new answer: forgets the cross-attention entries. */
void vlm_decoder_begin(vlm_decoder *decoder, const vlm_decoder_context *context);

/* Runs the first graph on `count` start tokens (or on embeds [1, count, D] when ids is NULL). *logits points at the last row, *vocab values,
 * owned by the session until its next run. *cache is new; release it with vlm_cache_release. */
vlm_status vlm_decoder_first(vlm_decoder *decoder, const int64_t *ids, const vlm_tensor *embeds, int64_t count, vlm_cache **cache, const float **logits,
                             int64_t *vocab, vlm_error *err);
/* Runs the step graph on one token after `past`. The new cache may be the same set grown in place when nobody else holds it. */
vlm_status vlm_decoder_step(vlm_decoder *decoder, int64_t id, const vlm_cache *past, vlm_cache **cache, const float **logits, int64_t *vocab,
                            vlm_error *err);

vlm_cache *vlm_cache_retain(vlm_cache *cache);
void vlm_cache_release(vlm_decoder *decoder, vlm_cache *cache);
/* Tokens in the cache. */
int64_t vlm_cache_length(const vlm_cache *cache);

#endif
