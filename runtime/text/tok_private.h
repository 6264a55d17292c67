/* What tokenizer.c shares with its neighbours. */
#ifndef VLM_TEXT_TOK_PRIVATE_H
#define VLM_TEXT_TOK_PRIVATE_H

#include "runtime/text/tok.h"
#include "runtime/text/tokenizer.h"

typedef struct vlm_tok_decode_opts {
  bool skip_special;
  bool raw; /* without clean_up_tokenization_spaces */
} vlm_tok_decode_opts;
vlm_status vlm_tok_decode(const vlm_tokenizer *tokenizer, const int32_t *ids, size_t n,
                          const vlm_tok_decode_opts *opts, vlm_text *text, vlm_error *err);

/* Sets add_prefix_space when the pre-tokenizer (may be NULL) is ByteLevel; does nothing to another kind. */
void vlm_tok_byte_level_set_prefix(vlm_tok_pretokenizer *pretokenizer, bool add_prefix_space);

#endif
