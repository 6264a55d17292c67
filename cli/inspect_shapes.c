/* Shapes to look at a single graph with: what the file and --shape leave open is 1. */
#include <string.h>

#include "cli/inspect.h"

/* Each dim is told once: by its name, or as INPUT[AXIS] where it has none. */
static vlm_status assume(vlm_text *assumed, const vlm_value *v, int axis, vlm_error *err) {
  char entry[600];
  if (v->dim_names[axis]) snprintf(entry, sizeof entry, "%s = 1", v->dim_names[axis]);
  else snprintf(entry, sizeof entry, "%s[%d] = 1", v->name, axis);
  size_t n = strlen(entry);
  for (const char *at = vlm_text_get(assumed); (at = strstr(at, entry)); at++) {
    bool starts = at == assumed->data || at[-1] == ' ', ends = !at[n] || at[n] == ',';
    if (starts && ends) return VLM_OK;
  }
  return vlm_text_print(assumed, err, "%s%s", assumed->bytes ? ", " : "", entry);
}

vlm_status vlm_shapes_assume(vlm_tensor *inputs, const vlm_graph *graph, vlm_text *assumed, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    const vlm_value *v = &graph->values[graph->inputs[i]];
    vlm_tensor *t = &inputs[i];
    *t = v->tensor;
    t->data = NULL;
    VLM_CHECK(t->rank >= 0, err, VLM_INPUT, "input \"%s\" has no stated shape", v->name);
    VLM_CHECK(t->dtype != VLM_NONE, err, VLM_INPUT, "input \"%s\" has no stated type", v->name);
    for (int d = 0; d < t->rank; d++) {
      if (t->dims[d] >= 0) continue;
      t->dims[d] = 1;
      VLM_TRY(assume(assumed, v, d, err));
    }
  }
out:
  return st;
}
