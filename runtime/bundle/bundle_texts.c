/* What the JSON files of a bundle say. */
#include <string.h>

#include "runtime/bundle/bundle_texts.h"

vlm_status vlm_bundle_json(vlm_json_doc **out, const vlm_bundle *b, vlm_bundle_text text, vlm_error *err) {
  const char *json = b->texts[text];
  *out = NULL;
  return json ? vlm_json_parse(out, json, strlen(json), vlm_text_file(text), err) : VLM_OK;
}

vlm_status vlm_bundle_preprocess(vlm_preprocess *out, bool *stated, const vlm_bundle *bundle,
                                 vlm_error *err) {
  *stated = bundle->preprocess != NULL;
  if (bundle->preprocess_status != VLM_OK)
    return vlm_fail(err, bundle->preprocess_status, "%s", bundle->preprocess_error.text);
  return *stated ? vlm_preprocess_parse(out, bundle->preprocess, bundle->source, err) : VLM_OK;
}

/* ---- the decoder ---- */

/* The first of the keys that an object states. */
static vlm_status first_of(int64_t *out, vlm_json object, const char *const *keys, vlm_error *err) {
  for (; *keys && !*out; keys++) {
    if (vlm_json_is_null(vlm_json_member(object, *keys))) continue;
    vlm_status st =
        vlm_json_get_int_in(out, object, *keys, (vlm_json_range){1, INT32_MAX}, VLM_JSON_OPTIONAL, err);
    if (st != VLM_OK) return st;
  }
  return VLM_OK;
}

static vlm_status read_facts(vlm_decoder_facts *out, vlm_json object, vlm_error *err) {
  static const char *const POSITIONS[] = {"max_position_embeddings", "n_positions", NULL};
  static const char *const HEADS[] = {"num_attention_heads", "decoder_attention_heads", "n_head", NULL};
  static const char *const KV_HEADS[] = {"num_key_value_heads", NULL}, *const SIZE[] = {"head_dim", NULL};
  static const char *const WIDTH[] = {"hidden_size", "d_model", "n_embd", NULL};
  vlm_status st = VLM_OK;
  int64_t heads = 0, width = 0;
  if (vlm_json_type(object) != VLM_JSON_OBJECT) return VLM_OK;
  VLM_TRY(first_of(&out->positions, object, POSITIONS, err));
  VLM_TRY(first_of(&heads, object, HEADS, err));
  VLM_TRY(first_of(&width, object, WIDTH, err));
  VLM_TRY(first_of(&out->kv_heads, object, KV_HEADS, err));
  VLM_TRY(first_of(&out->head_size, object, SIZE, err));
  if (!out->kv_heads) out->kv_heads = heads;
  if (!out->head_size && heads) out->head_size = width / heads;
out:
  return st;
}

vlm_status vlm_bundle_decoder_facts(vlm_decoder_facts *out, const vlm_bundle *bundle, vlm_error *err) {
  static const char *const ONE_BASED[] = {"paligemma", "gemma3"};
  vlm_status st = VLM_OK;
  vlm_json_doc *config = NULL;
  const char *type = "";
  *out = (vlm_decoder_facts){0};
  VLM_TRY(vlm_bundle_json(&config, bundle, VLM_TEXT_CONFIG, err));
  if (!config) return VLM_OK;
  vlm_json top = vlm_json_root(config);
  VLM_TRY(read_facts(out, vlm_json_member(top, "text_config"), err));
  VLM_TRY(read_facts(out, vlm_json_member(top, "decoder"), err));
  VLM_TRY(read_facts(out, top, err));
  VLM_TRY(vlm_json_get_text(&type, top, "model_type", VLM_JSON_OPTIONAL, err));
  for (size_t i = 0; i < sizeof ONE_BASED / sizeof ONE_BASED[0]; i++)
    out->first_position |= !strcmp(type, ONE_BASED[i]);
out:
  vlm_json_free(config);
  return st;
}

vlm_status vlm_bundle_default_prompt(char **out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *manifest = NULL;
  const char *text = NULL;
  *out = NULL;
  VLM_TRY(vlm_bundle_json(&manifest, bundle, VLM_TEXT_MANIFEST, err));
  if (!manifest) return VLM_OK;
  VLM_TRY(vlm_json_get_text(&text, vlm_json_member(vlm_json_root(manifest), "prompt"), "default",
                            VLM_JSON_OPTIONAL, err));
  if (text) VLM_TRY(vlm_strdup(out, text, err));
out:
  vlm_json_free(manifest);
  return st;
}
