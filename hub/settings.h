/* Settings of generation_config.json that change what a model says and that nothing here applies. */
#ifndef VLM_HUB_SETTINGS_H
#define VLM_HUB_SETTINGS_H

#include "runtime/bundle/bundle.h"

/* Their names, "do_sample, num_beam_groups"; "" = none. Free with vlm_free. */
vlm_status vlm_hub_ignored(char **out, const vlm_bundle *bundle, vlm_error *err);

#endif
