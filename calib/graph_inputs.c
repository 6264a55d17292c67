#include "calib/graph_inputs.h"

#include <stdio.h>
#include <string.h>

bool vlm_input_is_called(const char *input, const char *file) {
  for (; *input && *file; input++, file++)
    if (*input != *file && !(*file == '_' && strchr("/:\\*?\"<>|", *input))) return false;
  return *input == *file;
}

static bool is_input(const vlm_graph *graph, const char *name) {
  return vlm_graph_find_input(graph, name) >= 0;
}

/* The array of exactly that name, else one that a file system changed the name of, unless that is the name of another input. */
static size_t find_array(const vlm_graph *graph, const char *name, const char *const *names, size_t count) {
  for (size_t k = 0; k < count; k++)
    if (strcmp(name, names[k]) == 0) return k;
  size_t k = 0;
  while (k < count && (!vlm_input_is_called(name, names[k]) || is_input(graph, names[k]))) k++;
  return k;
}

static void list_inputs(const vlm_graph *graph, char *text, size_t size) {
  text[0] = 0;
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s%s", i ? ", " : "", graph->values[graph->inputs[i]].name);
  }
}

vlm_status vlm_match_inputs(vlm_tensor *inputs, const vlm_graph *graph, const char *const *names,
                            const vlm_tensor *tensors, size_t count, vlm_error *err) {
  char known[400];
  list_inputs(graph, known, sizeof known);
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    const char *name = graph->values[graph->inputs[i]].name;
    size_t k = find_array(graph, name, names, count);
    if (k == count && count == 1 && graph->n_inputs == 1)
      k = 0; /* one array for one input may have any name */
    if (k == count)
      return vlm_fail(err, VLM_INPUT, "%s: input \"%s\" is missing; the inputs are %s", graph->source, name,
                      known);
    inputs[i] = tensors[k];
  }
  return VLM_OK;
}
