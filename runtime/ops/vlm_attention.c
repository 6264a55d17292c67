/* vlm.Attention, which lowering makes of MatMul, Mul or Div, Add, Softmax, MatMul and what arranges their operands:
 * y = softmax((q * q_factor) (k * k_factor) * factor + mask) v.
 *
 * q [.., T, D], k [.., D, S] and v [.., S, V] are views of inputs 0 to 2 (view.h); the dims in front broadcast. Input 3 is the mask, which is added,
 * input 4 the factor (divides: the divisor); both broadcast with the scores [.., T, S]. Inputs 5 and 6 are q_factor and k_factor, which broadcast
 * with q and k. y [.., T, V] is stored in the order y_perm. */
#include <string.h>

#include "runtime/kernels/attention_f32.h"
#include "runtime/ops/macs.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"
#include "runtime/ops/view.h"

enum { Q_VIEW, K_VIEW, V_VIEW, Y_PERM, DIVIDES };
enum { IN_Q, IN_K, IN_V, IN_MASK, IN_FACTOR, IN_Q_FACTOR, IN_K_FACTOR, INPUTS };

typedef struct {
  vlm_view in[INPUTS]; /* rank 0 = absent, or one for all */
  vlm_tensor lead;     /* dims in front of the matrices of y */
  int64_t t, s, d, dv;
} attention_shape;

static vlm_tensor leading(const int64_t *dims, int rank) {
  return vlm_tensor_make(VLM_F32, rank > 2 ? rank - 2 : 0, dims, NULL);
}

static int64_t from_end(const vlm_view *v, int k) { return v->rank >= k ? v->dims[v->rank - k] : 1; }

static vlm_status read_views(vlm_op_call *c, attention_shape *s) {
  vlm_status st = VLM_OK;
  static const vlm_attr WHOLE = {.kind = VLM_ATTR_NONE};
  for (int k = 0; k < INPUTS; k++) {
    const vlm_tensor *t = vlm_in(c, k);
    if (!t) continue;
    VLM_CHECK(t->dtype == VLM_F32, c->err, VLM_UNSUPPORTED, "operand %d of type %s; wanted float32", k,
              vlm_dtype_name(t->dtype));
    VLM_TRY(vlm_view_read(c, t, k <= IN_V ? vlm_arg(c, Q_VIEW + k) : &WHOLE, &s->in[k]));
    VLM_CHECK(k > IN_V || s->in[k].rank >= 2, c->err, VLM_INPUT, "operand %d has %d dims; wanted 2 or more",
              k, s->in[k].rank);
  }
out:
  return st;
}

/* q or k with its factor. */
static vlm_status scaled_shape(vlm_op_call *c, const attention_shape *s, int k, int factor, vlm_tensor *out) {
  *out = vlm_tensor_make(VLM_F32, s->in[k].rank, s->in[k].dims, NULL);
  return vlm_in(c, factor) ? vlm_broadcast_dims(c, out, c->in[factor], &out->rank, out->dims) : VLM_OK;
}

/* Of the scores, with mask and factor; then of y. */
static vlm_status join_shapes(vlm_op_call *c, attention_shape *s) {
  vlm_status st = VLM_OK;
  const vlm_view *v = &s->in[IN_V];
  vlm_tensor q, k, values = leading(v->dims, v->rank), scores;
  VLM_TRY(scaled_shape(c, s, IN_Q, IN_Q_FACTOR, &q));
  VLM_TRY(scaled_shape(c, s, IN_K, IN_K_FACTOR, &k));
  s->d = q.dims[q.rank - 1];
  VLM_CHECK(s->d == k.dims[k.rank - 2], c->err, VLM_INPUT, "queries of %lld and keys of %lld elements",
            (long long)s->d, (long long)k.dims[k.rank - 2]);
  scores = leading(q.dims, q.rank);
  const vlm_tensor keys = leading(k.dims, k.rank);
  VLM_TRY(vlm_broadcast_dims(c, &scores, &keys, &scores.rank, scores.dims));
  VLM_CHECK(scores.rank + 2 <= VLM_MAX_RANK, c->err, VLM_LIMIT, "scores of %d dims", scores.rank + 2);
  scores.dims[scores.rank++] = q.dims[q.rank - 2];
  scores.dims[scores.rank++] = k.dims[k.rank - 1];
  for (int i = IN_MASK; i <= IN_FACTOR; i++)
    if (vlm_in(c, i)) VLM_TRY(vlm_broadcast_dims(c, &scores, c->in[i], &scores.rank, scores.dims));
  s->t = scores.dims[scores.rank - 2];
  s->s = scores.dims[scores.rank - 1];
  s->dv = from_end(v, 1);
  VLM_CHECK(s->s == from_end(v, 2), c->err, VLM_INPUT, "%lld keys and %lld values", (long long)s->s,
            (long long)from_end(v, 2));
  scores.rank -= 2;
  VLM_TRY(vlm_broadcast_dims(c, &scores, &values, &s->lead.rank, s->lead.dims));
out:
  return st;
}

