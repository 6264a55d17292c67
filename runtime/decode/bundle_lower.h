/* Graphs of a bundle turned into what runs: done once, before sessions are made. */
#ifndef VLM_DECODE_BUNDLE_LOWER_H
#define VLM_DECODE_BUNDLE_LOWER_H

#include "runtime/bundle/bundle.h"
#include "runtime/lower/lower.h"

/* Lowers every graph in place (lower/lower.h); one that plays two roles once. reports: [VLM_ROLE_COUNT],
 * zeroed, or NULL; a graph of two roles has its entries at the first. */
vlm_status vlm_bundle_lower(vlm_bundle *bundle, vlm_lower_report *reports, vlm_error *err);

#endif
