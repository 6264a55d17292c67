/* A pattern of a tokenizer file, {"String": text} or {"Regex": text}; its matches, and replacing them. */
#ifndef VLM_TEXT_TOK_PATTERN_H
#define VLM_TEXT_TOK_PATTERN_H

#include "runtime/text/tok_regex.h"

typedef struct vlm_tok_pattern {
  vlm_regex *regex; /* NULL = literal text */
  vlm_slice text;
} vlm_tok_pattern;

vlm_status vlm_tok_pattern_read(vlm_tok_pattern *out, const vlm_tok_source *source, vlm_error *err);
/* All matches, left to right. An empty literal text matches nowhere. */
vlm_status vlm_tok_pattern_find(const vlm_tok_pattern *pattern, vlm_arena *arena, vlm_slice text,
                                vlm_text_range **ranges, size_t *count, vlm_error *err);

/* Member "pattern" and "content" of a Replace normalizer or decoder. */
typedef struct vlm_tok_replace {
  vlm_tok_pattern pattern;
  vlm_slice with;
} vlm_tok_replace;
vlm_status vlm_tok_replace_read(vlm_tok_replace *out, const vlm_tok_source *source, vlm_error *err);
/* *at_start (may be NULL) becomes false when the first character is taken away. */
vlm_status vlm_tok_replace_run(const vlm_tok_replace *rule, vlm_arena *arena, vlm_slice *text, bool *at_start,
                               vlm_error *err);

#endif
