#include "tests/fuzz/graph_make.h"

#include "tests/exec/graph_program.h"
#include "tests/ops/hostile_mutate.h"

static const char *const PROGRAMS[] = {
#define PROGRAM(text) text,
#include "tests/fuzz/programs.def"
#undef PROGRAM
};
static const hostile_case NODES[] = {
#define CASE(domain, name, opset, n_out, attrs, inputs) {domain, name, opset, n_out, attrs, inputs},
#include "tests/ops/hostile_cases.def"
#undef CASE
};
enum { N_PROGRAMS = sizeof PROGRAMS / sizeof *PROGRAMS, N_NODES = sizeof NODES / sizeof *NODES };

/* ---- tensors ---- */

static void *block(fuzz_graph *g, size_t bytes) {
  void *out = NULL;
  if (g->n_blocks == FUZZ_BLOCKS || bytes > MAX_BYTES || posix_memalign(&out, 64, bytes ? bytes : 1))
    return NULL;
  memset(out, 0, bytes);
  return g->blocks[g->n_blocks++] = out;
}

/* Memory and made-up values for a tensor of that type and shape. */
static bool make_up(fuzz_graph *g, vlm_tensor *t, int run) {
  size_t bytes;
  vlm_error err;
  if (t->dtype == VLM_NONE || vlm_tensor_bytes_checked(&bytes, t, &err) != VLM_OK) return false;
  t->data = block(g, bytes);
  for (int64_t i = 0, n = t->data ? vlm_tensor_count(t) : 0; i < n; i++)
    vlm_tensor_set(t, i, made_up(t->dtype, (uint64_t)(i + 977 * run)));
  return t->data;
}

static bool copy_of_case(fuzz_graph *g, const trial *t, int k, vlm_tensor *out, int run) {
  *out = t->in[k];
  if (!make_up(g, out, run)) return false;
  for (int64_t i = 0, n = vlm_tensor_count(out); i < n && i < t->n_values[k]; i++)
    if (vlm_dtype_is_float(out->dtype)) vlm_tensor_set(out, i, t->reals[k][i]);
    else vlm_tensor_set_int(out, i, t->values[k][i]);
  return true;
}

/* ---- one node ---- */

static vlm_value_id constant_of_case(fuzz_graph *g, const trial *t, int k) {
  vlm_value_id id = VLM_NO_VALUE;
  vlm_tensor x;
  if (copy_of_case(g, t, k, &x, 0)) FINE(vlm_graph_add_constant(g->graph, &id, NULL, &x, false, &error));
  return id;
}

/* `open`: which dims are not declared; the last bit: nothing is. */
static vlm_value_id input_of_case(fuzz_graph *g, const trial *t, int k, int open) {
  vlm_value_id id = VLM_NO_VALUE;
  int32_t at = g->graph->n_inputs;
  if (at == FUZZ_INPUTS) return VLM_NO_VALUE;
  for (int run = 0; run < FUZZ_RUNS; run++) {
    trial *other = (trial *)(uintptr_t)t;
    const vlm_tensor kept = t->in[k];
    for (int d = 0; d < kept.rank; d++)
      if (open >> d & 1) other->in[k].dims[d] += run;
    bool fits = copy_of_case(g, t, k, &g->in[run][at], run);
    other->in[k] = kept;
    if (!fits) return VLM_NO_VALUE;
  }
  FINE(vlm_graph_add_value(g->graph, &id, NULL, VLM_VALUE_INPUT, &error));
  FINE(vlm_graph_add_input(g->graph, id, &error));
  vlm_tensor *declared = &g->graph->values[id].tensor;
  *declared = vlm_tensor_make(t->in[k].dtype, t->in[k].rank, t->in[k].dims, NULL);
  for (int d = 0; d < declared->rank; d++)
    if (open >> d & 1) declared->dims[d] = -1;
  if (open & 0x80) declared->rank = -1;
  return id;
}

