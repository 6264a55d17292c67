/* RNN, GRU and LSTM: all input products of a direction at once, then one recurrent product per time step. */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rnn_cell.h"
#include "runtime/ops/rnn_weights.h"
#include "runtime/ops/rows.h"

enum {
  HIDDEN,
  DIRECTION,
  ACTIVATIONS,
  ALPHA,
  BETA,
  CLIP,
  LAYOUT,
  EXTRA
}; /* EXTRA: GRU linear_before_reset, LSTM input_forget */

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
  VLM_CHECK(x->rank == 3 && w->rank == 3 && r->rank == 3, c->err, VLM_INPUT,
            "X, W and R have %d, %d and %d dims, wanted 3", x->rank, w->rank, r->rank);
  s->kind = kind_of(c);
  s->gates = gates[s->kind];
  s->batch_first = vlm_arg_int(c, LAYOUT, 0) != 0;
  s->time = x->dims[s->batch_first];
  s->batch = x->dims[!s->batch_first];
  s->input = x->dims[2];
  s->hidden = r->dims[2];
  s->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
  s->reverse_first = strcmp(direction, "reverse") == 0;
  VLM_CHECK(s->directions == 2 || s->reverse_first || strcmp(direction, "forward") == 0, c->err, VLM_INPUT,
            "direction is \"%s\"", direction);
  VLM_CHECK(s->hidden > 0 && vlm_arg_int(c, HIDDEN, s->hidden) == s->hidden, c->err, VLM_INPUT,
            "hidden_size is %lld, R is made for %lld", (long long)vlm_arg_int(c, HIDDEN, 0),
            (long long)s->hidden);
  VLM_CHECK(w->dims[0] == s->directions && w->dims[1] == s->gates * s->hidden && w->dims[2] == s->input,
            c->err, VLM_INPUT, "W is [%lld, %lld, %lld], wanted [%lld, %lld, %lld]", (long long)w->dims[0],
            (long long)w->dims[1], (long long)w->dims[2], (long long)s->directions,
            (long long)(s->gates * s->hidden), (long long)s->input);
  VLM_CHECK(r->dims[0] == s->directions && r->dims[1] == s->gates * s->hidden, c->err, VLM_INPUT,
            "R is [%lld, %lld, %lld], wanted [%lld, %lld, %lld]", (long long)r->dims[0],
            (long long)r->dims[1], (long long)r->dims[2], (long long)s->directions,
            (long long)(s->gates * s->hidden), (long long)s->hidden);
  const int64_t wanted[8] = {0,
                             0,
                             0,
                             s->directions * 2 * s->gates * s->hidden,
                             s->batch,
                             s->directions * s->batch * s->hidden,
                             s->directions * s->batch * s->hidden,
                             s->directions * 3 * s->hidden};
  for (int k = 3; k < c->n_in; k++)
    VLM_CHECK(!c->in[k] || vlm_tensor_count(c->in[k]) == wanted[k], c->err, VLM_INPUT,
              "input %d has %lld values, wanted %lld", k, (long long)vlm_tensor_count(c->in[k]),
              (long long)wanted[k]);
out:
  return st;
}

vlm_status vlm_infer_Recurrent(vlm_op_call *c) {
  rnn_shape s;
  vlm_status st = read_shape(c, &s);
  if (st != VLM_OK) return st;
  int64_t all[4] = {s.time, s.directions, s.batch, s.hidden},
          all_first[4] = {s.batch, s.time, s.directions, s.hidden};
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
  VLM_CHECK(!given || names->count >= per * s->directions, c->err, VLM_INPUT,
            "activations has %d entries, wanted %lld", names->count, (long long)(per * s->directions));
  *cell = (vlm_rnn_cell){
      .kind = s->kind, .hidden = s->hidden, .ops = vlm_call_rowops(c), .clip = vlm_arg_float(c, CLIP, 0)};
  cell->reset_after = s->kind == VLM_RNN_GRU && vlm_arg_int(c, EXTRA, 0) != 0;
  cell->input_forget = s->kind == VLM_RNN_LSTM && vlm_arg_int(c, EXTRA, 0) != 0;
  for (int i = 0; i < per; i++) {
    int k = (int)direction * per + i;
    const float *a = alpha->kind == VLM_ATTR_FLOATS && k < alpha->count ? &alpha->u.floats[k] : NULL;
    const float *b = beta->kind == VLM_ATTR_FLOATS && k < beta->count ? &beta->u.floats[k] : NULL;
    VLM_TRY(vlm_rnn_activation_find(&cell->act[i], given ? names->u.strings[k] : defaults[s->kind][i], a, b,
                                    c->err));
  }
out:
  return st;
}

