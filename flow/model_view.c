#include "flow/model_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/costs.h"
#include "flow/foresee.h"

/* ---- operators ---- */

typedef struct {
  vlm_op_total *items;
  int32_t count, capacity;
} total_list;

static vlm_status find_total(total_list *list, const vlm_node *node, vlm_op_total **out, vlm_error *err) {
  for (int32_t i = 0; i < list->count; i++)
    if (!strcmp(list->items[i].op_type, node->op_type) && !strcmp(list->items[i].domain, node->domain)) {
      *out = &list->items[i];
      return VLM_OK;
    }
  if (list->count == list->capacity) {
    vlm_status st = vlm_more(&list->items, list->count, (size_t)list->count + 64, err);
    if (st != VLM_OK) return st;
    list->capacity += 64;
  }
  *out = &list->items[list->count++];
  **out = (vlm_op_total){.domain = node->domain, .op_type = node->op_type};
  return VLM_OK;
}

static vlm_status count_nodes(total_list *list, const vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_op_total *total;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    VLM_TRY(find_total(list, &g->nodes[n], &total, err));
    total->nodes++;
    for (int32_t a = 0; a < g->nodes[n].n_attrs; a++)
      if (g->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(count_nodes(list, g->nodes[n].attrs[a].u.g, err));
  }
out:
  return st;
}

static int by_work(const void *a, const void *b) {
  const vlm_op_total *x = a, *y = b;
  if (x->macs != y->macs) return x->macs > y->macs ? -1 : 1;
  if (x->nodes != y->nodes) return x->nodes > y->nodes ? -1 : 1;
  int order = strcmp(x->domain, y->domain);
  return order ? order : strcmp(x->op_type, y->op_type);
}

vlm_status vlm_op_totals(vlm_op_total **out, int32_t *count, const vlm_graph *graph,
                         const vlm_profile *profile, vlm_error *err) {
  vlm_status st = VLM_OK;
  total_list list = {0};
  vlm_op_total *total;
  VLM_TRY(count_nodes(&list, graph, err));
  for (int32_t i = 0; profile && i < profile->n_nodes; i++) {
    VLM_TRY(find_total(&list, &profile->nodes[i].graph->nodes[profile->nodes[i].node], &total, err));
    if (__builtin_add_overflow(total->macs, profile->nodes[i].macs, &total->macs)) total->macs = INT64_MAX;
  }
  if (list.count) qsort(list.items, (size_t)list.count, sizeof *list.items, by_work);
out:
  if (st != VLM_OK) {
    vlm_free(list.items);
    list = (total_list){0};
  }
  *out = list.items;
  *count = list.count;
  return st;
}

const char *vlm_op_total_name(const vlm_op_total *op, char text[96]) {
  snprintf(text, 96, "%s%s%s", op->domain, *op->domain ? "." : "", op->op_type);
  return text;
}

/* ---- the view ---- */

vlm_status vlm_model_view_make(vlm_model_view *out, vlm_context *context, const vlm_bundle *bundle,
                               bool quantizable, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_model_view){.bundle = bundle};
  VLM_TRY(vlm_bundle_count_weights(out->weights, &out->total, bundle, err));
  VLM_TRY(vlm_costs_make(&out->costs, &out->assumed, context, bundle, NULL, err));
  if (quantizable) VLM_TRY(vlm_foresee(&out->plan, &out->coverage, bundle, &out->costs, err));
out:
  if (st != VLM_OK) vlm_model_view_free(out);
  return st;
}

void vlm_model_view_free(vlm_model_view *view) {
  vlm_coverage_free(view->coverage);
  vlm_quant_plan_free(view->plan);
  vlm_bundle_profile_free(&view->costs);
  vlm_text_free(&view->assumed);
  *view = (vlm_model_view){.bundle = NULL};
}
