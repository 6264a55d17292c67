/* The files of a folder as users have it, made into what the runtime reads: the preprocessing list, and what goes
 * around a prompt. */
#ifndef VLM_HUB_RESOLVE_H
#define VLM_HUB_RESOLVE_H

#include "runtime/bundle/bundle.h"

/* From the bundle's texts: vlm.json's "preprocess", else "image_processor" of processor_config.json, else preprocessor_config.json. Files that
 * say it, but in vain, are no failure here: the bundle keeps the reason for whoever asks for the list. */
/* A decoder-only model gets its chat.json (hub/chat.h) where it has none. */
vlm_status vlm_hub_resolve(vlm_bundle *bundle, vlm_error *err);

#endif
