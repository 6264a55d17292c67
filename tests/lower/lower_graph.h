/* Small graphs for tests of lowering: built by hand, weights quantized, run as they are and lowered. */
#ifndef VLM_TESTS_LOWER_GRAPH_H
#define VLM_TESTS_LOWER_GRAPH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/exec/session.h"
#include "runtime/lower/lower.h"
#include "runtime/lower/qdq.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

enum { MAX_ELEMENTS = 1 << 14, MAX_INPUTS = 8 };

static uint32_t seed = 7;
static inline float draw(void) {
  return (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1.0f;
}

static inline void draw_all(float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] = draw();
}

static inline vlm_graph *new_graph(void) {
  vlm_graph *g;
  FINE(vlm_graph_create(&g, "g", "g.onnx", &error));
  return g;
}

/* A graph input; dtype NONE declares nothing. */
static inline vlm_value_id add_input(vlm_graph *g, const char *name, vlm_dtype dtype, int rank,
                                     const int64_t *dims) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(g, &id, name, VLM_VALUE_INPUT, &error));
  FINE(vlm_graph_add_input(g, id, &error));
  if (dtype != VLM_NONE) g->values[id].tensor = vlm_tensor_make(dtype, rank, dims, NULL);
  return id;
}

static inline vlm_value_id add_constant(vlm_graph *g, vlm_dtype dtype, int rank, const int64_t *dims,
                                        const void *data) {
  vlm_value_id id;
  const vlm_tensor t = vlm_tensor_make(dtype, rank, dims, (void *)(uintptr_t)data);
  FINE(vlm_graph_add_constant(g, &id, NULL, &t, true, &error));
  return id;
}

/* The same values as another float type. */
static inline vlm_value_id add_floats(vlm_graph *g, vlm_dtype type, int rank, const int64_t *dims,
                                      const float *values) {
  static double room[MAX_ELEMENTS];
  vlm_tensor t = vlm_tensor_make(type, rank, dims, room);
  for (int64_t i = 0; i < vlm_tensor_count(&t); i++) vlm_tensor_set(&t, i, (double)values[i]);
  return add_constant(g, type, rank, dims, room);
}

static inline vlm_value_id add_scalar(vlm_graph *g, float value) {
  return add_constant(g, VLM_F32, 0, NULL, &value);
}
static inline vlm_value_id add_zero(vlm_graph *g, vlm_dtype dtype, int value) {
  uint8_t byte = (uint8_t)value;
  return add_constant(g, dtype, 0, NULL, &byte);
}

/* name = op(inputs): one output. Attributes are a list that ends with name NULL, or NULL. Domain by the text
 * in front of a colon. */
static inline vlm_value_id add_node(vlm_graph *g, const char *name, const char *op, int n_inputs,
                                    const vlm_value_id *inputs, const vlm_attr *attrs) {
  const char *colon = strchr(op, ':');
  char domain[64] = "";
  int32_t n, n_attrs = 0;
  vlm_value_id out;
  if (colon) snprintf(domain, sizeof domain, "%.*s", (int)(colon - op), op);
  while (attrs && attrs[n_attrs].name) n_attrs++;
  FINE(vlm_graph_add_value(g, &out, NULL, VLM_VALUE_NODE, &error));
  FINE(vlm_graph_add_node(g, &n,
                          &(vlm_node){.name = name,
                                      .domain = domain,
                                      .op_type = colon ? colon + 1 : op,
                                      .opset = *domain ? 1 : 20,
                                      .n_inputs = n_inputs,
                                      .n_outputs = 1,
                                      .n_attrs = n_attrs},
                          &error));
  memcpy(g->nodes[n].inputs, inputs, (size_t)n_inputs * sizeof *inputs);
  for (int32_t a = 0; a < n_attrs; a++) {
    g->nodes[n].attrs[a] = attrs[a];
    if (attrs[a].kind == VLM_ATTR_INTS) {
      int64_t *copy;
      FINE(vlm_arena_new(g->arena, &copy, attrs[a].count, &error));
      memcpy(copy, attrs[a].u.ints, (size_t)attrs[a].count * sizeof *copy);
      g->nodes[n].attrs[a].u.ints = copy;
    }
  }
  vlm_node_set_output(g, n, 0, out);
  return out;
}

