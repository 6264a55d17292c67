/* Products whose activations have no range in the file. */
#include <string.h>

#include "export/exporter.h"
#include "runtime/lower/qdq.h"

/* ---- a range at run time: DynamicQuantizeLinear, MatMulInteger ---- */

static const vlm_node *find_quantizer(const vlm_graph *graph, vlm_value_id id) {
  for (int32_t n = 0; n < graph->n_nodes; n++)
    if (vlm_node_is(&graph->nodes[n], "DynamicQuantizeLinear") && graph->nodes[n].inputs[0] == id)
      return &graph->nodes[n];
  return NULL;
}

static vlm_status add_quantizer(vlm_exporter *x, vlm_graph *graph, vlm_value_id id, vlm_value_id out[3]) {
  vlm_status st = VLM_OK;
  vlm_qdq by;
  const vlm_node *known = find_quantizer(graph, id);
  if (known) {
    memcpy(out, known->outputs, 3 * sizeof *out);
    return VLM_OK;
  }
  VLM_TRY(vlm_qdq_quantize_dynamic(graph, &out[0], graph->values[id].name, id, &by, x->err));
  out[1] = by.scale;
  out[2] = by.zero;
out:
  return st;
}

/* A step of the chain from the sums to the floats. */
static vlm_status chain(vlm_exporter *x, const vlm_export_item *item, vlm_value_id *out, const char *op_type,
                        const char *suffix, vlm_value_id a, vlm_value_id b, vlm_value_id c) {
  const vlm_attr to = {.name = "to", .kind = VLM_ATTR_INT, .u.i = vlm_dtype_onnx(VLM_F32)};
  const vlm_value_id inputs[] = {a, b, c};
  return vlm_part_add(x, item->graph, out, NULL,
                      &(vlm_part){.op_type = op_type,
                                  .base = item->graph->nodes[item->node].name,
                                  .suffix = suffix,
                                  .inputs = inputs,
                                  .n_inputs = 3,
                                  .attrs = &to,
                                  .n_attrs = !strcmp(op_type, "Cast")});
}

/* The bias times beta. */
static vlm_status addend_of(vlm_exporter *x, const vlm_export_item *item, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &item->graph->nodes[item->node];
  vlm_value_id beta, c = vlm_export_bias_id(item);
  float by = vlm_node_float(node, "beta", 1);
  *out = c;
  if (c == VLM_NO_VALUE || by == 1) return VLM_OK;
  *out = VLM_NO_VALUE;
  VLM_TRY(vlm_part_scalar(x, item->graph, &beta, node->name, "_beta", VLM_F32, (double)by));
  VLM_TRY(chain(x, item, out, "Mul", "_addend", c, beta, VLM_NO_VALUE));
out:
  return st;
}

vlm_status vlm_export_dynamic(vlm_exporter *x, const vlm_export_item *item) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = item->graph;
  vlm_export_weight w;
  vlm_value_id in[3], sums = VLM_NO_VALUE, floats = VLM_NO_VALUE, scale = VLM_NO_VALUE, addend,
                      product = VLM_NO_VALUE;
  VLM_TRY(vlm_export_weight_of(x, item, item->plan->constant.rank > 2, &w));
  VLM_TRY(vlm_export_weight_turned(x, item, &w));
  VLM_TRY(add_quantizer(x, graph, graph->nodes[item->node].inputs[item->plan->slot.activation], in));
  VLM_TRY(addend_of(x, item, &addend));
  vlm_value_id made = graph->nodes[item->node].outputs[0];
  graph->nodes[item->node].outputs[0] = VLM_NO_VALUE;
  VLM_TRY(chain(x, item, &sums, "MatMulInteger", "_sums", in[0], w.data, in[2]));
  VLM_TRY(chain(x, item, &floats, "Cast", "_floats", sums, VLM_NO_VALUE, VLM_NO_VALUE));
  VLM_TRY(chain(x, item, &scale, "Mul", "_scale", in[1], w.scale, VLM_NO_VALUE));
  if (addend == VLM_NO_VALUE) product = made;
  VLM_TRY(chain(x, item, &product, "Mul", "_product", floats, scale, VLM_NO_VALUE));
  if (addend != VLM_NO_VALUE) VLM_TRY(chain(x, item, &made, "Add", "", product, addend, VLM_NO_VALUE));
