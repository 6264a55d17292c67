/* Graphs of a bundle turned into what runs: done once, before sessions are made. */
#ifndef VLM_DECODE_BUNDLE_LOWER_H
#define VLM_DECODE_BUNDLE_LOWER_H

#include "runtime/bundle/bundle.h"

/* Lowers every graph in place (lower/lower.h); one that plays two roles once. */
vlm_status vlm_bundle_lower(vlm_bundle *bundle, vlm_error *err);

#endif
