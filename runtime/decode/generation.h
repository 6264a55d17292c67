/* How a model generates: token ids with a role, limits, and search settings, from generation_config.json and config.json.
 *
 * As the transformers library resolves them: generation_config.json says how to search; config.json ("text_config" or "decoder", then its top
 * level, which wins) does where there is no such file or where it says "_from_model_config". Token ids that begin, end or fill a sequence
 * are taken from config.json too when nothing else states them. The "generation" object of vlm.json wins over all. A null member counts as
 * absent, a negative id as none. */
#ifndef VLM_DECODE_GENERATION_H
#define VLM_DECODE_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"

enum {
  VLM_MAX_EOS = 16,
  VLM_MAX_SUPPRESSED = 512,
  VLM_MAX_BEAMS = 64,
  VLM_DEFAULT_NEW_TOKENS =
      256 /* when no file states a length; the 20 of the transformers library is a placeholder nobody wants */
};

/* When beam search may stop before every hypothesis is beaten: TRUE as soon as `beams` are finished, FALSE when the best running one looks
 * worse than the worst finished one, NEVER like FALSE with the longest possible length assumed. */
typedef enum vlm_early_stopping { VLM_EARLY_FALSE, VLM_EARLY_TRUE, VLM_EARLY_NEVER } vlm_early_stopping;

typedef struct vlm_generation {
  int32_t start;                  /* decoder_start_token_id, else bos; -1 = none (default) */
  int32_t bos, pad;               /* -1 = none (default) */
  int32_t eos[VLM_MAX_EOS];       /* any of these ends a sequence */
  int32_t n_eos;                  /* default 0 */
  int32_t forced_bos, forced_eos; /* -1 = none (default) */
  int64_t max_length;             /* tokens including the prompt (start token); 0 = not set (default) */
  int64_t max_new_tokens;         /* tokens after the prompt, wins over max_length; 0 = not set (default) */
  int64_t min_length, min_new_tokens;     /* default 0 */
  int64_t beams;                          /* default 1: greedy */
  int64_t no_repeat_ngram;                /* default 0: off */
  double length_penalty;                  /* default 1 */
  double repetition_penalty;              /* default 1: off */
  vlm_early_stopping early_stopping;      /* default FALSE */
  int32_t suppressed[VLM_MAX_SUPPRESSED]; /* suppress_tokens: never generated */
  int32_t n_suppressed;
  int32_t bad_words[VLM_MAX_SUPPRESSED]; /* bad_words_ids of one id each; longer ones are VLM_UNSUPPORTED */
  int32_t n_bad_words;
} vlm_generation;

/* Fills `out` from the two documents; NULL = there is no such file. */
vlm_status vlm_generation_read(vlm_generation *out, const vlm_json_doc *config,
                               const vlm_json_doc *generation, vlm_error *err);
/* Lays the members of a manifest's "generation" object over it: start bos eos pad forced_bos forced_eos max_length max_new_tokens
 * min_length beams no_repeat_ngram length_penalty repetition_penalty early_stopping. Here null takes a token id away. */
vlm_status vlm_generation_overlay(vlm_generation *generation, vlm_json object, vlm_error *err);

/* The longest sequence including a prompt of `prompt` tokens; never above `positions` (0 = unlimited), the model's position table. */
int64_t vlm_generation_max_length(const vlm_generation *generation, int64_t prompt, int64_t positions);
bool vlm_generation_is_eos(const vlm_generation *generation, int32_t id);

#endif
