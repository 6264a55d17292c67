/* Einsum of activations and one constant that is a plain matrix product: x [F.., C..] times w [C.., N..]
 * gives y [F.., N..], in any order of the constant's dims. MatMul is what every other stage knows; the
 * constant is turned once, here. */
#include <string.h>

#include "onnx/pass.h"

enum { MATMUL_OPSET = 13 };

typedef struct {
  char x[VLM_MAX_RANK + 1], w[VLM_MAX_RANK + 1], y[VLM_MAX_RANK + 1]; /* labels */
  int32_t x_input, free, contracted, made;                            /* how many labels of each kind */
  const vlm_tensor *constant;
} einsum_product;

/* Letters of one term; false for dots and terms that are too long. */
static bool read_term(const char **at, char *labels) {
  int n = 0;
  for (; **at && **at != ',' && **at != '-'; ++*at) {
    if (**at == ' ') continue;
    if (**at == '.' || n == VLM_MAX_RANK || memchr(labels, **at, (size_t)n)) return false;
    labels[n++] = **at;
  }
  labels[n] = 0;
  return true;
}

static bool read_equation(const vlm_node *node, einsum_product *p) {
  const vlm_attr *attr = vlm_node_attr(node, "equation");
  char terms[3][VLM_MAX_RANK + 1];
  if (!attr || attr->kind != VLM_ATTR_STRING) return false;
  const char *at = attr->u.s;
  if (!read_term(&at, terms[0]) || *at++ != ',' || !read_term(&at, terms[1]) || strncmp(at, "->", 2))
    return false;
  at += 2;
  if (!read_term(&at, terms[2]) || *at) return false;
  memcpy(p->x, terms[p->x_input], sizeof p->x);
  memcpy(p->w, terms[1 - p->x_input], sizeof p->w);
  memcpy(p->y, terms[2], sizeof p->y);
  return true;
}

/* x is F then C, y is F then N, w has C and N. */
static bool is_product(einsum_product *p) {
  size_t x = strlen(p->x), y = strlen(p->y), w = strlen(p->w), common = 0;
  while (common < x && p->x[common] == p->y[common]) common++;
  p->free = (int32_t)common;
  p->contracted = (int32_t)(x - common);
  p->made = (int32_t)(y - common);
  if (p->free < 1 || p->contracted < 1 || p->made < 1 || w != (size_t)(p->contracted + p->made)) return false;
  for (size_t i = 0; i < common; i++)
    if (strchr(p->w, p->x[i])) return false;
  for (size_t i = common; i < x; i++)
    if (!strchr(p->w, p->x[i]) || strchr(p->y, p->x[i])) return false;
  for (size_t i = common; i < y; i++)
    if (!strchr(p->w, p->y[i])) return false;
  return p->constant->rank == (int)w;
}

static bool matches(const vlm_graph *graph, const vlm_node *node, einsum_product *p) {
  if (!vlm_node_is(node, "Einsum") || node->n_inputs != 2) return false;
  const vlm_tensor *a = vlm_graph_constant(graph, node->inputs[0]),
                   *b = vlm_graph_constant(graph, node->inputs[1]);
  if (!a == !b) return false;
  p->x_input = a ? 1 : 0;
  p->constant = a ? a : b;
  return vlm_dtype_is_float(p->constant->dtype) && vlm_dtype_bits(p->constant->dtype) >= 16 &&
         read_equation(node, p) && is_product(p);
}

