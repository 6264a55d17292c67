/* What the JSON files of a bundle say. */
#ifndef VLM_BUNDLE_BUNDLE_TEXTS_H
#define VLM_BUNDLE_BUNDLE_TEXTS_H

#include "runtime/bundle/bundle.h"
#include "runtime/base/json.h"
#include "runtime/image/preprocess.h"

/* The parsed file, or NULL when the bundle has none. Free with vlm_json_free. */
vlm_status vlm_bundle_json(vlm_json_doc **out, const vlm_bundle *bundle, vlm_bundle_text text,
                           vlm_error *err);

/* How images become pixel_values; *stated false when no file of the bundle says it. */
vlm_status vlm_bundle_preprocess(vlm_preprocess *out, bool *stated, const vlm_bundle *bundle, vlm_error *err);

/* What config.json states about the decoder, at top level or in "text_config" or "decoder"; 0 = not stated. */
typedef struct vlm_decoder_facts {
  int64_t positions;           /* longest sequence */
  int64_t kv_heads, head_size; /* of the cache */
  int64_t first_position;      /* position_ids start here: 1 for PaliGemma and Gemma 3 */
} vlm_decoder_facts;
vlm_status vlm_bundle_decoder_facts(vlm_decoder_facts *out, const vlm_bundle *bundle, vlm_error *err);

/* vlm.json's prompt.default, or NULL. Free with vlm_free. */
vlm_status vlm_bundle_default_prompt(char **out, const vlm_bundle *bundle, vlm_error *err);

#endif
