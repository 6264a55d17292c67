#include "hub/settings.h"

#include <string.h>

#include "runtime/base/buffer.h"
#include "runtime/bundle/bundle_texts.h"

/* With these values a setting changes nothing; null and false never do. */
static const struct setting {
  const char *key;
  double neutral;
} settings[] = {
    {"do_sample", 0},
    {"num_beam_groups", 1},
    {"diversity_penalty", 0},
    {"encoder_no_repeat_ngram_size", 0},
    {"encoder_repetition_penalty", 1},
    {"begin_suppress_tokens", 0},
    {"exponential_decay_length_penalty", 0},
    {"sequence_bias", 0},
    {"force_words_ids", 0},
    {"constraints", 0},
    {"forced_decoder_ids", 0},
    {"penalty_alpha", 0},
    {"guidance_scale", 1},
    {"stop_strings", 0},
    {"prompt_lookup_num_tokens", 0},
    {"dola_layers", 0},
};

static bool changes(vlm_json value, double neutral) {
  vlm_error ignored;
  double number = 0;
  bool flag = false;
  switch (vlm_json_type(value)) {
    case VLM_JSON_ABSENT:
    case VLM_JSON_NULL: return false;
    case VLM_JSON_BOOL: return vlm_json_as_bool(&flag, value, &ignored) == VLM_OK && flag;
    case VLM_JSON_INT:
    case VLM_JSON_REAL: return vlm_json_as_double(&number, value, &ignored) != VLM_OK || number != neutral;
    case VLM_JSON_ARRAY:
    case VLM_JSON_OBJECT: return vlm_json_size(value) > 0;
    default: return true;
  }
}

vlm_status vlm_hub_ignored(char **out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  vlm_text names = {0};
  *out = NULL;
  VLM_TRY(vlm_bundle_json(&doc, bundle, VLM_TEXT_GENERATION, err));
  for (size_t i = 0; doc && i < sizeof settings / sizeof settings[0]; i++) {
    if (!changes(vlm_json_member(vlm_json_root(doc), settings[i].key), settings[i].neutral)) continue;
    if (names.bytes) VLM_TRY(vlm_text_append(&names, ", ", 2, err));
    VLM_TRY(vlm_text_append(&names, settings[i].key, strlen(settings[i].key), err));
  }
  VLM_TRY(vlm_strdup(out, vlm_text_get(&names), err));
out:
  vlm_text_free(&names);
  vlm_json_free(doc);
  return st;
}
