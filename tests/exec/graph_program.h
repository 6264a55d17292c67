/* Whole graphs for tests as text, one line each:
 *
 *   in NAME TYPE DIMS             TYPE as vlm_dtype_name has it; DIMS "2,?,3", "-" for a scalar, "*" for an unknown rank
 *   const NAME TYPE DIMS V V ...  fewer values than elements start over; "rand N": noise in [-1, 1), another for each N
 *   OP IN ... -> OUT ... [ATTR=V,V ...]   "none" leaves an input or output out; ATTR=@NAME is a body, a word is text; OP may be "DOMAIN:OP"
 *   body NAME ... end             before the node that has it; names that it lacks are captured
 *   out NAME
 */
#ifndef VLM_TESTS_EXEC_GRAPH_PROGRAM_H
#define VLM_TESTS_EXEC_GRAPH_PROGRAM_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/exec/session.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

enum { PROGRAM_WORDS = 64, PROGRAM_BODIES = 8 };

typedef struct {
  vlm_graph *graph; /* that lines go to */
  vlm_graph *bodies[PROGRAM_BODIES];
  int n_bodies;
} graph_program;

static inline vlm_dtype program_type(const char *text) {
  for (int d = 1; d < VLM_DTYPE_COUNT; d++)
    if (!strcmp(vlm_dtype_name((vlm_dtype)d), text)) return (vlm_dtype)d;
  fail_msg("no type \"%s\"", text);
  return VLM_NONE;
}

static inline vlm_tensor program_shape(const char *type, const char *dims) {
  vlm_tensor t = {.dtype = program_type(type), .rank = *dims == '*' ? -1 : 0};
  for (const char *c = dims; *c && *c != '-' && *c != '*'; c += strcspn(c, ","), c += *c == ',')
    t.dims[t.rank++] = *c == '?' ? -1 : atoll(c);
  return t;
}

/* The value of that name: found, captured, or new and made by a node. */
static inline vlm_value_id program_value(vlm_graph *g, const char *name) {
  if (!strcmp(name, "none")) return VLM_NO_VALUE;
  vlm_value_id id = vlm_graph_find(g, name);
  if (id != VLM_NO_VALUE) return id;
  vlm_value_id outer = g->parent ? vlm_graph_find(g->parent, name) : VLM_NO_VALUE;
  if (g->parent && outer == VLM_NO_VALUE && g->parent->parent &&
      vlm_graph_find(g->parent->parent, name) != VLM_NO_VALUE)
    outer = program_value(g->parent, name);
  FINE(vlm_graph_add_value(g, &id, name, outer == VLM_NO_VALUE ? VLM_VALUE_NODE : VLM_VALUE_CAPTURE, &error));
  g->values[id].parent_value = outer;
  g->values[id].tensor.rank = -1;
  return id;
}

static inline double program_noise(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return (double)(*seed >> 8) / 8388608.0 - 1;
}

static inline void program_input(vlm_graph *g, char **words) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(g, &id, words[1], VLM_VALUE_INPUT, &error));
  FINE(vlm_graph_add_input(g, id, &error));
  g->values[id].tensor = program_shape(words[2], words[3]);
}

static inline void program_constant(vlm_graph *g, char **words, int n) {
  vlm_value_id id;
  vlm_tensor t = program_shape(words[2], words[3]);
  FINE(vlm_graph_add_constant(g, &id, words[1], &t, true, &error));
  const bool noise = !strcmp(words[4], "rand");
  uint32_t seed = noise ? (uint32_t)atoi(words[5]) * 7919u + 1 : 0;
  for (int k = 4; k < n; k++)
    if (strchr(words[k], ',')) fail_msg("%s: values are separated by blanks, not commas", words[1]);
  for (int64_t i = 0; i < vlm_tensor_count(&t); i++)
    vlm_tensor_set(&g->values[id].tensor, i, noise ? program_noise(&seed) : atof(words[4 + i % (n - 4)]));
}

static inline void program_attribute(const graph_program *p, vlm_attr *a, char *text) {
  char *value = strchr(text, '=');
  int64_t *list;
  *value++ = 0;
  FINE(vlm_arena_strdup(p->graph->arena, &a->name, text, &error));
  for (int i = 0; *value == '@' && i < p->n_bodies; i++)
    if (!strcmp(p->bodies[i]->name, value + 1)) {
      a->kind = VLM_ATTR_GRAPH;
      a->u.g = p->bodies[i];
      return;
    }
  if ((*value >= 'a' && *value <= 'z') || (*value >= 'A' && *value <= 'Z')) {
    a->kind = VLM_ATTR_STRING;
    FINE(vlm_arena_strdup(p->graph->arena, &a->u.s, value, &error));
    return;
  }
  FINE(vlm_arena_new(p->graph->arena, &list, strlen(value) + 1, &error));
  for (const char *c = value; *c; c += strcspn(c, ","), c += *c == ',') list[a->count++] = atoll(c);
  a->kind =
      strchr(value, ',') || !strcmp(text, "axes") || !strcmp(text, "perm") ? VLM_ATTR_INTS : VLM_ATTR_INT;
  if (a->kind == VLM_ATTR_INTS) a->u.ints = list;
  else a->u.i = list[0];
}

