/* UTF-8 coding of single code points. */
#ifndef VLM_PIPELINE_UTF8_H
#define VLM_PIPELINE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define VLM_UTF8_BAD 0xFFFFFFFFu     /* not a code point: ill-formed bytes */
#define VLM_UTF8_PARTIAL 0xFFFFFFFEu /* the bytes end inside a sequence that is well-formed so far */

/* Decodes the first code point of `bytes` >= 1 bytes and returns how many bytes it takes. Ill-formed input gives VLM_UTF8_BAD and the
 * length of the maximal ill-formed part (Unicode 3.9, "substitution of maximal subparts"), at least 1; a truncated tail is VLM_UTF8_BAD
 * too. */
size_t vlm_utf8_next(const char *text, size_t bytes, uint32_t *code);
/* The same, but a truncated tail gives VLM_UTF8_PARTIAL. */
size_t vlm_utf8_next_partial(const char *text, size_t bytes, uint32_t *code);
/* Writes a code point (at most 4 bytes, not terminated); returns the number of bytes. Surrogates and values above 0x10FFFF become
 * U+FFFD. */
size_t vlm_utf8_put(char text[4], uint32_t code);

#endif