static inline vlm_value_id quantized(vlm_graph *g, vlm_value_id x, float scale, vlm_dtype type, int zero) {
  return add_node(g, NULL, "QuantizeLinear", 3,
                  (vlm_value_id[]){x, add_scalar(g, scale), add_zero(g, type, zero)}, NULL);
}
static inline vlm_value_id dequantized(vlm_graph *g, vlm_value_id q, float scale, vlm_dtype type, int zero) {
  return add_node(g, NULL, "DequantizeLinear", 3,
                  (vlm_value_id[]){q, add_scalar(g, scale), add_zero(g, type, zero)}, NULL);
}
/* x through 8 bits and back. */
static inline vlm_value_id through(vlm_graph *g, vlm_value_id x, float scale, vlm_dtype type, int zero) {
  return dequantized(g, quantized(g, x, scale, type, zero), scale, type, zero);
}

/* The same with the range of the values at hand. */
static inline vlm_value_id through_dynamic(vlm_graph *g, vlm_value_id x) {
  vlm_value_id q, out;
  vlm_qdq by;
  FINE(vlm_qdq_quantize_dynamic(g, &q, "x", x, &by, &error));
  FINE(vlm_qdq_dequantize(g, &out, "x", q, &by, &error));
  return out;
}

/* Float weights and their s8 form with one scale per index of `axis`. */
typedef struct {
  int rank, axis;
  int64_t dims[VLM_MAX_RANK], channels;
  float values[MAX_ELEMENTS], back[MAX_ELEMENTS], scale[MAX_ELEMENTS]; /* back: dequantized */
  int8_t data[MAX_ELEMENTS];
} weights;

static inline int64_t channel_of(const weights *w, int64_t i) {
  int64_t inner = 1;
  for (int d = w->axis + 1; d < w->rank; d++) inner *= w->dims[d];
  return i / inner % w->dims[w->axis];
}

static inline int64_t count_of(int rank, const int64_t *dims) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++) n *= dims[d];
  return n;
}

static inline void make_weights(weights *w, int rank, const int64_t *dims, int axis) {
  w->rank = rank;
  w->axis = axis;
  memcpy(w->dims, dims, (size_t)rank * sizeof *dims);
  w->channels = dims[axis];
  int64_t n = count_of(rank, dims);
  assert_true(n <= MAX_ELEMENTS);
  draw_all(w->values, n);
  for (int64_t c = 0; c < w->channels; c++) w->scale[c] = 0.001f * (float)(c + 3) / 3;
  for (int64_t i = 0; i < n; i++) {
    float s = w->scale[channel_of(w, i)], q = rintf(w->values[i] / s / 2);
    w->data[i] = (int8_t)(q < -127 ? -127 : q > 127 ? 127 : q);
    w->back[i] = (float)w->data[i] * s;
  }
}

static inline vlm_value_id add_float_weights(vlm_graph *g, const weights *w) {
  return add_constant(g, VLM_F32, w->rank, w->dims, w->back);
}
static inline vlm_value_id add_stored_weights(vlm_graph *g, const weights *w) {
  const vlm_attr axis[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = w->axis}, {0}};
  vlm_value_id in[] = {add_constant(g, VLM_S8, w->rank, w->dims, w->data),
                       add_constant(g, VLM_F32, 1, &w->channels, w->scale)};
  return add_node(g, NULL, "DequantizeLinear", 2, in, axis);
}

/* How weights are stored: s8; u8 around 128; u8 around other zero points. */
typedef enum { W_PLAIN, W_U8, W_MOVED, W_COUNT } weight_kind;

