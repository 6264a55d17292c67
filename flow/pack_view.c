#include "flow/pack_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of tensors: the table has none, the graphs' constants point into it ---- */

static int by_data(const void *a, const void *b) {
  const vlm_pack_name *x = a, *y = b;
  if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
  return 0;
}

static int by_data_and_order(const void *a, const void *b) {
  int order = by_data(a, b);
  return order ? order : ((const vlm_pack_name *)a)->order - ((const vlm_pack_name *)b)->order;
}

static vlm_status add_names(vlm_pack_view *v, const vlm_graph *g, const char *role, int32_t *capacity,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < g->n_values; i++) {
    if (g->values[i].kind != VLM_VALUE_CONSTANT) continue;
    if (v->n_names == *capacity) {
      int32_t wanted = *capacity ? 2 * *capacity : 256;
      VLM_TRY(vlm_more(&v->names, v->n_names, wanted, err));
      *capacity = wanted;
    }
    v->names[v->n_names] = (vlm_pack_name){g->values[i].tensor.data, v->n_names, role, g->values[i].name};
    v->n_names++;
  }
  for (int32_t n = 0; n < g->n_nodes; n++)
    for (int32_t a = 0; a < g->nodes[n].n_attrs; a++)
      if (g->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(add_names(v, g->nodes[n].attrs[a].u.g, role, capacity, err));
out:
  return st;
}

/* The first graph that reads a tensor gives its name. */
static vlm_status collect_names(vlm_pack_view *v, vlm_error *err) {
  int32_t capacity = 0, kept = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const vlm_graph *g = vlm_bundle_graph_once(v->stored, r);
    vlm_status st = g ? add_names(v, g, vlm_role_name((vlm_role)r), &capacity, err) : VLM_OK;
    if (st != VLM_OK) return st;
  }
  if (v->n_names) qsort(v->names, (size_t)v->n_names, sizeof *v->names, by_data_and_order);
  for (int32_t i = 0; i < v->n_names; i++)
    if (!kept || by_data(&v->names[kept - 1], &v->names[i])) v->names[kept++] = v->names[i];
  v->n_names = kept;
  return VLM_OK;
}

const char *vlm_pack_tensor_name(const vlm_pack_view *v, const vlm_pack_tensor *tensor, char *text,
                                 size_t size) {
  const vlm_pack_name key = {.data = tensor->tensor.data};
  const vlm_pack_name *found =
      v->n_names ? bsearch(&key, v->names, (size_t)v->n_names, sizeof *v->names, by_data) : NULL;
  text[0] = 0;
  if (found) snprintf(text, size, "%s/%s", found->role, found->name);
  return text;
}

/* ---- opening ---- */

vlm_status vlm_pack_view_open(vlm_pack_view *v, vlm_context *context, const char *path,
                              const vlm_flow_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_flow_open_opts run = opts ? *opts : (vlm_flow_open_opts){.lower = true};
  run.lower = true;
  v->path = path;
  VLM_TRY(vlm_pack_open(&v->pack, path, NULL, err));
  VLM_TRY(vlm_pack_bundle(&v->stored, v->pack, err));
  VLM_TRY(collect_names(v, err));
  VLM_TRY(vlm_pack_bundle(&v->bundle, v->pack, err));
  VLM_TRY(vlm_flow_open_finish(v->bundle, &run, err));
  VLM_TRY(vlm_model_view_make(&v->model, context, v->bundle, false, err));
out:
  return st;
}

void vlm_pack_view_free(vlm_pack_view *v) {
  vlm_model_view_free(&v->model);
  vlm_free(v->names);
  vlm_bundle_free(v->bundle);
  vlm_bundle_free(v->stored);
  vlm_pack_close(v->pack);
}