/* ---- prepared ---- */

typedef struct {
  rnn_shape s;
  vlm_rnn_cell cell[2]; /* per direction */
  vlm_rnn_weights r;
  vlm_values x, bias, h0, c0, peephole;
  vlm_integers lengths;
  vlm_op_operand w;
  vlm_gemm_f32 g, first,
      rest; /* products of the inputs and, in two parts, of the state; all but the pointers of the run */
  vlm_result y, last_h, last_c;
  size_t g_work, first_work, rest_work, sum, inputs, recurrent, reset, h, c;
} rnn_state;

static vlm_status prepare_products(vlm_op_call *c, rnn_state *s) {
  vlm_status st = VLM_OK;
  const rnn_shape *z = &s->s;
  int64_t width = z->gates * z->hidden, rows = z->time * z->batch, first = s->r.first;
  static const float some = 0;
  VLM_TRY(vlm_op_operand_prepare(c, &s->w, 1,
                                 &(vlm_matrices){.k = z->input,
                                                 .n = width,
                                                 .count = z->directions,
                                                 .row = 1,
                                                 .column = z->input,
                                                 .step = width * z->input}));
  s->g = (vlm_gemm_f32){.batch = 1,
                        .m = rows,
                        .n = width,
                        .k = z->input,
                        .a_row = z->input,
                        .a_column = 1,
                        .ldc = width,
                        .epilogue = {.alpha = 1}};
  vlm_op_operand_form(&s->w, &s->g);
  s->first = (vlm_gemm_f32){.batch = 1,
                            .m = z->batch,
                            .n = first,
                            .k = z->hidden,
                            .a_row = z->hidden,
                            .a_column = 1,
                            .panels = &some,
                            .ldc = width,
                            .epilogue = {.alpha = 1}};
  s->rest = s->first;
  s->rest.n = width - first;
  if (rows > 0) VLM_TRY(vlm_op_gemm_prepare(c, &s->g, &s->g_work));
  VLM_TRY(vlm_op_gemm_prepare(c, &s->first, &s->first_work));
  VLM_TRY(vlm_op_gemm_prepare(c, &s->rest, &s->rest_work));
out:
  return st;
}

static vlm_status prepare_inputs(vlm_op_call *c, rnn_state *s) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, 3));
  VLM_TRY(vlm_integers_prepare(c, &s->lengths, 4));
  VLM_TRY(vlm_floats_prepare(c, &s->h0, 5));
  VLM_TRY(vlm_floats_prepare(c, &s->c0, 6));
  VLM_TRY(vlm_floats_prepare(c, &s->peephole, 7));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_result_prepare(c, &s->last_h, 1));
  VLM_TRY(vlm_result_prepare(c, &s->last_c, 2));
out:
  return st;
}

static vlm_status reserve_rows(vlm_op_call *c, rnn_state *s) {
  vlm_status st = VLM_OK;
  int64_t width = s->s.gates * s->s.hidden, states = s->s.batch * s->s.hidden;
  VLM_TRY(vlm_op_reserve(c, &s->sum, width, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &s->inputs, s->s.time * s->s.batch * width, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &s->recurrent, s->s.batch * width, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &s->reset, states, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &s->h, states, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &s->c, states, sizeof(float)));
out:
  return st;
}

vlm_status vlm_prepare_Recurrent(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  rnn_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_CHECK(c->kernels, c->err, VLM_INTERNAL, "%s is called without kernels", c->node->op_type);
  VLM_TRY(read_shape(c, &s->s));
  for (int64_t d = 0; d < s->s.directions; d++) VLM_TRY(read_cell(c, &s->s, d, &s->cell[d]));
  VLM_TRY(prepare_inputs(c, s));
  VLM_TRY(vlm_rnn_weights_prepare(c, &s->r, 2, s->s.hidden, s->s.gates, s->s.directions));
  VLM_TRY(prepare_products(c, s));
  VLM_TRY(reserve_rows(c, s));
out:
  return st;
}

