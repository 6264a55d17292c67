/* The byte alphabet of byte-level BPE: each byte has a printable character (the GPT-2 table). */
#ifndef VLM_TEXT_TOK_BYTES_H
#define VLM_TEXT_TOK_BYTES_H

#include <stdint.h>

/* Code point that stands for a byte: itself when printable in Latin-1, else 256 + its rank among the others. */
uint32_t vlm_tok_byte_to_code(unsigned char byte);
/* The byte of a code point, or -1. */
int vlm_tok_code_to_byte(uint32_t code);

#endif
