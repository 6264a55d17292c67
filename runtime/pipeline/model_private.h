/* Private to pipeline/: what model.c sets up and generate.c uses. */
#ifndef VLM_PIPELINE_MODEL_PRIVATE_H
#define VLM_PIPELINE_MODEL_PRIVATE_H

#include "runtime/pipeline/bundle_texts.h"
#include "runtime/pipeline/decoder.h"
#include "runtime/pipeline/generation.h"
#include "runtime/pipeline/json.h"
#include "runtime/pipeline/model.h"

struct vlm_model {
  vlm_context *context;
  const vlm_bundle *bundle;
  vlm_session *sessions[VLM_ROLE_COUNT];
  vlm_decoder *decoder;
  vlm_tokenizer *tokenizer;
  vlm_preprocess preprocess;
  bool has_preprocess;
  vlm_json_doc *config;              /* NULL = no such file */
  vlm_generation rules;
  int64_t positions;                 /* longest sequence of the decoder; 0 = not stated */
  float *joined;                     /* image features and prompt embeddings, one after the other */
  size_t joined_capacity;
  int64_t *ids, *ones;
  size_t ids_capacity, ones_capacity;
};

/* Milliseconds on a monotonic clock. */
double vlm_clock_ms(void);

/* Runs everything before the decoder; afterwards the decoder's context is set. */
vlm_status vlm_model_encode(vlm_model *model, const vlm_tensor *pixels, const char *prompt, vlm_answer *answer, vlm_error *err);
/* Runs the decoder to the end of the answer. */
vlm_status vlm_model_generate(vlm_model *model, const vlm_answer_opts *opts, vlm_answer *answer, double start_ms, vlm_error *err);

#endif