/* ---- run ---- */

typedef struct rnn_run {
  const rnn_state *p;
  vlm_rnn_cell cell;
  const int64_t *lengths;                        /* NULL = all */
  const float *panels;                           /* recurrent weights of the direction */
  float *inputs, *recurrent, *reset, *h, *state; /* [rows, gates * hidden] x 2, [batch, hidden] x 3 */
  float *y;                                      /* whole first output, or NULL */
  int64_t direction;
  bool reverse;
} rnn_run;

/* Row of x (and of the products) for a batch entry at time t. */
static int64_t row_of(const rnn_shape *s, int64_t b, int64_t t) {
  return s->batch_first ? b * s->time + t : t * s->batch + b;
}

static int64_t time_of(const rnn_run *run, int64_t b, int64_t step) {
  int64_t length = run->lengths ? run->lengths[b] : run->p->s.time;
  if (step >= length) return -1;
  return run->reverse ? length - 1 - step : step;
}

/* Products of the state: the first columns, and of `rest` (the state again or, in a GRU that resets first, what it lets through) the others. */
static void multiply_first(const vlm_op_call *c, const rnn_run *run) {
  vlm_gemm_f32 g = run->p->first;
  g.panels = run->panels;
  g.a = run->h;
  g.c = run->recurrent;
  vlm_op_gemm_run(c, &g, run->p->first_work);
}

static void multiply_rest(const vlm_op_call *c, const rnn_run *run, const float *rest) {
  vlm_gemm_f32 g = run->p->rest;
  if (g.n == 0) return;
  g.panels = run->panels + vlm_gemm_f32_packed_count(c->kernels, g.k, run->p->first.n);
  g.a = rest;
  g.c = run->recurrent + run->p->first.n;
  vlm_op_gemm_run(c, &g, run->p->rest_work);
}

static void reset_state(const rnn_run *run, int64_t step) {
  const rnn_shape *s = &run->p->s;
  int64_t width = s->gates * s->hidden, n = s->hidden;
  for (int64_t b = 0; b < s->batch; b++) {
    int64_t t = time_of(run, b, step);
    if (t >= 0)
      vlm_rnn_gru_gates(&run->cell, run->inputs + row_of(s, b, t) * width, run->recurrent + b * width,
                        run->h + b * n, run->reset + b * n);
  }
}

static void run_step(const vlm_op_call *c, rnn_run *run, int64_t step) {
  const rnn_shape *s = &run->p->s;
  int64_t width = s->gates * s->hidden, n = s->hidden;
  bool halves = s->kind == VLM_RNN_GRU && !run->cell.reset_after;
  multiply_first(c, run);
  if (halves) reset_state(run, step);
  multiply_rest(c, run, halves ? run->reset : run->h);
  for (int64_t b = 0; b < s->batch; b++) {
    int64_t t = time_of(run, b, step);
    if (t < 0) continue;
    vlm_rnn_step(&run->cell, run->inputs + row_of(s, b, t) * width, run->recurrent + b * width,
                 run->h + b * n, run->state + b * n);
    if (!run->y) continue;
    int64_t at = s->batch_first ? (b * s->time + t) * s->directions + run->direction
                                : (t * s->directions + run->direction) * s->batch + b;
    memcpy(run->y + at * n, run->h + b * n, (size_t)n * sizeof(float));
  }
}

