/* Sorted texts, walked byte by byte: which of them begin here? */
#ifndef VLM_TEXT_TOK_PREFIX_H
#define VLM_TEXT_TOK_PREFIX_H

#include "runtime/text/tok.h"

typedef struct vlm_tok_prefix {
  vlm_slice text;
  int32_t value; /* >= 0 */
  uint32_t order;
} vlm_tok_prefix;

typedef struct vlm_tok_prefixes {
  vlm_tok_prefix *items;
  size_t count, room;
} vlm_tok_prefixes;

/* Empty texts are left out. */
vlm_status vlm_tok_prefixes_add(vlm_tok_prefixes *set, vlm_arena *arena, vlm_slice text, int32_t value,
                                vlm_error *err);
/* After the last add. Of equal texts the one added first stays. */
void vlm_tok_prefixes_sort(vlm_tok_prefixes *set);

/* A walk holds the interval of texts that begin with the bytes seen so far. */
typedef struct vlm_tok_walk {
  size_t low, high, depth;
} vlm_tok_walk;
vlm_tok_walk vlm_tok_walk_start(const vlm_tok_prefixes *set);
/* One byte further; false when no text goes on like this. *value is that of the text that ends here, or -1. */
bool vlm_tok_walk_step(const vlm_tok_prefixes *set, vlm_tok_walk *walk, unsigned char byte, int32_t *value);

#endif
