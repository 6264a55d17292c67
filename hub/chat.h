/* The chat template of a decoder-only model, applied once with a mark in place of the prompt: what stands in front of it and behind it.
 *
 * The result is the text "chat.json" of the bundle, which packed files carry, so that no template is read to run one:
 *   {"with_image": [before, after], "without_image": [before, after], "trim": true}      or {"error": "why the template is of no use"}
 * The second pair is for prompts that say themselves where the image goes. */
#ifndef VLM_HUB_CHAT_H
#define VLM_HUB_CHAT_H

#include "runtime/bundle/bundle.h"

/* From chat_template.jinja, chat_template.json, processor_config.json or tokenizer_config.json, in this order; NULL when none has one. Only running
 * out of memory is a failure. */
vlm_status vlm_hub_chat(char **out, const vlm_bundle *bundle, vlm_error *err);

#endif
