#include "export/placement.h"

#include <string.h>

#include "export/limits.h"
#include "export/marks.h"
#include "runtime/ops/traits.h"

typedef struct {
  const vlm_graph *graph;
  const vlm_place_opts *opts;
  vlm_placement *out;
  vlm_units units;
  const vlm_tensor *shapes;
  vlm_tensor *stated; /* when nobody knows more */
  vlm_marks marks;
  vlm_error *err;
} placer;

static bool provider_has(const placer *p, int32_t flag) {
  return (vlm_provider_flags(p->opts->target->provider) & flag) != 0;
}

static const char *shape_trouble(const placer *p, const vlm_node *node) {
  bool open = vlm_marks_any(node, p->marks.open);
  for (int32_t k = 0; k < node->n_outputs; k++)
    open |= node->outputs[k] != VLM_NO_VALUE && p->marks.open[node->outputs[k]];
  if (p->opts->body && !provider_has(p, VLM_PROVIDER_BODIES)) return "the body of a control-flow operator";
  if (provider_has(p, VLM_PROVIDER_STOPS) && vlm_marks_any(node, p->marks.stopped))
    return "behind a NonMaxSuppression";
  return provider_has(p, VLM_PROVIDER_FIXED) && open ? "its shapes are not fixed" : NULL;
}

/* ---- one operator ---- */

static int32_t unit_bit(vlm_dtype type) {
  return type == VLM_U8 ? VLM_UNIT_U8 : type == VLM_S8 ? VLM_UNIT_S8 : 4;
}

/* Why it is no integer kernel there; NULL = it is one. */
static const char *unit_trouble(const vlm_covered *row, const vlm_limited *l) {
  if (!row || !row->units) return "the target has no such operator in 8 bits";
  if (l->unit->input != VLM_NONE && !(row->units & unit_bit(l->unit->input)))
    return l->unit->input == VLM_S8 ? "its activations are int8, not uint8" : "the type of its activations";
  return vlm_limits_refuse(l, row->unit_limits);
}

/* Operators that are integer by themselves. */
static bool is_integer(const vlm_node *node) {
  return (node->traits->flags & VLM_TRAIT_INTEGER) || !strncmp(node->op_type, "QLinear", 7) ||
         !strcmp(node->op_type, "QGemm");
}

static bool has_operator(const placer *p, const vlm_covered *row, const vlm_node *node) {
  bool plain = !*node->domain || !strcmp(node->domain, "com.microsoft");
  bool body = false;
  for (int32_t a = 0; a < node->n_attrs; a++) body |= node->attrs[a].kind == VLM_ATTR_GRAPH;
  return provider_has(p, VLM_PROVIDER_TAKES_ALL) || (row && plain && !body);
}

/* A unit that has no kernel is floats between DequantizeLinear and QuantizeLinear on a CPU, and nothing at all elsewhere. */
static void place_unit(const placer *p, vlm_fate *out, const vlm_covered *row, const vlm_limited *l) {
  out->why = out->taken ? unit_trouble(row, l) : out->why;
  out->integer = out->taken && !out->why;
  out->dequantizes = !out->integer && l->unit->weight != VLM_NONE;
  if (!out->integer && !provider_has(p, VLM_PROVIDER_TAKES_ALL)) out->taken = false;
  if (out->integer) out->kernel = row->kernel;
  bool float_result = out->integer && l->unit->output < 0 && p->opts->target->provider == VLM_PROVIDER_ORT;
  if (float_result && vlm_node_is(l->node, "MatMul")) out->kernel = "MatMulIntegerToFloat";
}

static void place(const placer *p, int32_t n) {
  const vlm_node *node = &p->graph->nodes[n];
  vlm_fate *out = &p->out->nodes[n];
  const vlm_unit *unit = &p->units.items[n];
  const vlm_covered *row = vlm_coverage_find(p->opts->target->provider, node->op_type);
  const vlm_limited l = {p->graph, node, unit, p->shapes, p->marks.known};
  out->folded = vlm_marks_folds(&p->marks, node);
  out->whole = !out->folded && (provider_has(p, VLM_PROVIDER_NO_UNITS) || p->units.owner[n] == n);
  if (!out->whole) return;
  out->why = !has_operator(p, row, node) ? "the target has no such operator" : shape_trouble(p, node);
  if (!out->why && row) out->why = vlm_limits_refuse(&l, row->limits);
  out->taken = !out->why;
  if (unit->quantized && !provider_has(p, VLM_PROVIDER_NO_UNITS)) {
    place_unit(p, out, row, &l);
    return;
  }
  out->dequantizes = unit->dequantizes;
  out->integer = out->taken && is_integer(node);
  if (out->integer) out->kernel = row && *row->kernel ? row->kernel : node->op_type;
  else if (out->taken) out->why = unit->why;
}

/* ---- all of them ---- */

static vlm_status open_placer(placer *p) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = p->graph;
  VLM_TRY(vlm_new(&p->out->nodes, g->n_nodes, p->err));
  p->out->n_nodes = g->n_nodes;
  VLM_TRY(vlm_marks_make(&p->marks, g, p->opts->fixed, p->err));
  VLM_TRY(vlm_units_make(&p->units, g, p->opts->target->provider, p->err));
  p->shapes = p->opts->shapes;
  if (p->shapes) goto out;
  VLM_TRY(vlm_new(&p->stated, g->n_values, p->err));
  for (int32_t v = 0; v < g->n_values; v++) p->stated[v] = g->values[v].tensor;
  p->shapes = p->stated;
out:
  return st;
}

vlm_status vlm_placement_make(vlm_placement *out, const vlm_graph *graph, const vlm_place_opts *opts,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  placer p = {.graph = graph, .opts = opts, .out = out, .err = err};
  *out = (vlm_placement){.nodes = NULL};
  VLM_TRY(open_placer(&p));
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    out->nodes[n].partition = -1;
    place(&p, n);
  }
  VLM_TRY(vlm_placement_partition(out, &p.units, opts->target, err));
out:
  vlm_units_free(&p.units);
  vlm_free(p.stated);
  vlm_marks_free(&p.marks);
  return st;
}

void vlm_placement_free(vlm_placement *placement) {
  vlm_free(placement->nodes);
  *placement = (vlm_placement){.nodes = NULL};
}
