#include "hub/resolve.h"

#include "hub/chat.h"
#include "hub/processor.h"
#include "runtime/bundle/bundle_texts.h"

static vlm_json root_of(const vlm_json_doc *doc) { return doc ? vlm_json_root(doc) : (vlm_json){0}; }

typedef struct hub_files {
  vlm_json_doc *manifest, *processor, *preprocessor, *config;
} hub_files;

static vlm_status parse_sources(hub_files *s, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_bundle_json(&s->manifest, bundle, VLM_TEXT_MANIFEST, err));
  VLM_TRY(vlm_bundle_json(&s->processor, bundle, VLM_TEXT_PROCESSOR, err));
  VLM_TRY(vlm_bundle_json(&s->preprocessor, bundle, VLM_TEXT_PREPROCESSOR, err));
  VLM_TRY(vlm_bundle_json(&s->config, bundle, VLM_TEXT_CONFIG, err));
out:
  return st;
}

static vlm_status find_steps(vlm_preprocess *out, bool *stated, const hub_files *s, vlm_error *err) {
  vlm_json list = vlm_json_member(root_of(s->manifest), "preprocess");
  vlm_json nested = vlm_json_member(root_of(s->processor), "image_processor");
  bool own = !vlm_json_is_null(list), in_processor = !vlm_json_is_null(nested);
  *stated = own || in_processor || s->preprocessor;
  if (own) return vlm_preprocess_from_json(out, list, err);
  if (!*stated) return VLM_OK;
  return vlm_processor_steps(out, in_processor ? nested : root_of(s->preprocessor), root_of(s->config), err);
}

/* The text of the list, or NULL. */
static vlm_status read_steps(char **out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  hub_files s = {0};
  vlm_preprocess steps;
  bool stated = false;
  VLM_TRY(parse_sources(&s, bundle, err));
  VLM_TRY(find_steps(&steps, &stated, &s, err));
  if (stated) VLM_TRY(vlm_preprocess_format(out, &steps, err));
out:
  vlm_json_free(s.manifest);
  vlm_json_free(s.processor);
  vlm_json_free(s.preprocessor);
  vlm_json_free(s.config);
  return st;
}

vlm_status vlm_hub_resolve(vlm_bundle *bundle, vlm_error *err) {
  if (bundle->family == VLM_FAMILY_GRAPH) return VLM_OK;
  const vlm_status st = read_steps(&bundle->preprocess, bundle, &bundle->preprocess_error);
  if (st == VLM_MEMORY) return vlm_fail(err, st, "%s", bundle->preprocess_error.text);
  bundle->preprocess_status = st;
  if (bundle->family != VLM_FAMILY_DECODER_ONLY || bundle->texts[VLM_TEXT_CHAT]) return VLM_OK;
  return vlm_hub_chat(&bundle->texts[VLM_TEXT_CHAT], bundle, err);
}
