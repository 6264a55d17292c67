#include "export/export.h"

#include "export/exporter.h"
#include "runtime/ops/resolve.h"

const char *vlm_export_form_name(vlm_export_form form) {
  static const char *const NAMES[] = {
#define X(name, text) text,
      VLM_EXPORT_FORMS(X)
#undef X
  };
  return NAMES[form];
}

void vlm_export_report_free(vlm_export_report *report) {
  vlm_free(report->items);
  *report = (vlm_export_report){.items = NULL};
}

void vlm_export_ranges_free(vlm_export_ranges *ranges) {
  vlm_free(ranges->stats);
  vlm_free(ranges->ranges);
  *ranges = (vlm_export_ranges){.stats = NULL};
}

bool vlm_exporter_has(const vlm_exporter *x, int32_t flag) { return vlm_target_has(x->opts->target, flag); }

static vlm_status write_report(const vlm_exporter *x, vlm_export_report *report) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < x->n_items; i++) {
    const vlm_export_item *item = &x->items[i];
    if (report->count == report->capacity) {
      int32_t wanted = report->capacity ? 2 * report->capacity : 64;
      VLM_TRY(vlm_more(&report->items, report->count, wanted, x->err));
      report->capacity = wanted;
    }
    report->items[report->count++] = (vlm_exported){item->plan, item->form, item->why, item->narrowed};
  }
out:
  return st;
}

/* All activations first: what a node makes is judged by who reads it in 8 bits. */
static vlm_status quantize_activations(vlm_exporter *x) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < x->n_items; i++) {
    vlm_export_item *item = &x->items[i];
    if (item->form != VLM_EXPORT_STATIC) continue;
    vlm_value_id id = item->graph->nodes[item->node].inputs[item->plan->slot.activation];
    VLM_TRY(vlm_export_quantize(x, item->graph, id, &item->plan->range, &item->through));
    VLM_TRY(vlm_export_dequantize(x, item->through,
                                  &item->graph->nodes[item->node].inputs[item->plan->slot.activation]));
  }
out:
  return st;
}

/* Those whose output is 8 bits because the target wants it so. */
static void mark_narrowed(vlm_exporter *x) {
  for (int32_t i = 0; i < x->n_items; i++) {
    vlm_export_item *item = &x->items[i];
    bool product = item->graph->nodes[item->node].traits->family == VLM_FAMILY_PRODUCT;
    int32_t flag = product ? VLM_TARGET_PRODUCT_OUTPUT : VLM_TARGET_CONV_OUTPUT;
    item->narrowed =
        item->form == VLM_EXPORT_STATIC && vlm_exporter_has(x, flag) && !vlm_export_read_in_bytes(x, item);
  }
}

/* The weight alone, for targets that read it through DequantizeLinear. */
static vlm_status store_weight(vlm_exporter *x, const vlm_export_item *item) {
  vlm_status st = VLM_OK;
  vlm_export_weight w;
  vlm_value_id floats;
  VLM_TRY(vlm_export_weight_of(x, item, false, &w));
  VLM_TRY(vlm_export_weight_dequantized(x, item, &w, &floats));
  item->graph->nodes[item->node].inputs[item->plan->slot.input] = floats;
out:
  return st;
}

static vlm_status rewrite_stored(vlm_exporter *x, const vlm_export_item *item) {
  bool table = item->graph->nodes[item->node].traits->family == VLM_FAMILY_TABLE;
  if (table) return vlm_export_table(x, item);
  return vlm_exporter_has(x, VLM_TARGET_NBITS) ? vlm_export_nbits(x, item) : store_weight(x, item);
}

static vlm_status rewrite(vlm_exporter *x, const vlm_export_item *item) {
  bool product = item->graph->nodes[item->node].traits->family == VLM_FAMILY_PRODUCT;
  switch (item->form) {
    case VLM_EXPORT_STATIC: return product ? vlm_export_product(x, item) : vlm_export_conv(x, item);
    case VLM_EXPORT_DYNAMIC: return vlm_export_dynamic(x, item);
    case VLM_EXPORT_WEIGHT_ONLY: return rewrite_stored(x, item);
    default: return VLM_OK;
  }
}

vlm_status vlm_export_graph(vlm_graph *graph, const char *role, const vlm_quant_plan *plan,
                            const vlm_export_opts *opts, vlm_export_report *report, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_exporter x = {.plan = plan, .opts = opts, .err = err};
  x.ranges = opts->ranges ? opts->ranges : &x.own_ranges;
  VLM_TRY(vlm_arena_create(&x.arena, err));
  VLM_TRY(vlm_bodies_make(&x.bodies, graph, role, x.arena, err));
  VLM_TRY(vlm_graph_keep(graph, vlm_weight_store_share(plan->weights), vlm_weight_store_release, err));
  VLM_TRY(vlm_export_find_items(&x));
  VLM_TRY(quantize_activations(&x));
  mark_narrowed(&x);
  for (int32_t i = 0; i < x.n_items; i++) {
    st = rewrite(&x, &x.items[i]);
    if (st != VLM_OK)
      vlm_error_context(err, "%s: node \"%s\"", x.items[i].plan->graph, x.items[i].plan->node);
    VLM_TRY(st);
  }
  VLM_TRY(vlm_graph_sweep(graph, err));
  for (int32_t b = 0; b < x.bodies.count; b++) VLM_TRY(vlm_export_guard(&x, x.bodies.items[b].graph));
  VLM_TRY(vlm_graph_resolve(graph, err));
  VLM_TRY(write_report(&x, report));
out:
  vlm_export_ranges_free(&x.own_ranges);
  vlm_free(x.items);
  vlm_free(x.through);
  vlm_bodies_free(&x.bodies);
  if (x.arena) vlm_arena_free(x.arena);
  return st;
}