/* A value that is there, of that type or of one that is not known yet; VLM_NONE = of any. */
static vlm_value_id linked(const fuzz_graph *g, vlm_dtype type) {
  int32_t n = g->graph->n_values, first = n ? below(n) : 0;
  for (int32_t i = 0; i < n; i++) {
    const vlm_value_id id = n - 1 - (first + i) % n;
    const vlm_dtype it = g->graph->values[id].tensor.dtype;
    if (it == type || it == VLM_NONE || type == VLM_NONE) return id;
  }
  return VLM_NO_VALUE;
}

static vlm_value_id source(fuzz_graph *g, const trial *t, int k) {
  vlm_value_id id = VLM_NO_VALUE;
  switch (below(8)) {
    case 1:
    case 2: return constant_of_case(g, t, k);
    case 3:
    case 4: id = linked(g, t->in[k].dtype); break;
    case 5: id = linked(g, VLM_NONE); break;
    case 6: return input_of_case(g, t, k, below(256));
    default: break;
  }
  return id == VLM_NO_VALUE ? input_of_case(g, t, k, 0) : id;
}

/* Attributes move into the graph's arena. */
static void keep_attr(vlm_graph *graph, vlm_attr *to, const vlm_attr *a) {
  int64_t *ints;
  float *floats;
  const char **strings;
  const int count = a->kind >= VLM_ATTR_INTS ? a->count : 0;
  *to = *a;
  FINE(vlm_arena_strdup(graph->arena, &to->name, a->name, &error));
  FINE(vlm_arena_new(graph->arena, &ints, count + 1, &error));
  FINE(vlm_arena_new(graph->arena, &floats, count + 1, &error));
  FINE(vlm_arena_new(graph->arena, &strings, count + 1, &error));
  for (int i = 0; i < count; i++) {
    if (a->kind == VLM_ATTR_INTS) ints[i] = a->u.ints[i];
    if (a->kind == VLM_ATTR_FLOATS) floats[i] = a->u.floats[i];
    if (a->kind == VLM_ATTR_STRINGS)
      FINE(vlm_arena_strdup(graph->arena, &strings[i], a->u.strings[i], &error));
  }
  if (a->kind == VLM_ATTR_INTS) to->u.ints = ints;
  if (a->kind == VLM_ATTR_FLOATS) to->u.floats = floats;
  if (a->kind == VLM_ATTR_STRINGS) to->u.strings = strings;
  if (a->kind == VLM_ATTR_STRING) FINE(vlm_arena_strdup(graph->arena, &to->u.s, a->u.s, &error));
}

/* A small tensor for an attribute that holds one ("value:t"); NULL when the operator has none. */
static const vlm_tensor *tensor_attr(fuzz_graph *g, const trial *t) {
  vlm_tensor *x;
  if (!t->op->attrs || !strstr(t->op->attrs, "value:t") || below(2) == 0) return NULL;
  FINE(vlm_arena_new(g->graph->arena, &x, 1, &error));
  *x = (vlm_tensor){.dtype = TYPES[below(N_TYPES)].dtype, .rank = below(3), .dims = {below(4), below(3)}};
  return make_up(g, x, 0) ? x : NULL;
}

static void append(fuzz_graph *g, const trial *t) {
  int32_t node;
  vlm_value_id id;
  const vlm_tensor *value = tensor_attr(g, t);
  FINE(vlm_graph_add_node(g->graph, &node,
                          &(vlm_node){.domain = t->domain,
                                      .op_type = t->name,
                                      .opset = t->opset,
                                      .n_inputs = t->n_in,
                                      .n_outputs = t->n_out,
                                      .n_attrs = t->n_attrs + (value != NULL)},
                          &error));
  for (int k = 0; k < t->n_in; k++) {
    id = t->given[k] ? source(g, t, k) : VLM_NO_VALUE;
    g->graph->nodes[node].inputs[k] = id;
  }
  for (int k = 0; k < t->n_out; k++) {
    if (!t->wanted[k]) continue;
    FINE(vlm_graph_add_value(g->graph, &id, NULL, VLM_VALUE_NODE, &error));
    g->graph->values[id].tensor.rank = -1;
    vlm_node_set_output(g->graph, node, k, id);
    if (below(4) < 3) FINE(vlm_graph_add_output(g->graph, id, &error));
  }
  for (int a = 0; a < t->n_attrs; a++) keep_attr(g->graph, &g->graph->nodes[node].attrs[a], &t->attrs[a]);
  if (value)
    g->graph->nodes[node].attrs[t->n_attrs] =
        (vlm_attr){.name = "value", .kind = VLM_ATTR_TENSOR, .u.t = value};
}

