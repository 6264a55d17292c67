/* RNN, GRU and LSTM: all input products of a direction at once, then one recurrent product per time step. */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rnn_cell.h"
#include "runtime/ops/rows.h"

enum { HIDDEN, DIRECTION, ACTIVATIONS, ALPHA, BETA, CLIP, LAYOUT, EXTRA }; /* EXTRA: GRU linear_before_reset, LSTM input_forget */

typedef struct rnn_shape {
  vlm_rnn_kind kind;
  int64_t gates, time, batch, input, hidden, directions;
  bool batch_first, reverse_first;
} rnn_shape;

static vlm_rnn_kind kind_of(const vlm_op_call *c) {
  char k = c->node->op_type[0];
  return k == 'G' ? VLM_RNN_GRU : k == 'L' ? VLM_RNN_LSTM : VLM_RNN_PLAIN;
}

static vlm_status read_shape(vlm_op_call *c, rnn_shape *s) {
  vlm_status st = VLM_OK;
  static const int64_t gates[] = {1, 3, 4};
  const vlm_tensor *x = c->in[0], *w = c->in[1], *r = c->in[2];
  const char *direction = vlm_arg_string(c, DIRECTION, "forward");
  VLM_CHECK(x->rank == 3 && w->rank == 3 && r->rank == 3, c->err, VLM_INPUT, "X, W and R have %d, %d and %d dims, wanted 3", x->rank,
            w->rank, r->rank);
  s->kind = kind_of(c);
  s->gates = gates[s->kind];
  s->batch_first = vlm_arg_int(c, LAYOUT, 0) != 0;
  s->time = x->dims[s->batch_first];
  s->batch = x->dims[!s->batch_first];
  s->input = x->dims[2];
  s->hidden = r->dims[2];
  s->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
  s->reverse_first = strcmp(direction, "reverse") == 0;
  VLM_CHECK(s->directions == 2 || s->reverse_first || strcmp(direction, "forward") == 0, c->err, VLM_INPUT, "direction is \"%s\"",
            direction);
  VLM_CHECK(s->hidden > 0 && vlm_arg_int(c, HIDDEN, s->hidden) == s->hidden, c->err, VLM_INPUT, "hidden_size is %lld, R is made for %lld",
            (long long)vlm_arg_int(c, HIDDEN, 0), (long long)s->hidden);
  VLM_CHECK(w->dims[0] == s->directions && w->dims[1] == s->gates * s->hidden && w->dims[2] == s->input, c->err, VLM_INPUT,
            "W is [%lld, %lld, %lld], wanted [%lld, %lld, %lld]", (long long)w->dims[0], (long long)w->dims[1], (long long)w->dims[2],
            (long long)s->directions, (long long)(s->gates * s->hidden), (long long)s->input);
  VLM_CHECK(r->dims[0] == s->directions && r->dims[1] == s->gates * s->hidden, c->err, VLM_INPUT,
            "R is [%lld, %lld, %lld], wanted [%lld, %lld, %lld]",
            (long long)r->dims[0], (long long)r->dims[1], (long long)r->dims[2], (long long)s->directions,
                (long long)(s->gates * s->hidden), (long long)s->hidden);
  const int64_t wanted[8] = {0, 0, 0, s->directions * 2 * s->gates * s->hidden, s->batch, s->directions * s->batch * s->hidden,
                             s->directions * s->batch * s->hidden, s->directions * 3 * s->hidden};
  for (int k = 3; k < c->n_in; k++)
    VLM_CHECK(!c->in[k] || vlm_tensor_count(c->in[k]) == wanted[k], c->err, VLM_INPUT, "input %d has %lld values, wanted %lld", k,
              (long long)vlm_tensor_count(c->in[k]), (long long)wanted[k]);
out:
  return st;
}

vlm_status vlm_infer_Recurrent(vlm_op_call *c) {
  rnn_shape s;
  vlm_status st = read_shape(c, &s);
  if (st != VLM_OK) return st;
  int64_t all[4] = {s.time, s.directions, s.batch, s.hidden}, all_first[4] = {s.batch, s.time, s.directions, s.hidden};
  int64_t last[3] = {s.directions, s.batch, s.hidden}, last_first[3] = {s.batch, s.directions, s.hidden};
  vlm_out_shape(c, 0, c->in[0]->dtype, 4, s.batch_first ? all_first : all);
  for (int k = 1; k <= 2; k++) vlm_out_shape(c, k, c->in[0]->dtype, 3, s.batch_first ? last_first : last);
  return VLM_OK;
}

