/* Private to decode/: what model.c sets up, encode.c fills and generate.c uses; answer.c calls them in turn. */
#ifndef VLM_DECODE_MODEL_PRIVATE_H
#define VLM_DECODE_MODEL_PRIVATE_H

#include "runtime/bundle/bundle_texts.h"
#include "runtime/decode/decoder.h"
#include "runtime/decode/feed.h"
#include "runtime/decode/generation.h"
#include "runtime/base/json.h"
#include "runtime/decode/answer.h"
#include "runtime/decode/prompt.h"
#include "runtime/exec/release.h"

enum { VLM_ENCODE_INPUTS = 16 };

struct vlm_model {
  vlm_context *context;
  const vlm_bundle *bundle;
  vlm_session *sessions[VLM_ROLE_COUNT];
  vlm_release *release; /* NULL = the bundle's constants stay */
  vlm_decoder *decoder;
  vlm_tokenizer *tokenizer;
  vlm_preprocess preprocess;
  bool has_preprocess;
  vlm_json_doc *config; /* NULL = no such file */
  vlm_generation rules;
  vlm_prompt_rules prompt;
  int64_t positions; /* longest sequence of the decoder; 0 = not stated */
  bool encoder_reads_text, decoder_reads_image, stages_rest;
  float *joined; /* image features and prompt embeddings */
  size_t joined_capacity;
  int64_t *ids; /* of the prompt, as a graph takes them */
  size_t ids_capacity;
  vlm_feed feeds[VLM_ROLE_COUNT][VLM_ENCODE_INPUTS];
  vlm_tensor states;       /* of the encoder, for the answer at hand */
  vlm_ids start;           /* what the decoder starts from; image slots are VLM_IMAGE_SLOT */
  vlm_tensor start_embeds; /* the same as embeddings; rank 0 = the decoder takes ids or embeds them itself */
};

typedef struct vlm_model_input {
  const vlm_tensor *pixels, *mask; /* mask NULL = all pixels are image */
  const char *prompt;
} vlm_model_input;

/* Runs everything before the decoder; afterwards the decoder's context and what it starts from are set. */
vlm_status vlm_model_encode(vlm_model *model, const vlm_model_input *input, vlm_answer *answer,
                            vlm_error *err);
/* Runs the decoder to the end of the answer. */
vlm_status vlm_model_generate(vlm_model *model, const vlm_answer_opts *opts, vlm_answer *answer,
                              double start_ms, vlm_error *err);

#endif
