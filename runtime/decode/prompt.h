/* What a model is sent besides the image: token ids, and where the image goes among them.
 *
 * Who reads the prompt depends on the model: its text encoder (Florence-2), the decoder before it answers (Donut), or a decoder-only model
 * that sees image and prompt as one sequence. */
#ifndef VLM_DECODE_PROMPT_H
#define VLM_DECODE_PROMPT_H

#include "runtime/bundle/bundle.h"
#include "runtime/base/json.h"
#include "runtime/text/tokenizer.h"

#define VLM_IMAGE_SLOT (-1) /* in place of a token id: a row of image features goes here */

typedef struct vlm_prompt_rules {
  const vlm_tokenizer *tokenizer;
  int32_t image_token;  /* id that stands for the image in a prompt; -1 = none */
  int32_t bos;          /* -1 = none */
  bool image_after;     /* a prompt that does not say where the image goes: after it instead of before it */
  bool image_first;     /* the image goes in front of the start token too (PaliGemma) */
  bool start_in_prompt; /* the prompt brings its own start token (Donut) */
  char *fallback;       /* sent when the prompt is empty; NULL = nothing is */
  vlm_json_doc *chat;   /* chat.json: what goes around a prompt; NULL = nothing */
} vlm_prompt_rules;

/* image_token: vlm.json's prompt.image_token (text or id), config.json's image_token_index or image_token_id, else the token "<image>".
 * Free with vlm_prompt_rules_free. */
vlm_status vlm_prompt_rules_read(vlm_prompt_rules *out, const vlm_bundle *bundle,
                                 const vlm_tokenizer *tokenizer, int32_t bos, vlm_error *err);
void vlm_prompt_rules_free(vlm_prompt_rules *rules);

/* The prompt between what the model's chat template puts around it; as it is where there is no template, and where it begins as the template
 * does. Appends to `text`. */
vlm_status vlm_prompt_chat(const vlm_prompt_rules *rules, const char *prompt, vlm_text *text, vlm_error *err);

/* The sequence of a decoder-only model, `rows` image slots in it. "{image}", "<image>" and the model's own image token say where they go; several
 * places share the rows evenly; a prompt without any gets them in front, after the start token. */
vlm_status vlm_prompt_sequence(const vlm_prompt_rules *rules, const char *text, int64_t rows, vlm_ids *ids,
                               vlm_error *err);
/* What a decoder with cross-attention starts from: `start`, then the prompt. start -1 = none. */
vlm_status vlm_prompt_start(const vlm_prompt_rules *rules, const char *text, int32_t start, vlm_ids *ids,
                            vlm_error *err);

#endif