/* y's dims and, per dim of [lead, T, V], its distance in y. */
static vlm_status shape_of_y(vlm_op_call *c, const attention_shape *s, int64_t *dims, int64_t *strides) {
  vlm_status st = VLM_OK;
  const vlm_attr *perm = vlm_arg(c, Y_PERM);
  const int rank = s->lead.rank + 2;
  int64_t plain[VLM_MAX_RANK], stride = 1;
  bool seen[VLM_MAX_RANK] = {false};
  for (int d = 0; d < rank - 2; d++) plain[d] = s->lead.dims[d];
  plain[rank - 2] = s->t;
  plain[rank - 1] = s->dv;
  const bool turned = perm->kind == VLM_ATTR_INTS && perm->count > 0;
  VLM_CHECK(!turned || perm->count == rank, c->err, VLM_INPUT, "a result of %d dims in an order of %d", rank,
            (int)perm->count);
  for (int d = rank - 1; d >= 0; d--) {
    const int64_t from = turned ? perm->u.ints[d] : d;
    VLM_CHECK(from >= 0 && from < rank && !seen[from], c->err, VLM_INPUT, "axis %lld of a result of %d dims",
              (long long)from, rank);
    seen[from] = true;
    dims[d] = plain[from];
    strides[from] = stride;
    stride *= plain[from];
  }
  VLM_CHECK(strides[rank - 1] == 1 || strides[rank - 2] == 1, c->err, VLM_UNSUPPORTED,
            "the result's last dim is neither rows nor columns");
  VLM_TRY(vlm_check_dims(c, rank, dims));
out:
  return st;
}

static vlm_status read_shape(vlm_op_call *c, attention_shape *s, int64_t *dims, int64_t *strides) {
  vlm_status st = VLM_OK;
  *s = (attention_shape){.t = 0};
  VLM_TRY(read_views(c, s));
  VLM_TRY(join_shapes(c, s));
  VLM_TRY(shape_of_y(c, s, dims, strides));
out:
  return st;
}

vlm_status vlm_infer_TiledAttention(vlm_op_call *c) {
  attention_shape s;
  int64_t dims[VLM_MAX_RANK], strides[VLM_MAX_RANK];
  vlm_status st = read_shape(c, &s, dims, strides);
  if (st == VLM_OK) vlm_out_shape(c, 0, VLM_F32, s.lead.rank + 2, dims);
  return st;
}

typedef struct {
  vlm_attention_f32 a; /* all but the pointers of the run */
  size_t scratch;
} tiled_state;

/* Distance of the dim that is k-th from the end, 0 where it repeats. */
static int64_t step_of(const vlm_view *v, int k) {
  return v->rank >= k && v->dims[v->rank - k] != 1 ? v->strides[v->rank - k] : 0;
}

/* Where each batch entry starts: dims of `lead`, distances aligned at their end. */
static vlm_status fill_offsets(vlm_op_call *c, const vlm_tensor *lead, const vlm_view *v, int64_t batch,
                               const int64_t **out) {
  vlm_status st = VLM_OK;
  int64_t *offsets;
  VLM_TRY(vlm_op_keep_new(c, &offsets, batch));
  for (int64_t b = 0; b < batch; b++) {
    int64_t rest = b;
    offsets[b] = v->offset;
    for (int d = 0; d < lead->rank; d++) {
      const int64_t n = lead->dims[lead->rank - 1 - d];
      offsets[b] += rest % n * step_of(v, d + 3);
      rest /= n;
    }
  }
  *out = offsets;
out:
  return st;
}

/* Queries of one row each that all meet the same keys and values, such as beams that look at one image, are rows of one matrix, so that keys and
 * values are read once. Each row's sums stay what they are. */
static bool rows_share_keys(vlm_op_call *c, const attention_shape *s, const int64_t *y_strides) {
  const int outer = s->lead.rank + 2;
  if (s->t != 1 || s->lead.rank < 1 || s->lead.dims[0] < 2 || y_strides[outer - 1] != 1) return false;
  for (int k = 0; k < INPUTS; k++)
    if ((k == IN_K || k == IN_V || k == IN_K_FACTOR) && vlm_in(c, k) && step_of(&s->in[k], outer))
      return false;
  return true;
}

