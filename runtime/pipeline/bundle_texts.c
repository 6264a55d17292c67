/* What the JSON files of a bundle say. */
#include <string.h>

#include "runtime/pipeline/bundle_texts.h"

vlm_status vlm_bundle_json(vlm_json_doc **out, const vlm_bundle *b, vlm_bundle_text text, vlm_error *err) {
  const char *json = b->texts[text];
  *out = NULL;
  return json ? vlm_json_parse(out, json, strlen(json), vlm_text_file(text), err) : VLM_OK;
}

vlm_status vlm_bundle_preprocess(vlm_preprocess *out, bool *stated, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *processor = NULL, *manifest = NULL, *config = NULL;
  *stated = false;
  VLM_TRY(vlm_bundle_json(&manifest, bundle, VLM_TEXT_MANIFEST, err));
  VLM_TRY(vlm_bundle_json(&processor, bundle, VLM_TEXT_PREPROCESSOR, err));
  VLM_TRY(vlm_bundle_json(&config, bundle, VLM_TEXT_CONFIG, err));
  vlm_json list = vlm_json_member(manifest ? vlm_json_root(manifest) : (vlm_json){0}, "preprocess");
  if (!vlm_json_is_null(list)) VLM_TRY(vlm_preprocess_from_json(out, list, err));
  else if (processor) VLM_TRY(vlm_preprocess_from_config(out, vlm_json_root(processor), config ? vlm_json_root(config) : (vlm_json){0}, err));
  *stated = processor || !vlm_json_is_null(list);
out:
  vlm_json_free(processor);
  vlm_json_free(manifest);
  vlm_json_free(config);
  return st;
}
