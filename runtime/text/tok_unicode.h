/* Unicode properties and normalization forms, of the Unicode version of the installed libraries. The Rust tokenizers use several versions
 * (8.0 for the categories of BertNormalizer and punctuation), so characters added to Unicode lately may be treated differently there. */
#ifndef VLM_TEXT_TOK_UNICODE_H
#define VLM_TEXT_TOK_UNICODE_H

#include "runtime/text/tok.h"

bool vlm_unicode_is_space(uint32_t code); /* White_Space */
bool vlm_unicode_is_punctuation(
    uint32_t code);                            /* P*, and the ASCII symbols that keyboards call punctuation */
bool vlm_unicode_is_mark(uint32_t code);       /* M* */
bool vlm_unicode_is_nonspacing(uint32_t code); /* Mn */
bool vlm_unicode_is_other(uint32_t code);      /* C* without unassigned */
bool vlm_unicode_is_number(uint32_t code);     /* N* */
/* Lower case without language rules; one code point except U+0130, whose second one is returned through *second (else 0). */
uint32_t vlm_unicode_lower(uint32_t code, uint32_t *second);

typedef enum vlm_unicode_form { VLM_NFC, VLM_NFD, VLM_NFKC, VLM_NFKD } vlm_unicode_form;
vlm_status vlm_unicode_normalize(vlm_arena *arena, vlm_slice *text, vlm_unicode_form form, vlm_error *err);

/* Length in bytes of the first extended grapheme cluster; text.bytes > 0. */
size_t vlm_unicode_grapheme(vlm_slice text);

#endif