/* The outermost dim becomes that of the rows. */
static void join_rows(attention_shape *s, int64_t *y_strides) {
  const int outer = s->lead.rank + 2;
  for (int k = 0; k < INPUTS; k++) {
    vlm_view *v = &s->in[k];
    if (k == IN_K || k == IN_V || k == IN_K_FACTOR || v->rank < outer) continue;
    v->dims[v->rank - 2] = v->dims[v->rank - outer];
    v->strides[v->rank - 2] = v->strides[v->rank - outer];
  }
  s->t = s->lead.dims[0];
  y_strides[outer - 2] = y_strides[0];
  s->lead.rank--;
  memmove(s->lead.dims, s->lead.dims + 1, (size_t)s->lead.rank * sizeof *s->lead.dims);
  memmove(y_strides, y_strides + 1, (size_t)(outer - 1) * sizeof *y_strides);
}

static vlm_status prepare_operands(vlm_op_call *c, const attention_shape *s, vlm_attention_f32 *a) {
  vlm_status st = VLM_OK;
  vlm_strided *operands[INPUTS] = {&a->q, &a->k, &a->v, &a->mask, &a->factor, &a->q_factor, &a->k_factor};
  for (int k = 0; k < INPUTS; k++) {
    if (!vlm_in(c, k)) continue;
    VLM_TRY(fill_offsets(c, &s->lead, &s->in[k], a->batch, &operands[k]->offset));
    operands[k]->row = step_of(&s->in[k], 2);
    operands[k]->column = step_of(&s->in[k], 1);
  }
out:
  return st;
}

static vlm_status prepare_result(vlm_op_call *c, const attention_shape *s, const int64_t *strides,
                                 vlm_attention_f32 *a) {
  vlm_view y = {.rank = s->lead.rank + 2};
  for (int d = 0; d < y.rank; d++) {
    y.dims[d] = d < s->lead.rank ? s->lead.dims[d] : 2; /* no dim of y repeats */
    y.strides[d] = strides[d];
  }
  a->y_row = strides[y.rank - 2];
  a->y_column = strides[y.rank - 1];
  return fill_offsets(c, &s->lead, &y, a->batch, &a->y_offset);
}

vlm_status vlm_prepare_TiledAttention(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  tiled_state *state;
  attention_shape s;
  int64_t dims[VLM_MAX_RANK], strides[VLM_MAX_RANK];
  VLM_TRY(vlm_op_state_new(c, &state));
  VLM_TRY(read_shape(c, &s, dims, strides));
  if (rows_share_keys(c, &s, strides)) join_rows(&s, strides);
  vlm_attention_f32 *a = &state->a;
  *a = (vlm_attention_f32){.batch = vlm_tensor_count(&s.lead),
                           .t = s.t,
                           .s = s.s,
                           .d = s.d,
                           .dv = s.dv,
                           .divides = vlm_arg_int(c, DIVIDES, 0) != 0};
  VLM_TRY(prepare_operands(c, &s, a));
  VLM_TRY(prepare_result(c, &s, strides, a));
  VLM_TRY(
      vlm_op_reserve(c, &state->scratch, (int64_t)vlm_attention_f32_scratch(a, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_status vlm_run_TiledAttention(vlm_op_call *c) {
  const tiled_state *state = c->state;
  vlm_attention_f32 a = state->a;
  a.q.data = c->in[IN_Q]->data;
  a.k.data = c->in[IN_K]->data;
  a.v.data = c->in[IN_V]->data;
  if (vlm_in(c, IN_MASK)) a.mask.data = c->in[IN_MASK]->data;
  if (vlm_in(c, IN_FACTOR)) a.factor.data = c->in[IN_FACTOR]->data;
  if (vlm_in(c, IN_Q_FACTOR)) a.q_factor.data = c->in[IN_Q_FACTOR]->data;
  if (vlm_in(c, IN_K_FACTOR)) a.k_factor.data = c->in[IN_K_FACTOR]->data;
  a.y = c->out[0]->data;
  vlm_attention_f32_run(&a, c->kernels, c->threads, vlm_op_work(c, state->scratch));
  return VLM_OK;
}

/* For the count of multiply-accumulates: rows, keys and widths; 0 where the shapes do not fit. */
int64_t vlm_macs_tiled_attention(vlm_op_call *c, int unused) {
  attention_shape s;
  int64_t dims[VLM_MAX_RANK], strides[VLM_MAX_RANK], product;
  (void)unused;
  if (read_shape(c, &s, dims, strides) != VLM_OK) return 0;
  const bool large = __builtin_mul_overflow(vlm_tensor_count(&s.lead), s.t, &product) ||
                     __builtin_mul_overflow(product, s.s, &product) ||
                     __builtin_mul_overflow(product, s.d + s.dv, &product);
  return large ? INT64_MAX : product;
}
