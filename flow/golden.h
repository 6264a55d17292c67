/* The golden case "answer" of a packed pipeline: a small picture, a prompt, and the tokens that the packed model gives for them. Running it again
 * goes through preprocessing, tokenizer, every graph, the cache and the search; as results are the same on every machine, so are the tokens. */
#ifndef VLM_FLOW_GOLDEN_H
#define VLM_FLOW_GOLDEN_H

#include "pack/pack.h"
#include "runtime/exec/session.h"

#define VLM_GOLDEN_ANSWER "answer"

/* Inputs "image" (uint8 [height, width, 3]) and "prompt" (uint8 [bytes]), output "ids" (int64 [tokens]). */
typedef struct vlm_golden {
  vlm_pack_golden item;
  const char *names[3];
  vlm_tensor tensors[3]; /* own their data */
} vlm_golden;

/* Answers with a lowered bundle. `prompt` as the user gives it. out->item.n_outputs is 0 when there is nothing to ask: a single graph. Free
 * with vlm_golden_free in any case. */
vlm_status vlm_golden_make(vlm_golden *out, vlm_context *context, const vlm_bundle *lowered,
                           const char *prompt, vlm_error *err);
void vlm_golden_free(vlm_golden *golden);

/* Answers a stored case with a lowered bundle: *ids is int64 [tokens]; free its data with vlm_free. VLM_INTEGRITY when the case is none of ours. */
vlm_status vlm_golden_answer(vlm_tensor *ids, vlm_context *context, const vlm_bundle *lowered,
                             const vlm_pack_golden *item, vlm_error *err);

#endif
