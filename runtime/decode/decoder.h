/* The decoder of a pipeline: a token per row in, a row of logits per row out, with the cache in between.
 *
 * A cache is a set of tensors, one per past_key_values input of the step graph, for one row or several (beams). Cross-attention entries are computed
 * by the first graph and kept for the whole answer. Self-attention entries of a graph under the cache contract (vlm.CacheAttention) are buffers of a
 * fixed number of tokens that each step appends to in place; other graphs give a longer copy at each step, which is stored.
 *
 * All rows of a step are one run of the step graph, so weights are read once, where the graph's first dims are open; else a run each. */
#ifndef VLM_DECODE_DECODER_H
#define VLM_DECODE_DECODER_H

#include "runtime/bundle/bundle.h"
#include "runtime/decode/search.h"
#include "runtime/exec/session.h"

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

/* Tokens that the answer can have, the start token included, and rows of a step: cache buffers are made for as many rows, and tokens up to a
 * usual number. */
void vlm_decoder_expect(vlm_decoder *decoder, int64_t max_length, int32_t rows);

/* Rows of logits: `vocab` floats each, in the order of the step's rows, until the decoder's next run. */
typedef struct vlm_logits {
  const float *data;
  int64_t vocab;
} vlm_logits;

/* Runs the first graph on `count` start tokens (or on embeds [1, count, D] when ids is NULL): the last row of logits. *cache is new, of one row;
 * release it with vlm_cache_release. */
vlm_status vlm_decoder_first(vlm_decoder *decoder, const int64_t *ids, const vlm_tensor *embeds,
                             int64_t count, vlm_cache **cache, vlm_logits *logits, vlm_error *err);
/* Runs the step graph on a token of each row: row i continues what was row rows[i].parent of the cache, several may continue the same. Up to
 * VLM_MAX_BEAMS. After a failure the cache can only be released. */
vlm_status vlm_decoder_step(vlm_decoder *decoder, const vlm_search_row *rows, int32_t n_rows,
                            vlm_cache *cache, vlm_logits *logits, vlm_error *err);

/* Gives a set back for the next answer; NULL is fine. */
void vlm_cache_release(vlm_decoder *decoder, vlm_cache *cache);
/* Tokens in the cache. */
int64_t vlm_cache_length(const vlm_cache *cache);
/* Whether the rows of a step are one run. */
bool vlm_decoder_joins_rows(const vlm_decoder *decoder);

#endif
