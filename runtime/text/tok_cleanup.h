/* Removing blanks that tokenization left in front of punctuation and English contractions. */
#ifndef VLM_TEXT_TOK_CLEANUP_H
#define VLM_TEXT_TOK_CLEANUP_H

#include "runtime/text/tok.h"

/* The rules of the WordPiece and CTC decoders, applied to one token. */
vlm_status vlm_tok_cleanup_token(vlm_arena *arena, vlm_slice *text, vlm_error *err);
/* The rules of clean_up_tokenization_spaces, applied to a whole text; the same but for " do not". */
vlm_status vlm_tok_cleanup_text(vlm_arena *arena, vlm_slice *text, vlm_error *err);

#endif
