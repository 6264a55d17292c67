#include "onnx/passes.h"

#include <string.h>

#include "onnx/pass.h"
#include "runtime/ops/resolve.h"

static const struct {
  const char *name, *text;
  vlm_pass *run;
} passes[] = {
#define X(name, function, text) {#name, text, function},
#include "onnx/passes.def"
#undef X
};
enum { PASS_COUNT = sizeof passes / sizeof passes[0] };

const char *vlm_pass_name(int32_t k) { return k >= 0 && k < PASS_COUNT ? passes[k].name : NULL; }
const char *vlm_pass_text(int32_t k) { return k >= 0 && k < PASS_COUNT ? passes[k].text : NULL; }

static bool is_skipped(const char *list, const char *name) {
  size_t size = strlen(name);
  while (list != NULL && *list != '\0') {
    size_t item = strcspn(list, ",");
    if (item == size && strncmp(list, name, size) == 0) return true;
    list += item + (list[item] == ',');
  }
  return false;
}

static vlm_status run_everywhere(vlm_pass *pass, vlm_graph *graph, const vlm_clean_opts *opts,
                                 int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(run_everywhere(pass, graph->nodes[n].attrs[a].u.g, opts, changes, err));
  VLM_TRY(pass(graph, opts, changes, err));
out:
  return st;
}

vlm_status vlm_graph_clean(vlm_graph *graph, const vlm_clean_opts *opts, vlm_error *err) {
  static const vlm_clean_opts defaults = {0};
  vlm_status st = VLM_OK;
  if (opts == NULL) opts = &defaults;
  for (int32_t k = 0; k < PASS_COUNT; k++) {
    int32_t changes = 0;
    if (is_skipped(opts->skip, passes[k].name)) continue;
    VLM_TRY(run_everywhere(passes[k].run, graph, opts, &changes, err));
    if (changes > 0) {
      VLM_TRY(vlm_graph_sweep(graph, err));
      VLM_TRY(vlm_graph_resolve(graph, err));
    }
    if (opts->after_pass != NULL) opts->after_pass(opts->user, passes[k].name, changes, graph);
  }
  VLM_TRY(vlm_graph_collect(graph, err));
out:
  return st;
}
