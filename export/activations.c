#include <string.h>

#include "export/exporter.h"
#include "onnx/pass.h"

/* ---- in front of a node ---- */

static int32_t zero_of(const vlm_exporter *x, int32_t zero_point) {
  return x->opts->target->activations == VLM_S8 ? zero_point - 128 : zero_point;
}

static int32_t find_through(const vlm_exporter *x, const vlm_graph *graph, vlm_value_id id,
                            const vlm_range *range) {
  for (int32_t i = 0; i < x->n_through; i++) {
    const vlm_exported_byte *t = &x->through[i];
    bool same = !range || (t->step == range->scale && t->zero_point == range->zero_point);
    if (t->graph == graph && t->id == id && same) return i;
  }
  return -1;
}

static vlm_status new_through(vlm_exporter *x, int32_t *out) {
  vlm_status st = VLM_OK;
  if (x->n_through == x->cap_through) {
    int32_t wanted = x->cap_through ? 2 * x->cap_through : 64;
    VLM_TRY(vlm_more(&x->through, x->n_through, wanted, x->err));
    x->cap_through = wanted;
  }
  *out = x->n_through++;
out:
  return st;
}

vlm_status vlm_export_quantize(vlm_exporter *x, vlm_graph *graph, vlm_value_id id, const vlm_range *range,
                               int32_t *through) {
  vlm_status st = VLM_OK;
  const char *base = graph->values[id].name;
  vlm_exported_byte t = {.graph = graph,
                         .id = id,
                         .q = VLM_NO_VALUE,
                         .dequantized = VLM_NO_VALUE,
                         .step = range->scale,
                         .zero_point = range->zero_point};
  *through = find_through(x, graph, id, range);
  if (*through >= 0) return VLM_OK;
  VLM_TRY(vlm_part_scalar(x, graph, &t.scale, base, "_scale", VLM_F32, (double)range->scale));
  VLM_TRY(vlm_part_scalar(x, graph, &t.zero, base, "_zero_point", x->opts->target->activations,
                          zero_of(x, range->zero_point)));
  VLM_TRY(vlm_part_add(x, graph, &t.q, &t.node,
                       &(vlm_part){.op_type = "QuantizeLinear",
                                   .base = base,
                                   .suffix = "_quantized",
                                   .inputs = (vlm_value_id[]){id, t.scale, t.zero},
                                   .n_inputs = 3}));
  VLM_TRY(new_through(x, through));
  x->through[*through] = t;
out:
  return st;
}

static vlm_status add_dequantize(vlm_exporter *x, const vlm_exported_byte *t, vlm_value_id *out) {
  return vlm_part_add(x, t->graph, out, NULL,
                      &(vlm_part){.op_type = "DequantizeLinear",
                                  .base = t->graph->values[t->id].name,
                                  .suffix = "_dequantized",
                                  .inputs = (vlm_value_id[]){t->q, t->scale, t->zero},
                                  .n_inputs = 3});
}

vlm_status vlm_export_dequantize(vlm_exporter *x, int32_t through, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  vlm_exported_byte *t = &x->through[through];
  if (t->dequantized == VLM_NO_VALUE) VLM_TRY(add_dequantize(x, t, &t->dequantized));
  *out = t->dequantized;
out:
  return st;
}

/* ---- behind a node ---- */

/* The node that alone reads the value and that a range from 0 on makes needless; -1 = none. */
static int32_t clamp_behind(const vlm_graph *graph, vlm_value_id id, float *high) {
  if (vlm_pass_uses(graph, id) != 1 || vlm_pass_is_output(graph, id)) return -1;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    double low = 1, most = 0;
    if (node->n_inputs < 1 || node->inputs[0] != id) continue;
    *high = 3e38f;
    if (vlm_node_is(node, "Relu")) return n;
    bool clip = vlm_node_is(node, "Clip") && node->n_inputs == 3 && node->opset >= 11 &&
                vlm_pass_scalar(graph, node->inputs[1], &low) &&
                vlm_pass_scalar(graph, node->inputs[2], &most);
    *high = (float)most;
    return clip && low == 0 && most > 0 ? n : -1;
  }
  return -1;
}

/* What is quantized behind a node: its output, or that of the clamp behind it. */
typedef struct {
  vlm_value_id id;
  int32_t clamp; /* node, -1 = none */
  float high;
} result;

static result result_of(const vlm_graph *graph, int32_t node) {
  result r = {.id = graph->nodes[node].outputs[0]};
  r.clamp = clamp_behind(graph, r.id, &r.high);
  if (r.clamp >= 0) r.id = graph->nodes[r.clamp].outputs[0];
  return r;
}

static const vlm_node_plan *planned_reader(const vlm_exporter *x, const char *path, const char *name) {
  for (int32_t i = 0; i < x->n_items; i++) {
    const vlm_node_plan *p = x->items[i].plan;
    bool reads = p->decision == VLM_DECIDE_STATIC && p->has_range && x->items[i].form == VLM_EXPORT_STATIC;
    if (reads && !strcmp(p->graph, path) && !strcmp(p->input, name)) return p;
  }
  return NULL;
}

