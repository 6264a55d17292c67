/* Regular expressions over UTF-8 with Unicode classes, in the dialect tokenizer files are written in (Oniguruma, Ruby syntax).
 * \s \S \w \W \h \H mean what they mean there, ^ and $ match at lines, nested sets in brackets are unions. */
#ifndef VLM_TEXT_TOK_REGEX_H
#define VLM_TEXT_TOK_REGEX_H

#include "runtime/text/tok.h"

typedef struct vlm_regex vlm_regex;

/* Members of a set: word characters as Unicode defines them (UTS 18 annex C), a little different from \w above. */
#define VLM_REGEX_WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}"

/* Lives in the arena. A pattern that cannot be used is VLM_INPUT with the position of the fault. */
vlm_status vlm_regex_create(vlm_regex **out, vlm_arena *arena, vlm_slice pattern, vlm_error *err);

typedef struct vlm_text_range {
  size_t from, to; /* bytes */
} vlm_text_range;
/* All matches from left to right, none overlapping, in the arena. VLM_LIMIT when the matching takes more steps than is reasonable. */
vlm_status vlm_regex_find_all(const vlm_regex *regex, vlm_arena *arena, vlm_slice text,
                              vlm_text_range **ranges, size_t *count, vlm_error *err);

#endif