out:
  return st;
}

/* ---- float activations: MatMulNBits ---- */

typedef struct {
  int64_t rows, columns, block, blocks; /* channels, what is summed */
} nbits_form;

/* [N, blocks, block] uint8, 128 = 0, filled up with it. */
static vlm_status pack_codes(vlm_exporter *x, const vlm_export_item *item, const nbits_form *b,
                             const vlm_export_weight *w, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  bool turned = w->axis == 0; /* one row per channel already */
  const int8_t *from = w->codes.data;
  const vlm_tensor t = vlm_tensor_make(VLM_U8, 3, (int64_t[]){b->rows, b->blocks, b->block}, NULL);
  vlm_tensor filled = t;
  uint8_t *to;
  size_t bytes = vlm_tensor_bytes(&t);
  VLM_TRY(vlm_arena_new(x->arena, &to, bytes + 1, x->err));
  memset(to, 128, bytes);
  for (int64_t n = 0; n < b->rows; n++)
    for (int64_t k = 0; k < b->columns; k++)
      to[n * b->blocks * b->block + k] = (uint8_t)(from[turned ? n * b->columns + k : k * b->rows + n] + 128);
  filled.data = to;
  VLM_TRY(vlm_part_constant(x, item->graph, out, item->plan->weight, "_blocks", &filled));
out:
  return st;
}

static vlm_status repeat_scales(vlm_exporter *x, const vlm_export_item *item, const nbits_form *b,
                                const vlm_export_weight *w, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const float *from = w->scales.data;
  int64_t count = b->rows * b->blocks;
  float *to;
  VLM_TRY(vlm_arena_new(x->arena, &to, (size_t)count + 1, x->err));
  for (int64_t i = 0; i < count; i++) to[i] = from[w->scales.rank ? i / b->blocks : 0];
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 1, &count, to);
  VLM_TRY(vlm_part_constant(x, item->graph, out, item->plan->weight, "_block_scales", &t));
out:
  return st;
}

static vlm_attr int_attr(const char *name, int64_t value) {
  return (vlm_attr){.name = name, .kind = VLM_ATTR_INT, .u.i = value};
}

vlm_status vlm_export_nbits(vlm_exporter *x, const vlm_export_item *item) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = item->graph;
  vlm_export_weight w;
  vlm_value_id ids[3], addend, made = graph->nodes[item->node].outputs[0], product = VLM_NO_VALUE;
  const vlm_tensor *c = &item->plan->constant;
  nbits_form b = {.rows = c->dims[item->plan->slot.axis], .columns = c->dims[1 - item->plan->slot.axis]};
  b.block = b.columns >= 128 ? 128 : 32;
  b.blocks = (b.columns + b.block - 1) / b.block;
  VLM_TRY(vlm_export_weight_of(x, item, false, &w));
  ids[0] = graph->nodes[item->node].inputs[item->plan->slot.activation];
  VLM_TRY(pack_codes(x, item, &b, &w, &ids[1]));
  VLM_TRY(repeat_scales(x, item, &b, &w, &ids[2]));
  VLM_TRY(addend_of(x, item, &addend));
  graph->nodes[item->node].outputs[0] = VLM_NO_VALUE;
  if (addend == VLM_NO_VALUE) product = made;
  const vlm_attr attrs[] = {int_attr("K", b.columns), int_attr("N", b.rows), int_attr("bits", 8),
                            int_attr("block_size", b.block)};
  VLM_TRY(vlm_part_add(x, graph, &product, NULL,
                       &(vlm_part){.domain = "com.microsoft",
                                   .op_type = "MatMulNBits",
                                   .base = graph->nodes[item->node].name,
                                   .suffix = "_product",
                                   .inputs = ids,
                                   .n_inputs = 3,
                                   .attrs = attrs,
                                   .n_attrs = 4}));
  if (addend != VLM_NO_VALUE) VLM_TRY(chain(x, item, &made, "Add", "", product, addend, VLM_NO_VALUE));
out:
  return st;
}