/* Choosing takes time: once for each tensor. */
static vlm_status choose_range(vlm_exporter *x, const vlm_tensor_stats *seen, vlm_range *out) {
  vlm_status st = VLM_OK;
  vlm_export_ranges *known = x->ranges;
  for (int32_t i = 0; i < known->count; i++)
    if (known->stats[i] == seen) return *out = known->ranges[i], VLM_OK;
  if (known->count == known->capacity) {
    int32_t wanted = known->capacity ? 2 * known->capacity : 64;
    VLM_TRY(vlm_more(&known->stats, known->count, wanted, x->err));
    VLM_TRY(vlm_more(&known->ranges, known->count, wanted, x->err));
    known->capacity = wanted;
  }
  VLM_TRY(vlm_range_choose(out, seen, x->opts->quant->range, x->opts->quant->percentile, x->err));
  known->stats[known->count] = seen;
  known->ranges[known->count++] = *out;
out:
  return st;
}

static vlm_status range_of(vlm_exporter *x, const vlm_export_item *item, const result *r, vlm_range *out,
                           bool *found) {
  vlm_status st = VLM_OK;
  const char *name = item->graph->values[r->id].name;
  const vlm_node_plan *reader = planned_reader(x, item->plan->graph, name);
  const vlm_tensor_stats *seen =
      x->opts->stats ? vlm_stats_find(x->opts->stats, item->plan->graph, name) : NULL;
  *found = reader || (seen && seen->count);
  if (reader) *out = reader->range;
  else if (*found) VLM_TRY(choose_range(x, seen, out));
  /* The clamp stays where the range does not do its work. */
  if (*found && r->clamp >= 0) *found = out->zero_point == 0 && out->scale * 255 <= r->high * 1.0001f;
out:
  return st;
}

/* Behind the clamp where its range is known, else in front of it. */
static vlm_status choose_result(vlm_exporter *x, const vlm_export_item *item, result *r, vlm_range *range,
                                bool *found) {
  vlm_status st = VLM_OK;
  *r = result_of(item->graph, item->node);
  VLM_TRY(range_of(x, item, r, range, found));
  if (*found || r->clamp < 0) return VLM_OK;
  *r = (result){.id = item->graph->nodes[item->node].outputs[0], .clamp = -1};
  VLM_TRY(range_of(x, item, r, range, found));
out:
  return st;
}

vlm_status vlm_export_can_quantize_output(vlm_exporter *x, const vlm_export_item *item, bool *found) {
  result r;
  vlm_range range;
  return choose_result(x, item, &r, &range, found);
}

/* The clamp goes: its output is what the node makes. */
static void take_clamp(vlm_graph *graph, int32_t node, const result *r) {
  if (r->clamp < 0) return;
  graph->nodes[r->clamp].outputs[0] = VLM_NO_VALUE;
  graph->values[graph->nodes[node].outputs[0]].producer = -1;
  vlm_node_set_output(graph, node, 0, r->id);
}

/* Those who read the value as it was read what the bytes stand for. */
static vlm_status restore_readers(vlm_exporter *x, vlm_exported_byte *t) {
  vlm_status st = VLM_OK;
  vlm_value_id id = t->id;
  if (t->dequantized != VLM_NO_VALUE) {
    int32_t made = t->graph->values[t->dequantized].producer;
    vlm_graph_replace_uses(t->graph, t->dequantized, id);
    vlm_node_set_output(t->graph, made, 0, id);
    t->dequantized = id;
    return VLM_OK;
  }
  if (vlm_pass_uses(t->graph, id) == 0) return VLM_OK;
  VLM_TRY(add_dequantize(x, t, &id));
  t->dequantized = id;
out:
  return st;
}

vlm_status vlm_export_quantize_output(vlm_exporter *x, const vlm_export_item *item, int32_t *through,
                                      const char **why) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = item->graph;
  result r;
  vlm_range range;
  vlm_value_id fresh;
  bool found;
  *through = -1;
  *why = "the range of what it makes is not known: statistics of vlm-calibrate --everything";
  VLM_TRY(choose_result(x, item, &r, &range, &found));
  if (!found) goto out;
  take_clamp(graph, item->node, &r);
  VLM_TRY(vlm_export_quantize(x, graph, r.id, &range, through));
  vlm_exported_byte *t = &x->through[*through];
  VLM_TRY(vlm_part_detach(x, graph, item->node, &fresh));
  graph->nodes[t->node].inputs[0] = fresh;
  VLM_TRY(restore_readers(x, t));
out:
  return st;
}

bool vlm_export_read_in_bytes(const vlm_exporter *x, const vlm_export_item *item) {
  result r = result_of(item->graph, item->node);
  int32_t through = find_through(x, item->graph, r.id, NULL);
  bool folds = through >= 0 && (r.clamp < 0 || (x->through[through].zero_point == 0 &&
                                                x->through[through].step * 255 <= r.high * 1.0001f));
  return folds && vlm_pass_uses(item->graph, r.id) == 1;
}
