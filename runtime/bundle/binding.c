#include "runtime/bundle/binding.h"

#include <string.h>

static const char *const NAMES[VLM_BIND_COUNT] = {
#define X(kind, name) name,
#include "runtime/bundle/bindings.def"
#undef X
};

const char *vlm_binding_name(vlm_binding_kind kind) {
  return (unsigned)kind < VLM_BIND_COUNT ? NAMES[kind] : "?";
}

vlm_binding_kind vlm_binding_parse(const char *name) {
  for (int k = 0; k < VLM_BIND_PAST; k++)
    if (!strcmp(NAMES[k], name)) return (vlm_binding_kind)k;
  return !strncmp(name, NAMES[VLM_BIND_PAST], strlen(NAMES[VLM_BIND_PAST])) ? VLM_BIND_PAST : VLM_BIND_COUNT;
}

const char *vlm_cache_suffix(const char *name) {
  static const char *const PREFIXES[] = {"past_key_values.", "present.", "present_key_values."};
  for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
    if (!strncmp(name, PREFIXES[i], strlen(PREFIXES[i]))) return name + strlen(PREFIXES[i]);
  return NULL;
}

int32_t vlm_output_index(const vlm_graph *graph, const char *name) {
  int32_t index = vlm_graph_find_output(graph, name);
  return index < 0 ? 0 : index;
}