/* With other zero points (moved) these are other weights. */
static inline vlm_value_id add_u8_weights(vlm_graph *g, const weights *w, bool moved) {
  uint8_t codes[MAX_ELEMENTS], zeros[MAX_ELEMENTS];
  const vlm_attr axis[] = {{.name = "axis", .kind = VLM_ATTR_INT, .u.i = w->axis}, {0}};
  for (int64_t c = 0; c < w->channels; c++) zeros[c] = (uint8_t)(moved ? 100 + 11 * c % 60 : 128);
  for (int64_t i = 0; i < count_of(w->rank, w->dims); i++) codes[i] = (uint8_t)(w->data[i] + 128);
  vlm_value_id in[] = {add_constant(g, VLM_U8, w->rank, w->dims, codes),
                       add_constant(g, VLM_F32, 1, &w->channels, w->scale),
                       add_constant(g, VLM_U8, 1, &w->channels, zeros)};
  return add_node(g, NULL, "DequantizeLinear", 3, in, axis);
}

static inline void finish_graph(vlm_graph *g, vlm_value_id out) {
  FINE(vlm_graph_add_output(g, out, &error));
  FINE(vlm_graph_resolve(g, &error));
}

/* Runs at a CPU level (NULL = the best) and copies output 0. */
static inline vlm_tensor run_graph_at(const vlm_graph *g, const vlm_tensor *inputs, int n, float *values,
                                      const char *level) {
  vlm_context *context;
  vlm_session *session;
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 2, .cpu_level = level}, &error));
  FINE(vlm_session_create(&session, context, g, NULL, &error));
  FINE(vlm_session_run(session, inputs, n, &error));
  vlm_tensor t = *vlm_session_output(session, 0);
  assert_true(vlm_tensor_count(&t) <= MAX_ELEMENTS);
  for (int64_t i = 0; i < vlm_tensor_count(&t); i++) values[i] = (float)vlm_tensor_get(&t, i);
  vlm_session_free(session);
  vlm_context_free(context);
  t.data = values;
  return t;
}

static inline vlm_tensor run_graph(const vlm_graph *g, const vlm_tensor *inputs, int n, float *values) {
  return run_graph_at(g, inputs, n, values, NULL);
}

static inline void expect_close(const char *what, const vlm_tensor *got, const vlm_tensor *want,
                                float limit) {
  const float *a = got->data, *b = want->data;
  float most = 0;
  if (!vlm_tensor_same_shape(got, want) || got->dtype != want->dtype)
    fail_msg("%s: another shape or type", what);
  for (int64_t i = 0; i < vlm_tensor_count(want); i++) most = fabsf(b[i]) > most ? fabsf(b[i]) : most;
  if (most == 0 && vlm_tensor_count(want) > 8) fail_msg("%s: the reference is all zero", what);
  float allowed = got->dtype == VLM_F32 ? limit * fmaxf(most, 0.01f) : 1;
  for (int64_t i = 0; i < vlm_tensor_count(want); i++)
    if (!(fabsf(a[i] - b[i]) <= allowed))
      fail_msg("%s: element %d is %.7g, wanted %.7g (within %.3g)", what, (int)i, (double)a[i], (double)b[i],
               (double)allowed);
}

static inline int count_ops(const vlm_graph *g, const char *domain, const char *op) {
  int n = 0;
  for (int32_t i = 0; i < g->n_nodes; i++)
    n += !strcmp(g->nodes[i].domain, domain) && !strcmp(g->nodes[i].op_type, op);
  return n;
}

/* The only entry of the report must be `name` in that form. */
static inline void expect_report(const char *what, const vlm_lower_report *r, const char *name,
                                 vlm_form form) {
  if (r->count != 1 || strcmp(r->items[0].node, name) || r->items[0].form != form)
    fail_msg("%s: report has %d entries, first %s in form %d; wanted %s in form %d", what, r->count,
             r->count ? r->items[0].node : "-", r->count ? (int)r->items[0].form : 0, name, (int)form);
}

#endif
