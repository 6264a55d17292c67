/* Penn Treebank tokenization of captions, as coco-caption does it before scoring: Stanford PTBTokenizer 3.4.1 with -preserveLines -lowerCase
 * and classic PTB escaping, then 17 punctuation tokens are dropped and the rest is joined with one blank.
 *
 * The captions are one text, a line each: look-ahead sees across line ends, so that what follows a caption can change its last token.
 * References and candidates are therefore tokenized apart, each in the order of the scored images. Lower-casing comes after tokenization,
 * so the bracket tokens (-lrb- and so on) stay. A token may contain U+00A0. */
#ifndef VLM_EVAL_PTB_TOKENIZE_H
#define VLM_EVAL_PTB_TOKENIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/memory.h"

#define VLM_PTB_MAX_CAPTION 65536 /* bytes of one caption */

typedef struct vlm_ptb_opts {
  bool keep_punctuation; /* do not drop the 17 tokens */
} vlm_ptb_opts;

/* tokens[i] = tokenized texts[i], in the arena. Characters that end a line (CR, VT, FF, U+2028 ...) inside a caption count as a blank.
 * VLM_INPUT on ill-formed UTF-8, VLM_LIMIT on captions that are too long; the message gives the index. */
vlm_status vlm_ptb_tokenize(const char **tokens, vlm_arena *arena, const char *const *texts, int64_t count,
                            const vlm_ptb_opts *opts, vlm_error *err);

#endif
