#include "runtime/ops/macs.h"

#include <string.h>

#include "runtime/ops/einsum_equation.h"

static int64_t multiply(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t span(const vlm_tensor *t, int from, int to) {
  int64_t n = 1;
  for (int d = from; d < to; d++) n = multiply(n, t->dims[d]);
  return n;
}

static int64_t count(const vlm_tensor *t) { return t ? span(t, 0, t->rank) : 0; }

static const vlm_tensor *input(const vlm_op_call *c, int k) { return k < c->n_in ? c->in[k] : NULL; }

/* ---- one function per kind of operator; `weight` is the input that holds the weights ---- */

/* Inner size by input 0; FusedMatMul may turn the batch dim (the first) inwards. */
int64_t vlm_macs_product(vlm_op_call *c, int weight) {
  const vlm_tensor *a = c->in[0];
  (void)weight;
  if (a->rank == 0) return 0;
  bool turned = (vlm_node_int(c->node, "transA", 0) || vlm_node_int(c->node, "transX", 0)) && a->rank > 1;
  bool batch = vlm_node_int(c->node, "transBatchA", 0) != 0;
  int64_t inner = a->dims[!turned ? a->rank - 1 : batch ? 0 : a->rank - 2];
  return multiply(count(c->out[0]), inner);
}

int64_t vlm_macs_convolution(vlm_op_call *c, int weight) {
  const vlm_tensor *w = c->in[weight];
  return multiply(count(c->out[0]), span(w, 1, w->rank));
}

int64_t vlm_macs_transposed_convolution(vlm_op_call *c, int weight) {
  const vlm_tensor *w = c->in[weight];
  return multiply(count(c->in[0]), span(w, 1, w->rank));
}

int64_t vlm_macs_einsum(vlm_op_call *c, int weight) {
  vlm_einsum e;
  int64_t n = 1;
  (void)weight;
  if (vlm_einsum_parse(c, &e) != VLM_OK || e.operands < 2) return 0;
  bool seen[VLM_EINSUM_LABELS] = {false};
  for (int operand = 0; operand < e.operands; operand++)
    for (int d = 0; d < e.rank[operand]; d++) {
      int label = e.label[operand][d];
      if (!seen[label]) n = multiply(n, e.size[label]);
      seen[label] = true;
    }
  return multiply(n, e.operands - 1);
}

/* Scores and weighted sum: rows * keys * (all key widths + all value widths). */
static int64_t attend(int64_t rows, int64_t keys, int64_t key_width, int64_t value_width) {
  return multiply(multiply(rows, keys), add(key_width, value_width));
}

/* q [B, T, H * D] with the numbers of heads as attributes, or [B, H, T, D]; past keys [B, H, P, D] before the new ones. */
int64_t vlm_macs_attention(vlm_op_call *c, int past_input) {
  const vlm_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2],
                   *past = past_input ? input(c, past_input) : NULL;
  int64_t old = past && past->rank == 4 ? past->dims[2] : 0;
  if (q->rank == 3 && k->rank == 3 && v->rank == 3 && vlm_node_attr(c->node, "q_num_heads")) {
    int64_t heads = vlm_node_int(c->node, "q_num_heads", 0),
            kv_heads = vlm_node_int(c->node, "kv_num_heads", 0);
    int64_t value_width = kv_heads > 0 ? multiply(v->dims[2] / kv_heads, heads) : 0;
    return attend(multiply(q->dims[0], q->dims[1]), add(k->dims[1], old), q->dims[2], value_width);
  }
  int r = q->rank;
  if (r < 3 || k->rank != r || v->rank != r) return 0;
  return attend(span(q, 0, r - 1), add(k->dims[r - 2], old), q->dims[r - 1], v->dims[r - 1]);
}