static void add_made_up_node(fuzz_graph *g) {
  static trial t;
  read_case(&t, &NODES[below(N_NODES)]);
  for (int more = below(4); more > 0; more--) mutate(&t);
  append(g, &t);
}

/* ---- the program it begins with ---- */

static bool feed_program(fuzz_graph *g) {
  if (g->graph->n_inputs > FUZZ_INPUTS) return false;
  for (int32_t i = 0; i < g->graph->n_inputs; i++)
    for (int run = 0; run < FUZZ_RUNS; run++) {
      vlm_tensor *t = &g->in[run][i];
      *t = g->graph->values[g->graph->inputs[i]].tensor;
      for (int d = 0; d < t->rank; d++)
        if (t->dims[d] < 0) t->dims[d] = 2 + run;
      if (t->rank < 0) *t = vlm_tensor_make(t->dtype, 2, (const int64_t[]){2, 3}, NULL);
      if (!make_up(g, t, run)) return false;
    }
  return true;
}

/* ---- changes of the whole ---- */

static vlm_graph *some_graph(const fuzz_graph *g) {
  vlm_graph *at = g->graph;
  for (int deeper = below(3); deeper > 0; deeper--)
    for (int32_t n = 0; n < at->n_nodes; n++)
      for (int32_t a = 0; a < at->nodes[n].n_attrs; a++)
        if (at->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH) {
          at = at->nodes[n].attrs[a].u.g;
          n = at->n_nodes;
          break;
        }
  return at;
}

static void odd_attr(vlm_graph *graph, vlm_attr *a) {
  int64_t *ints;
  if (a->kind == VLM_ATTR_INT) a->u.i = odd_int();
  if (a->kind == VLM_ATTR_FLOAT) a->u.f = (float)odd_real();
  if (a->kind != VLM_ATTR_INTS || a->count == 0) return;
  FINE(vlm_arena_new(graph->arena, &ints, a->count, &error));
  memcpy(ints, a->u.ints, (size_t)a->count * sizeof *ints);
  ints[below(a->count)] = below(2) ? odd_int() : below(6) - 1;
  a->u.ints = ints;
  if (below(4) == 0) a->count--;
}

/* Another type of as many bytes or fewer, other dims, another value: what reads the constant is not asked. */
static void odd_constant(vlm_graph *graph) {
  for (int tries = 0; tries < 8; tries++) {
    vlm_tensor *t = &graph->values[below(graph->n_values)].tensor;
    if (!t->data || t->rank < 0 || vlm_tensor_count(t) == 0) continue;
    vlm_tensor other = *t;
    int d = t->rank ? below(t->rank) : 0;
    switch (below(4)) {
      case 0:
        vlm_tensor_set(t, below((int)(vlm_tensor_count(t) % 1000 + 1)) % vlm_tensor_count(t), odd_real());
        return;
      case 1: other.dtype = TYPES[below(N_TYPES)].dtype; break;
      case 2: other.dims[d] = below((int)(other.dims[d] % 1000 + 1)); break;
      default: other.rank = below(other.rank + 1);
    }
    if (vlm_tensor_bytes(&other) <= vlm_tensor_bytes(t)) *t = other;
    return;
  }
}

static void other_end(vlm_graph *graph, vlm_node *node) {
  if (below(2) && node->n_outputs) {
    vlm_value_id *out = &node->outputs[below(node->n_outputs)];
    if (*out != VLM_NO_VALUE) graph->values[*out].producer = -1;
    *out = VLM_NO_VALUE;
  } else if (node->n_inputs) {
    node->inputs[below(node->n_inputs)] = below(4) ? below(graph->n_values) : VLM_NO_VALUE;
  }
}