/* The constant as [C.., N..], flattened to two dims; itself when its dims lie like that already. */
static vlm_status turned_weights(vlm_graph *graph, const einsum_product *p, vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *w = p->constant;
  int64_t dims[VLM_MAX_RANK], step[VLM_MAX_RANK], at[VLM_MAX_RANK] = {0}, size = vlm_dtype_bits(w->dtype) / 8,
                                                  sides[2] = {1, 1}, from = 0;
  bool straight = true;
  void *block;
  for (int i = 0; i < w->rank; i++) {
    char label = i < p->contracted ? p->x[p->free + i] : p->y[p->free + i - p->contracted];
    int d = (int)(strchr(p->w, label) - p->w);
    dims[i] = w->dims[d];
    step[i] = vlm_tensor_span(w, d + 1, w->rank);
    sides[i < p->contracted ? 0 : 1] *= dims[i];
    straight = straight && d == i;
  }
  *out = vlm_tensor_make(w->dtype, 2, sides, w->data);
  if (straight) return VLM_OK;
  VLM_TRY(vlm_arena_alloc(graph->arena, &block, (size_t)vlm_tensor_count(w), (size_t)size, err));
  out->data = block;
  for (int64_t i = 0, n = vlm_tensor_count(w); i < n; i++) {
    memcpy((char *)block + i * size, (const char *)w->data + from * size, (size_t)size);
    for (int d = w->rank - 1; d >= 0; d--) {
      from += step[d];
      if (++at[d] < dims[d]) break;
      from -= step[d] * dims[d];
      at[d] = 0;
    }
  }
out:
  return st;
}

/* `value` with its first `kept` dims as they are and these behind them. */
static vlm_status reshape(vlm_graph *graph, vlm_value_id value, int32_t kept, const int64_t *dims,
                          int32_t n_dims, vlm_value_id out, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t shape[2 * VLM_MAX_RANK] = {0}, rank = kept + n_dims;
  vlm_value_id sizes;
  int32_t n;
  for (int32_t i = 0; i < n_dims; i++) shape[kept + i] = dims[i];
  const vlm_tensor t = vlm_tensor_make(VLM_S64, 1, &rank, shape);
  VLM_TRY(vlm_graph_add_constant(graph, &sizes, NULL, &t, true, err));
  VLM_TRY(vlm_graph_add_node(
      graph, &n, &(vlm_node){.op_type = "Reshape", .opset = MATMUL_OPSET, .n_inputs = 2, .n_outputs = 1},
      err));
  graph->nodes[n].inputs[0] = value;
  graph->nodes[n].inputs[1] = sizes;
  vlm_node_set_output(graph, n, 0, out);
out:
  return st;
}

static vlm_status rewrite(vlm_graph *graph, int32_t n, const einsum_product *p, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor turned;
  int64_t made[VLM_MAX_RANK];
  vlm_value_id in[2] = {graph->nodes[n].inputs[p->x_input], VLM_NO_VALUE}, y = graph->nodes[n].outputs[0],
               flat;
  for (int32_t i = 0; i < p->made; i++) made[i] = p->constant->dims[strchr(p->w, p->y[p->free + i]) - p->w];
  VLM_TRY(turned_weights(graph, p, &turned, err));
  if (turned.data == p->constant->data && p->constant->rank == 2)
    in[1] = graph->nodes[n].inputs[1 - p->x_input];
  else VLM_TRY(vlm_graph_add_constant(graph, &in[1], NULL, &turned, false, err));
  if (p->contracted > 1) {
    VLM_TRY(vlm_graph_add_value(graph, &flat, NULL, VLM_VALUE_NODE, err));
    VLM_TRY(reshape(graph, in[0], p->free, &turned.dims[0], 1, flat, err));
    in[0] = flat;
  }
  VLM_TRY(vlm_pass_rewrite(graph, n, "", "MatMul", MATMUL_OPSET, in, 2, 0, err));
  if (p->made == 1) goto out;
  VLM_TRY(vlm_graph_add_value(graph, &flat, NULL, VLM_VALUE_NODE, err));
  vlm_node_set_output(graph, n, 0, flat);
  VLM_TRY(reshape(graph, flat, p->free, made, p->made, y, err));
out:
  return st;
}

vlm_status vlm_pass_einsum(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0, count = graph->n_nodes; n < count; n++) {
    einsum_product p = {.x_input = 0};
    if (!matches(graph, &graph->nodes[n], &p)) continue;
    VLM_TRY(rewrite(graph, n, &p, err));
    ++*changes;
  }
out:
  return st;
}
