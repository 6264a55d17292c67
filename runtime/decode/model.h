/* A model ready to answer: image and prompt in, tokens and text out.
 *
 *   pixels -> vision -> image features ┐
 *   prompt -> tokenizer -> embed       ┴-> encoder -> decoder_first -> decoder_step ... -> tokens -> text
 *
 * Without embed or vision the encoder takes pixels and the decoder starts from the prompt (TrOCR, Donut); without encoder, image features take the
 * place of the image token in the prompt's embeddings, and the decoder reads both (LLaVA).
 *
 * One model runs one answer at a time. */
#ifndef VLM_DECODE_MODEL_H
#define VLM_DECODE_MODEL_H

#include "runtime/exec/session.h"
#include "runtime/base/buffer.h"
#include "runtime/bundle/bundle.h"
#include "runtime/image/preprocess.h"
#include "runtime/text/tokenizer.h"

typedef struct vlm_model vlm_model;

typedef struct vlm_model_opts {
  vlm_session_opts session; /* given to every session; owns_constants: the bundle serves this model alone */
  bool
      stages_rest; /* a graph that has run forgets what it packed, the decoder's at the end of the answer: least memory; every further answer plans again */
} vlm_model_opts;

/* The bundle and context must outlive the model. opts may be NULL. */
vlm_status vlm_model_create(vlm_model **out, vlm_context *context, const vlm_bundle *bundle,
                            const vlm_model_opts *opts, vlm_error *err);
void vlm_model_free(vlm_model *model);

const vlm_tokenizer *vlm_model_tokenizer(const vlm_model *model);
const vlm_preprocess *vlm_model_preprocess(const vlm_model *model);
/* The session of a role, or NULL: for statistics about it. */
vlm_session *vlm_model_session(const vlm_model *model, vlm_role role);
/* Constants that went back to the system so far; 0 without owns_constants. */
size_t vlm_model_released_bytes(const vlm_model *model);

/* What is asked when nobody says what: the default of vlm.json, else VLM_DEFAULT_PROMPT. */
#define VLM_DEFAULT_PROMPT "<CAPTION>"
const char *vlm_model_default_prompt(const vlm_model *model);
/* The text that is sent for a prompt: task names ("<CAPTION>") become their questions, "" the default of vlm.json. Appends to `text`. A model whose
 * decoder alone reads text has no questions: there a task name that is no token of its own gives "". */
vlm_status vlm_model_prompt(const vlm_model *model, const char *prompt, vlm_text *text, vlm_error *err);

#endif