static inline void program_node(const graph_program *p, char **words, int n) {
  int32_t index;
  int arrow = 1, end;
  while (strcmp(words[arrow], "->")) arrow++;
  for (end = arrow + 1; end < n && !strchr(words[end], '=');) end++;
  char *colon = strchr(words[0], ':');
  if (colon) *colon = 0;
  FINE(vlm_graph_add_node(p->graph, &index,
                          &(vlm_node){.domain = colon ? words[0] : "",
                                      .op_type = colon ? colon + 1 : words[0],
                                      .opset = colon ? 1 : 20,
                                      .n_inputs = arrow - 1,
                                      .n_outputs = end - arrow - 1,
                                      .n_attrs = n - end},
                          &error));
  for (int k = 1; k < arrow; k++) {
    const vlm_value_id id = program_value(p->graph, words[k]);
    p->graph->nodes[index].inputs[k - 1] = id;
  }
  for (int k = arrow + 1; k < end; k++) {
    const vlm_value_id id = program_value(p->graph, words[k]);
    if (id != VLM_NO_VALUE) vlm_node_set_output(p->graph, index, k - arrow - 1, id);
  }
  for (int k = end; k < n; k++) program_attribute(p, &p->graph->nodes[index].attrs[k - end], words[k]);
}

static inline void program_line(graph_program *p, char *line) {
  char *words[PROGRAM_WORDS], *rest = NULL;
  int n = 0;
  for (char *w = strtok_r(line, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) words[n++] = w;
  if (n == 0) return;
  if (!strcmp(words[0], "in")) program_input(p->graph, words);
  else if (!strcmp(words[0], "const")) program_constant(p->graph, words, n);
  else if (!strcmp(words[0], "out"))
    FINE(vlm_graph_add_output(p->graph, program_value(p->graph, words[1]), &error));
  else if (!strcmp(words[0], "end")) p->graph = p->graph->parent;
  else if (!strcmp(words[0], "body")) {
    const char *name;
    FINE(vlm_arena_strdup(p->graph->arena, &name, words[1], &error));
    FINE(vlm_graph_create_sub(&p->bodies[p->n_bodies], p->graph, name, &error));
    p->graph = p->bodies[p->n_bodies++];
  } else program_node(p, words, n);
}

/* Not resolved. Free with vlm_graph_free. */
static inline vlm_graph *graph_written(const char *text) {
  graph_program p = {0};
  char *copy = strdup(text), *rest = NULL;
  FINE(vlm_graph_create(&p.graph, "main", "test.onnx", &error));
  p.graph->opset = 20;
  for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    program_line(&p, line);
  free(copy);
  return p.graph;
}

/* Free with vlm_graph_free. */
static inline vlm_graph *graph_of(const char *text) {
  vlm_graph *graph = graph_written(text);
  FINE(vlm_graph_resolve(graph, &error));
  return graph;
}

/* A session of a program. Free with close_program. */
typedef struct {
  vlm_graph *graph;
  vlm_context *context;
  vlm_session *session;
} opened;

/* At most `loop_runs` rounds of bodies in one run; 0 = the default. */
static inline opened open_limited(const char *text, const vlm_session_opts *opts, int64_t loop_runs) {
  opened o = {.graph = graph_of(text)};
  FINE(vlm_context_create(&o.context, &(vlm_context_opts){.threads = 1, .max_loop_runs = loop_runs}, &error));
  FINE(vlm_session_create(&o.session, o.context, o.graph, opts, &error));
  return o;
}

static inline opened open_program(const char *text, const vlm_session_opts *opts) {
  return open_limited(text, opts, 0);
}

static inline void close_program(opened *o) {
  vlm_session_free(o->session);
  vlm_context_free(o->context);
  vlm_graph_free(o->graph);
}

/* A float32 tensor over the given values; dims as above. */
static inline vlm_tensor floats(const char *dims, const float *values) {
  vlm_tensor t = program_shape("float32", dims);
  t.data = (void *)(uintptr_t)values;
  return t;
}

/* Output i must have that shape and those values, whatever its type. */
static inline void expect(const opened *o, int32_t i, const char *dims, const double *values) {
  const vlm_tensor *y = vlm_session_output(o->session, i);
  const vlm_tensor wanted = program_shape("float32", dims);
  char text[128];
  if (!vlm_tensor_same_shape(y, &wanted))
    fail_msg("output %d is %s, wanted [%s]", (int)i, vlm_tensor_shape_text(y, text, sizeof text), dims);
  for (int64_t k = 0; k < vlm_tensor_count(y); k++)
    if (vlm_tensor_get(y, k) != values[k])
      fail_msg("output %d, element %d: %g, wanted %g", (int)i, (int)k, vlm_tensor_get(y, k), values[k]);
}

/* How many steps of that operator the current plan of the root graph has; NULL = of any. */
typedef struct {
  const char *op;
  int count;
} counted_steps;

static inline void count_step(void *user, const vlm_graph *graph, const vlm_node *node,
                              const vlm_tensor *const *out) {
  counted_steps *c = user;
  (void)graph, (void)out;
  c->count += !c->op || !strcmp(node->op_type, c->op);
}

static inline int steps_of(const opened *o, const char *op) {
  counted_steps c = {.op = op};
  vlm_session_visit_steps(o->session, count_step, &c);
  return c.count;
}

#endif
