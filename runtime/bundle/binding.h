/* Graph inputs by meaning, so that runs fill them without looking at names. */
#ifndef VLM_BUNDLE_BINDING_H
#define VLM_BUNDLE_BINDING_H

#include "runtime/graph/graph.h"

typedef enum vlm_binding_kind {
#define X(kind, name) VLM_BIND_##kind,
#include "runtime/bundle/bindings.def"
#undef X
  VLM_BIND_COUNT
} vlm_binding_kind;

typedef struct vlm_binding {
  vlm_binding_kind kind;
  int32_t cache; /* PAST: index into the cache layout */
} vlm_binding;

const char *vlm_binding_name(vlm_binding_kind kind);
/* Meaning of an input name; VLM_BIND_COUNT when it has none. */
vlm_binding_kind vlm_binding_parse(const char *name);
/* "0.decoder.key" of "past_key_values.0.decoder.key" or "present.0.decoder.key"; NULL for other names. */
const char *vlm_cache_suffix(const char *name);

/* Index of the output with that name, else 0: graphs with one output may call it what they like. */
int32_t vlm_output_index(const vlm_graph *graph, const char *name);

#endif