/* The activations of a direction; the alpha and beta lists hold entries only for functions that take them, in order. */
static vlm_status read_cell(vlm_op_call *c, const rnn_shape *s, int64_t direction, vlm_rnn_cell *cell) {
  static const char *const defaults[3][3] = {{"Tanh"}, {"Sigmoid", "Tanh"}, {"Sigmoid", "Tanh", "Tanh"}};
  vlm_status st = VLM_OK;
  const vlm_attr *names = vlm_arg(c, ACTIVATIONS), *alpha = vlm_arg(c, ALPHA), *beta = vlm_arg(c, BETA);
  int per = (int)s->kind + 1;
  bool given = names->kind == VLM_ATTR_STRINGS && names->count > 0;
  VLM_CHECK(!given || names->count >= per * s->directions, c->err, VLM_INPUT, "activations has %d entries, wanted %lld", names->count,
            (long long)(per * s->directions));
  *cell = (vlm_rnn_cell){.kind = s->kind, .hidden = s->hidden, .ops = vlm_call_rowops(c), .clip = vlm_arg_float(c, CLIP, 0)};
  cell->reset_after = s->kind == VLM_RNN_GRU && vlm_arg_int(c, EXTRA, 0) != 0;
  cell->input_forget = s->kind == VLM_RNN_LSTM && vlm_arg_int(c, EXTRA, 0) != 0;
  for (int i = 0; i < per; i++) {
    int k = (int)direction * per + i;
    const float *a = alpha->kind == VLM_ATTR_FLOATS && k < alpha->count ? &alpha->u.floats[k] : NULL;
    const float *b = beta->kind == VLM_ATTR_FLOATS && k < beta->count ? &beta->u.floats[k] : NULL;
    VLM_TRY(vlm_rnn_activation_find(&cell->act[i], given ? names->u.strings[k] : defaults[s->kind][i], a, b, c->err));
  }
out:
  return st;
}

typedef struct rnn_run {
  rnn_shape s;
  vlm_rnn_cell cell;
  const float *x;
  const int64_t *lengths;     /* NULL = all */
  float *inputs, *recurrent, *reset, *h, *state; /* [rows, gates * hidden] x 2, [batch, hidden] x 3 */
  vlm_op_weights r, r_hidden;
  float *y;                   /* whole first output, or NULL */
  int64_t direction;
  bool reverse;
} rnn_run;

/* Row of x (and of the products) for a batch entry at time t. */
static int64_t row_of(const rnn_shape *s, int64_t b, int64_t t) { return s->batch_first ? b * s->time + t : t * s->batch + b; }

static int64_t time_of(const rnn_run *run, int64_t b, int64_t step) {
  int64_t length = run->lengths ? run->lengths[b] : run->s.time;
  if (step >= length) return -1;
  return run->reverse ? length - 1 - step : step;
}

static void run_step(vlm_op_call *c, rnn_run *run, int64_t step) {
  const rnn_shape *s = &run->s;
  int64_t width = s->gates * s->hidden, n = s->hidden;
  bool halves = s->kind == VLM_RNN_GRU && !run->cell.reset_after;
  vlm_op_weights_multiply(c, &run->r, run->h, s->batch, run->recurrent, width);
  for (int64_t b = 0; halves && b < s->batch; b++) {
    int64_t t = time_of(run, b, step);
    if (t >= 0) vlm_rnn_gru_gates(&run->cell, run->inputs + row_of(s, b, t) * width, run->recurrent + b * width, run->h + b * n,
                                  run->reset + b * n);
  }
  if (halves) vlm_op_weights_multiply(c, &run->r_hidden, run->reset, s->batch, run->recurrent + 2 * n, width);
  for (int64_t b = 0; b < s->batch; b++) {
    int64_t t = time_of(run, b, step);
    if (t < 0) continue;
    vlm_rnn_step(&run->cell, run->inputs + row_of(s, b, t) * width, run->recurrent + b * width, run->h + b * n, run->state + b * n);
    if (!run->y) continue;
    int64_t at = s->batch_first ? (b * s->time + t) * s->directions + run->direction : (t * s->directions + run->direction) * s->batch + b;
    memcpy(run->y + at * n, run->h + b * n, (size_t)n * sizeof(float));
  }
}

/* inputs = x W^T + bias; for the hidden gate of GRU the recurrent bias stays separate. */
static vlm_status input_products(vlm_op_call *c, rnn_run *run, const float *w, const float *bias) {
  vlm_status st = VLM_OK;
  const rnn_shape *s = &run->s;
  int64_t rows = s->time * s->batch, width = s->gates * s->hidden;
  float *sum = NULL;
  if (bias) {
    VLM_TRY(vlm_scratch_new(c, &sum, width));
    int64_t joined = s->kind == VLM_RNN_GRU ? 2 * s->hidden : width;
    for (int64_t i = 0; i < width; i++) sum[i] = i < joined ? bias[i] + bias[width + i] : bias[i];
    if (s->kind == VLM_RNN_GRU) run->cell.r_bias = bias + width + 2 * s->hidden;
  }
  vlm_gemm_f32 g = {.batch = 1, .m = rows, .n = width, .k = s->input, .a = run->x, .a_row = s->input, .a_column = 1, .b = w, .b_row = 1,
                    .b_column = s->input, .c = run->inputs, .ldc = width, .epilogue = {.alpha = 1, .bias = sum}};
  if (rows > 0) VLM_TRY(vlm_op_gemm(c, &g));
out:
  return st;
}

