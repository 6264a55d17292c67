/* Merge rules of byte-pair encoding, and their application to one word. */
#ifndef VLM_TEXT_TOK_MERGES_H
#define VLM_TEXT_TOK_MERGES_H

#include "runtime/text/tok.h"

typedef struct vlm_tok_merges vlm_tok_merges;

/* `array` holds "left right" texts or [left, right] pairs, best first; `prefix` is cut from the right part when parts are joined. */
vlm_status vlm_tok_merges_read(vlm_tok_merges **out, vlm_arena *arena, vlm_json array,
                               const vlm_tok_vocab *vocab, vlm_slice prefix, vlm_error *err);

/* Merges the symbols in place until no rule fits: lowest rank first, then leftmost. *count shrinks. */
vlm_status vlm_tok_merges_apply(const vlm_tok_merges *merges, vlm_arena *arena, int32_t *symbols,
                                size_t *count, vlm_error *err);

#endif
