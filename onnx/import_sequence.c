/* Sequences are no values here; the one form that exporters make of a split tensor is rewritten before operators are looked up:
 *   SequenceAt(SplitToSequence(x, split), k) -> Slice(x, from, to, axis), or Gather(x, k, axis) when single rows lose their dim.
 * It holds for a constant k and a constant (or absent) split; everything else stays and is refused as an operator without a row. */
#include "onnx/importer.h"
#include "onnx/pass.h"

enum { SLICE_INPUTS = 4 };

static int64_t int_attr(const vlm_node *node, const char *name, int64_t fallback) {
  const vlm_attr *attr = vlm_node_attr(node, name);
  return attr != NULL && attr->kind == VLM_ATTR_INT ? attr->u.i : fallback;
}

/* Rows [range[0], range[1]) of part k; false when that needs the shape of x, which nobody knows yet. */
static bool equal_parts(const vlm_tensor *split, int64_t k, int64_t range[2]) {
  int64_t rows = split != NULL ? (int64_t)vlm_tensor_get(split, 0) : 1;
  if (k < 0 || rows < 1 || __builtin_mul_overflow(k, rows, &range[0])) return false;
  return !__builtin_add_overflow(range[0], rows, &range[1]);
}

static bool listed_parts(const vlm_tensor *split, int64_t k, int64_t range[2]) {
  int64_t count = vlm_tensor_count(split);
  if (k < 0) k += count;
  if (k < 0 || k >= count) return false;
  range[0] = 0;
  for (int64_t j = 0; j < k; j++) range[0] += (int64_t)vlm_tensor_get(split, j);
  range[1] = range[0] + (int64_t)vlm_tensor_get(split, k);
  return true;
}

static vlm_status add_list(vlm_graph *graph, vlm_value_id *out, int64_t value, int rank, vlm_error *err) {
  static const int64_t one = 1;
  const vlm_tensor t = vlm_tensor_make(VLM_S64, rank, &one, &value);
  return vlm_graph_add_constant(graph, out, NULL, &t, true, err);
}

static vlm_status to_slice(vlm_graph *graph, int32_t n, const vlm_node *split, const int64_t range[2], vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id in[SLICE_INPUTS] = {split->inputs[0]};
  VLM_TRY(add_list(graph, &in[1], range[0], 1, err));
  VLM_TRY(add_list(graph, &in[2], range[1], 1, err));
  VLM_TRY(add_list(graph, &in[3], int_attr(split, "axis", 0), 1, err));
  VLM_TRY(vlm_pass_rewrite(graph, n, "", "Slice", split->opset, in, SLICE_INPUTS, 0, err));
out:
  return st;
}

static vlm_status to_gather(vlm_graph *graph, int32_t n, const vlm_node *split, int64_t k, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id in[] = {split->inputs[0], VLM_NO_VALUE};
  VLM_TRY(add_list(graph, &in[1], k, 0, err));
  VLM_TRY(vlm_pass_rewrite(graph, n, "", "Gather", split->opset, in, 2, 1, err));
  graph->nodes[n].attrs[0] = (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = int_attr(split, "axis", 0)};
out:
  return st;
}

static vlm_status rewrite_node(vlm_graph *graph, int32_t n, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *at = &graph->nodes[n];
  double position = 0;
  int64_t range[2];
  if (!vlm_pass_is(at, "SequenceAt") || at->n_inputs != 2 || !vlm_pass_scalar(graph, at->inputs[1], &position)) return VLM_OK;
  const vlm_node *split = vlm_pass_producer(graph, at->inputs[0], "SplitToSequence");
  if (split == NULL || split->n_inputs < 1 || split->inputs[0] == VLM_NO_VALUE) return VLM_OK;
  bool sized = split->n_inputs > 1 && split->inputs[1] != VLM_NO_VALUE;
  const vlm_tensor *sizes = sized ? vlm_graph_constant(graph, split->inputs[1]) : NULL;
  if (sized && (sizes == NULL || sizes->data == NULL)) return VLM_OK;
  bool list = sized && sizes->rank > 0;
  bool row = !sized && int_attr(split, "keepdims", 1) == 0;
  if (!row && !(list ? listed_parts : equal_parts)(sizes, (int64_t)position, range)) return VLM_OK;
  if (row) VLM_TRY(to_gather(graph, n, split, (int64_t)position, err));
  else VLM_TRY(to_slice(graph, n, split, range, err));
  ++*changes;
out:
  return st;
}

static vlm_status rewrite_graph(vlm_graph *graph, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH) VLM_TRY(rewrite_graph(graph->nodes[n].attrs[a].u.g, changes, err));
    VLM_TRY(rewrite_node(graph, n, changes, err));
  }
out:
  return st;
}

vlm_status vlm_import_rewrite_sequences(vlm_importer *im) {
  int32_t changes = 0;
  vlm_status st = rewrite_graph(im->root, &changes, im->err);
  if (st == VLM_OK && changes > 0) st = vlm_graph_sweep(im->root, im->err);
  return st;
}