/* Copies the state of one direction between [batch, hidden] and an [directions, batch] or [batch, directions] tensor. */
static void move_state(const rnn_run *run, float *inside, float *outside, bool out) {
  const rnn_shape *s = &run->s;
  for (int64_t b = 0; b < s->batch; b++) {
    float *there = outside + (s->batch_first ? b * s->directions + run->direction : run->direction * s->batch + b) * s->hidden;
    memcpy(out ? there : inside + b * s->hidden, out ? inside + b * s->hidden : there, (size_t)s->hidden * sizeof(float));
  }
}

static vlm_status load_state(vlm_op_call *c, rnn_run *run, int k, float **state) {
  const float *given = NULL;
  vlm_status st = vlm_scratch_new(c, state, run->s.batch * run->s.hidden);
  if (st == VLM_OK) st = vlm_as_f32(c, vlm_in(c, k), &given);
  if (st != VLM_OK) return st;
  vlm_zero_some(*state, (size_t)(run->s.batch * run->s.hidden) * sizeof(float));
  if (given) move_state(run, *state, (float *)(uintptr_t)given, false);
  return VLM_OK;
}

static vlm_status run_direction(vlm_op_call *c, rnn_run *run, float *last_h, float *last_c) {
  vlm_status st = VLM_OK;
  const rnn_shape *s = &run->s;
  int64_t width = s->gates * s->hidden, d = run->direction;
  const float *w, *r, *b, *p;
  VLM_TRY(read_cell(c, s, d, &run->cell));
  VLM_TRY(vlm_as_f32(c, c->in[1], &w));
  VLM_TRY(vlm_as_f32(c, c->in[2], &r));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, 3), &b));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, 7), &p));
  if (p) run->cell.peephole = p + d * 3 * s->hidden;
  VLM_TRY(input_products(c, run, w + d * width * s->input, b ? b + d * 2 * width : NULL));
  vlm_f32_source turned = {.b = r + d * width * s->hidden, .b_row = 1, .b_column = s->hidden, .k = s->hidden, .n = width};
  VLM_TRY(vlm_op_weights_pack(c, &run->r, &turned, s->batch));
  turned.b += 2 * s->hidden * s->hidden;
  turned.n = s->hidden;
  if (s->kind == VLM_RNN_GRU) VLM_TRY(vlm_op_weights_pack(c, &run->r_hidden, &turned, s->batch));
  VLM_TRY(load_state(c, run, 5, &run->h));
  VLM_TRY(load_state(c, run, 6, &run->state));
  run->reverse = d == 1 || s->reverse_first;
  for (int64_t step = 0; step < s->time; step++) run_step(c, run, step);
  if (last_h) move_state(run, run->h, last_h, true);
  if (last_c) move_state(run, run->state, last_c, true);
out:
  return st;
}

vlm_status vlm_run_Recurrent(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  rnn_run run = {.y = NULL};
  float *last_h, *last_c;
  VLM_TRY(read_shape(c, &run.s));
  const rnn_shape *s = &run.s;
  VLM_TRY(vlm_as_f32(c, c->in[0], &run.x));
  VLM_TRY(vlm_as_s64(c, vlm_in(c, 4), &run.lengths));
  for (int64_t b = 0; run.lengths && b < s->batch; b++)
    VLM_CHECK(run.lengths[b] >= 0 && run.lengths[b] <= s->time, c->err, VLM_INPUT, "sequence_lens[%lld] is %lld of %lld", (long long)b,
              (long long)run.lengths[b], (long long)s->time);
  VLM_TRY(vlm_out_f32(c, 0, &run.y));
  VLM_TRY(vlm_out_f32(c, 1, &last_h));
  VLM_TRY(vlm_out_f32(c, 2, &last_c));
  VLM_TRY(vlm_scratch_new(c, &run.inputs, s->time * s->batch * s->gates * s->hidden));
  VLM_TRY(vlm_scratch_new(c, &run.recurrent, s->batch * s->gates * s->hidden));
  VLM_TRY(vlm_scratch_new(c, &run.reset, s->batch * s->hidden));
  vlm_zero_some(run.reset, (size_t)(s->batch * s->hidden) * sizeof(float));
  if (run.y) vlm_zero_some(run.y, (size_t)vlm_tensor_count(c->out[0]) * sizeof(float));
  for (run.direction = 0; run.direction < s->directions; run.direction++) VLM_TRY(run_direction(c, &run, last_h, last_c));
  if (run.y) vlm_store_f32(c, 0, run.y);
  if (last_h) vlm_store_f32(c, 1, last_h);
  if (last_c) vlm_store_f32(c, 2, last_c);
out:
  return st;
}