int64_t vlm_macs_multi_head_attention(vlm_op_call *c, int past_input) {
  const vlm_tensor *q = c->in[0], *k = input(c, 1), *past = input(c, past_input), *y = c->out[0];
  bool packed = q->rank == 5;
  if (q->rank < 3 || !y || y->rank != 3) return 0;
  int64_t fresh = packed || !k ? q->dims[1] : k->dims[k->rank == 4 ? 2 : 1];
  int64_t width = packed ? multiply(q->dims[2], q->dims[4]) : q->dims[2];
  return attend(multiply(q->dims[0], q->dims[1]), add(fresh, past ? past->dims[2] : 0), width, y->dims[2]);
}

/* The projection of the input to queries, keys and values, then attention. */
/* x [B, T, I], w [I, 2 D + V], or x [B, T, 2 D + V] when it is projected already; y [B, T, V]. */
int64_t vlm_macs_projected_attention(vlm_op_call *c, int past_input) {
  const vlm_tensor *x = c->in[0], *w = input(c, 1), *past = input(c, past_input), *y = c->out[0];
  if (x->rank != 3 || (w && w->rank != 2) || !y || y->rank != 3) return 0;
  int64_t rows = multiply(x->dims[0], x->dims[1]),
          key_width = ((w ? w->dims[1] : x->dims[2]) - y->dims[2]) / 2;
  int64_t keys = add(x->dims[1], past && past->rank == 5 ? past->dims[3] : 0);
  return add(w ? multiply(rows, count(w)) : 0, attend(rows, keys, key_width, y->dims[2]));
}

int64_t vlm_macs_grouped_attention(vlm_op_call *c, int past_input) {
  const vlm_tensor *q = c->in[0], *past = input(c, past_input), *total = input(c, 6), *y = c->out[0];
  if (q->rank != 3 || !y || y->rank != 3) return 0;
  int64_t keys =
      total && total->data ? vlm_tensor_get_int(total, 0) : add(q->dims[1], past ? past->dims[2] : 0);
  return attend(multiply(q->dims[0], q->dims[1]), keys, y->dims[2], y->dims[2]);
}

/* q [.., T, D] with heads in front, past keys [B, H, P, D] and values [B, H, P, V] before the T new ones. */
int64_t vlm_macs_cache_attention(vlm_op_call *c, int past_input) {
  const vlm_tensor *q = c->in[0], *past = c->in[past_input], *y = c->out[0];
  if (q->rank < 2 || past->rank != 4 || past->dims[2] < 0 || !y) return 0;
  int r = q->rank;
  return attend(span(q, 0, r - 1), add(q->dims[r - 2], past->dims[2]), q->dims[r - 1], y->dims[r - 1]);
}

/* The state [key size, value size] per head is read by each query and updated by each key; the delta rules read it once more. */
int64_t vlm_macs_linear_attention(vlm_op_call *c, int unused) {
  const vlm_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2];
  const vlm_attr *rule = vlm_node_attr(c->node, "update_rule");
  int64_t q_heads = vlm_node_int(c->node, "q_num_heads", 0),
          kv_heads = vlm_node_int(c->node, "kv_num_heads", 0);
  (void)unused;
  if (q->rank != 3 || k->rank != 3 || v->rank != 3 || kv_heads < 1 || q_heads < 1) return 0;
  bool delta = !rule || rule->kind != VLM_ATTR_STRING || strstr(rule->u.s, "delta");
  int64_t state = multiply(k->dims[2] / kv_heads, v->dims[2] / kv_heads);
  return multiply(multiply(q->dims[0], q->dims[1]),
                  multiply(state, add(q_heads, multiply(delta ? 2 : 1, kv_heads))));
}

/* x [T, B, I] (or [B, T, I]), w [directions, gates * H, I], r [directions, gates * H, H]. */
int64_t vlm_macs_recurrent(vlm_op_call *c, int unused) {
  (void)unused;
  return c->in[0]->rank == 3 ? multiply(span(c->in[0], 0, 2), add(count(c->in[1]), count(c->in[2]))) : 0;
}

/* Outputs that nobody wants carry no shape: the first one is needed by every row but those that do without. */
int64_t vlm_call_macs(vlm_op_call *c) {
  const vlm_traits *traits = c->node->traits;
  return traits->macs ? traits->macs(c, traits->macs_input) : 0;
}