/* inputs = x W^T + bias; for the hidden gate of GRU the recurrent bias stays separate. */
static void input_products(const vlm_op_call *c, rnn_run *run) {
  const rnn_state *p = run->p;
  int64_t width = p->g.n, joined = p->s.kind == VLM_RNN_GRU ? 2 * p->s.hidden : width;
  const float *bias = vlm_values_get(c, &p->bias);
  float *sum = vlm_op_work(c, p->sum);
  vlm_gemm_f32 g = p->g;
  if (bias) {
    bias += run->direction * 2 * width;
    for (int64_t i = 0; i < width; i++) sum[i] = i < joined ? bias[i] + bias[width + i] : bias[i];
    if (p->s.kind == VLM_RNN_GRU) run->cell.r_bias = bias + width + 2 * p->s.hidden;
    g.epilogue.bias = sum;
  }
  if (g.m == 0) return;
  g.a = vlm_values_get(c, &p->x);
  g.c = run->inputs;
  vlm_op_operand_set(c, &p->w, run->direction, &g);
  vlm_op_gemm_run(c, &g, p->g_work);
}

/* Row of batch entry b in a [directions, batch] or [batch, directions] tensor. */
static int64_t state_row(const rnn_run *run, int64_t b) {
  const rnn_shape *s = &run->p->s;
  return (s->batch_first ? b * s->directions + run->direction : run->direction * s->batch + b) * s->hidden;
}

static void load_state(const rnn_run *run, const float *given, float *state) {
  const rnn_shape *s = &run->p->s;
  size_t bytes = (size_t)s->hidden * sizeof *state;
  for (int64_t b = 0; b < s->batch; b++) {
    if (given) memcpy(state + b * s->hidden, given + state_row(run, b), bytes);
    else memset(state + b * s->hidden, 0, bytes);
  }
}

static void save_state(const rnn_run *run, const float *state, float *last) {
  const rnn_shape *s = &run->p->s;
  for (int64_t b = 0; last && b < s->batch; b++)
    memcpy(last + state_row(run, b), state + b * s->hidden, (size_t)s->hidden * sizeof *state);
}

static void run_direction(const vlm_op_call *c, rnn_run *run) {
  const rnn_state *p = run->p;
  const float *peephole = vlm_values_get(c, &p->peephole);
  run->cell = p->cell[run->direction];
  if (peephole) run->cell.peephole = peephole + run->direction * 3 * p->s.hidden;
  run->reverse = run->direction == 1 || p->s.reverse_first;
  input_products(c, run);
  load_state(run, vlm_values_get(c, &p->h0), run->h);
  load_state(run, vlm_values_get(c, &p->c0), run->state);
  for (int64_t step = 0; step < p->s.time; step++) run_step(c, run, step);
}

static vlm_status start_run(vlm_op_call *c, rnn_run *run) {
  vlm_status st = VLM_OK;
  const rnn_state *p = run->p;
  run->lengths = vlm_integers_get(c, &p->lengths);
  for (int64_t b = 0; run->lengths && b < p->s.batch; b++)
    VLM_CHECK(run->lengths[b] >= 0 && run->lengths[b] <= p->s.time, c->err, VLM_INPUT,
              "sequence_lens[%lld] is %lld of %lld", (long long)b, (long long)run->lengths[b],
              (long long)p->s.time);
  run->panels = vlm_rnn_weights_get(c, &p->r);
  run->inputs = vlm_op_work(c, p->inputs);
  run->recurrent = vlm_op_work(c, p->recurrent);
  run->reset = vlm_op_work(c, p->reset);
  run->h = vlm_op_work(c, p->h);
  run->state = vlm_op_work(c, p->c);
  run->y = vlm_result_get(c, &p->y);
  vlm_zero_some(run->reset, (size_t)(p->s.batch * p->s.hidden) * sizeof(float));
  if (run->y) vlm_zero_some(run->y, (size_t)vlm_tensor_count(c->out[0]) * sizeof(float));
out:
  return st;
}

vlm_status vlm_run_Recurrent(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const rnn_state *p = c->state;
  rnn_run run = {.p = p};
  float *last_h = vlm_result_get(c, &p->last_h), *last_c = vlm_result_get(c, &p->last_c);
  VLM_TRY(start_run(c, &run));
  for (; run.direction < p->s.directions; run.direction++, run.panels += p->r.direction) {
    run_direction(c, &run);
    save_state(&run, run.h, last_h);
    save_state(&run, run.state, last_c);
  }
  if (run.y) vlm_store_f32(c, 0, run.y);
  if (last_h) vlm_store_f32(c, 1, last_h);
  if (last_c) vlm_store_f32(c, 2, last_c);
out:
  return st;
}
