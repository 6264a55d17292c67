#include "calib/graph_inputs.h"

#include <stdio.h>
#include <string.h>

/* Names of arrays come from files, where "/" and ":" cannot be written. */
static bool same_name(const char *input, const char *array) {
  for (; *input && *array; input++, array++) {
    bool odd = *input == '/' || *input == ':';
    if (*input != *array && !(odd && *array == '_')) return false;
  }
  return !*input && !*array;
}

static void list_inputs(const vlm_graph *graph, char *text, size_t size) {
  text[0] = 0;
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s%s", i ? ", " : "", graph->values[graph->inputs[i]].name);
  }
}

vlm_status vlm_match_inputs(vlm_tensor *inputs, const vlm_graph *graph, const char *const *names, const vlm_tensor *tensors, size_t count, vlm_error *err) {
  char known[400];
  list_inputs(graph, known, sizeof known);
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    const char *name = graph->values[graph->inputs[i]].name;
    size_t k = 0;
    while (k < count && !same_name(name, names[k])) k++;
    if (k == count && count == 1 && graph->n_inputs == 1) k = 0; /* one array for one input may have any name */
    if (k == count) return vlm_fail(err, VLM_INPUT, "%s: input \"%s\" is missing; the inputs are %s", graph->source, name, known);
    inputs[i] = tensors[k];
  }
  return VLM_OK;
}
