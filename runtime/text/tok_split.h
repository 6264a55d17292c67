/* Cutting a piece at matches, in the five ways tokenizer files name. */
#ifndef VLM_TEXT_TOK_SPLIT_H
#define VLM_TEXT_TOK_SPLIT_H

#include "runtime/text/tok_pattern.h"

typedef enum vlm_tok_behavior {
  VLM_SPLIT_REMOVED,
  VLM_SPLIT_ISOLATED,
  VLM_SPLIT_WITH_PREVIOUS,
  VLM_SPLIT_WITH_NEXT,
  VLM_SPLIT_CONTIGUOUS
} vlm_tok_behavior;

/* Member "behavior" of a JSON object; absent leaves *out alone. */
vlm_status vlm_tok_behavior_read(vlm_tok_behavior *out, vlm_json json, vlm_error *err);

/* Where a piece is cut and how. */
typedef struct vlm_tok_cuts {
  const vlm_text_range *ranges; /* ascending, none overlapping */
  size_t count;
  vlm_tok_behavior behavior;
  bool invert; /* cut at what lies between them */
} vlm_tok_cuts;
vlm_status vlm_tok_split(vlm_tok_piece piece, const vlm_tok_cuts *cuts, vlm_tok_pieces *out, vlm_error *err);

/* Every character for which `test` holds is a match of its own. */
typedef bool vlm_tok_test(uint32_t code, uint32_t argument);
vlm_status vlm_tok_split_chars(vlm_tok_piece piece, vlm_tok_test *test, uint32_t argument,
                               vlm_tok_behavior behavior, vlm_tok_pieces *out, vlm_error *err);

#endif