static void change(fuzz_graph *g) {
  int32_t count;
  const vlm_op *table = vlm_op_table(&count);
  vlm_graph *graph = some_graph(g);
  if (graph->n_nodes == 0 || graph->n_values == 0) return;
  vlm_node *node = &graph->nodes[below(graph->n_nodes)];
  vlm_value *value = &graph->values[below(graph->n_values)];
  vlm_tensor *declared = value->kind == VLM_VALUE_INPUT && !graph->parent ? NULL : &value->tensor;
  switch (below(8)) {
    case 0:
    case 1: other_end(graph, node); break;
    case 2:
    case 3:
      if (node->n_attrs) odd_attr(graph, &node->attrs[below(node->n_attrs)]);
      break;
    case 4:
    case 5: odd_constant(graph); break;
    case 6:
      if (declared && !declared->data && declared->rank > 0)
        declared->dims[below(declared->rank)] = below(3) - 1;
      break;
    default: {
      const vlm_op *op = &table[below(count)];
      node->domain = op->domain;
      node->op_type = op->name;
      node->opset = op->since;
    }
  }
}

/* ---- all of it ---- */

bool fuzz_graph_make(fuzz_graph *g, const uint8_t *data, size_t size) {
  static const uint8_t nothing[1];
  *g = (fuzz_graph){.graph = NULL};
  decisions = size ? data : nothing;
  n_decisions = size;
  const int program = below(N_PROGRAMS + 1);
  if (program) g->graph = graph_written(PROGRAMS[program - 1]);
  else FINE(vlm_graph_create(&g->graph, "main", "made.onnx", &error));
  g->graph->opset = 20;
  if (program && !feed_program(g)) return false;
  for (int more = below(5) + !program; more > 0; more--) add_made_up_node(g);
  for (int more = below(4); more > 0; more--) change(g);
  decisions = NULL;
  return true;
}

bool fuzz_graph_adopt(fuzz_graph *g, vlm_graph *graph) {
  *g = (fuzz_graph){.graph = graph};
  return feed_program(g);
}

void fuzz_graph_free(fuzz_graph *g) {
  vlm_graph_free(g->graph);
  for (int i = 0; i < g->n_blocks; i++) free(g->blocks[i]);
  *g = (fuzz_graph){.graph = NULL};
}

static void print_value(FILE *to, const vlm_graph *graph, vlm_value_id id) {
  char shape[128];
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : &graph->values[id].tensor;
  if (!t) fprintf(to, " none");
  else if (t->rank < 0) fprintf(to, " %s", graph->values[id].name);
  else
    fprintf(to, " %s:%s%s%s", graph->values[id].name, vlm_dtype_name(t->dtype),
            vlm_tensor_shape_text(t, shape, sizeof shape), t->data ? "c" : "");
}

static void print_attr(FILE *to, const vlm_attr *a) {
  fprintf(to, " %s=", a->name);
  if (a->kind == VLM_ATTR_INT) fprintf(to, "%lld", (long long)a->u.i);
  if (a->kind == VLM_ATTR_FLOAT) fprintf(to, "%g", (double)a->u.f);
  if (a->kind == VLM_ATTR_STRING) fprintf(to, "\"%s\"", a->u.s);
  for (int i = 0; a->kind == VLM_ATTR_INTS && i < a->count; i++)
    fprintf(to, "%s%lld", i ? "," : "", (long long)a->u.ints[i]);
}

void fuzz_graph_print(FILE *to, const vlm_graph *graph) {
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    fprintf(to, "%s%s%s-%d:", node->domain, node->domain[0] ? "." : "", node->op_type, (int)node->opset);
    for (int k = 0; k < node->n_inputs; k++) print_value(to, graph, node->inputs[k]);
    fprintf(to, " ->");
    for (int k = 0; k < node->n_outputs; k++) print_value(to, graph, node->outputs[k]);
    for (int a = 0; a < node->n_attrs; a++) print_attr(to, &node->attrs[a]);
    fprintf(to, "\n");
    for (int a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) {
        fprintf(to, "{ %s\n", node->attrs[a].name);
        fuzz_graph_print(to, node->attrs[a].u.g);
        fprintf(to, "}\n");
      }
  }
}
