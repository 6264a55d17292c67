/* What processor_config.json and preprocessor_config.json say, as a preprocessing list.
 *
 * hub/ reads the files that models of the transformers library come with. Whatever it finds becomes what the runtime knows: a packed model
 * carries the result, so that none of this is needed to run one. */
#ifndef VLM_HUB_PROCESSOR_H
#define VLM_HUB_PROCESSOR_H

#include "runtime/base/json.h"
#include "runtime/image/preprocess.h"

/* `config` is preprocessor_config.json, or "image_processor" of processor_config.json. Known classes stand in hub/processors.def, with
 * and without "Fast"; what the file leaves out is as the class has it. Files without a type have to state everything.
 * `model` is config.json or absent: there original LLaVA-style models keep "image_aspect_ratio": "pad". */
vlm_status vlm_processor_steps(vlm_preprocess *out, vlm_json config, vlm_json model, vlm_error *err);

#endif
