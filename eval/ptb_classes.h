/* Characters as the PTB tokenizer sees them: every code point is one of about 150 classes. ASCII characters are their own class. */
#ifndef VLM_EVAL_PTB_CLASSES_H
#define VLM_EVAL_PTB_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

enum {
  VLM_PTB_NBSP = 128, /* U+00A0 */
  VLM_PTB_SPACE,      /* U+2000-200A, U+3000 */
  VLM_PTB_NEWLINE,    /* U+2028, U+2029 */
  VLM_PTB_DOTS,       /* U+0085, U+2026 */
  VLM_PTB_DASH,       /* U+0096, U+0097, U+2013-2015 */
  VLM_PTB_HYPHEN,     /* U+058A, U+2010, U+2011 */
  VLM_PTB_APOS,       /* U+0092, U+2019 */
  VLM_PTB_BACKQUOTE,  /* U+0091, U+2018, U+201B */
  VLM_PTB_QUOTE,      /* other quotation marks */
  VLM_PTB_SUPER,      /* superscript digits */
  VLM_PTB_SUB,        /* subscript digits */
  VLM_PTB_SUBSIGN,    /* superscript and subscript plus and minus */
  VLM_PTB_FRACTION,   /* U+2044 */
  VLM_PTB_COMMA,      /* U+3001 */
  VLM_PTB_UPPER,      /* letters with a lower-case form */
  VLM_PTB_LETTER,     /* other letters */
  VLM_PTB_MARK,       /* joins in a word, but not on a side of a hyphen */
  VLM_PTB_SOFT,       /* U+00AD: joins in a word and vanishes */
  VLM_PTB_DIGIT,
  VLM_PTB_SYMBOL, /* a token of its own */
  VLM_PTB_SKIP,   /* prints nothing and separates tokens */
  VLM_PTB_CLASSES
};

int vlm_ptb_class(uint32_t code);
/* One-to-one lower case (U+0130 and the final sigma are the caller's business). */
uint32_t vlm_ptb_lower(uint32_t code);
/* White space of Python's str.split(). */
bool vlm_ptb_is_blank(uint32_t code);

#endif
