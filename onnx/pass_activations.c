#include <math.h>
#include <string.h>

#include "onnx/pass.h"

/* Exporters write x * 0.5 * (1 + erf(x / sqrt 2)), x * min(max(x + 3, 0), 6) / 6 and their relatives in every order and grouping. Instead of
 * listing them, an expression is expanded to a polynomial sum of c[i][j] x^i e^j, where e is the result of the Erf, Tanh, Sigmoid or Clip
 * inside, and compared. */
enum { POWERS = 4, MAX_DEPTH = 6 };
typedef struct poly {
  double c[POWERS][2];
} poly;

typedef struct symbols {
  const vlm_graph *graph;
  vlm_value_id x, e;
} symbols;

static bool expand(const symbols *s, vlm_value_id id, int depth, poly *out);

static bool multiply(const poly *a, const poly *b, poly *out) {
  *out = (poly){0};
  for (int i = 0; i < POWERS * 2; i++) {
    for (int j = 0; j < POWERS * 2; j++) {
      double product = a->c[i / 2][i % 2] * b->c[j / 2][j % 2];
      if (product == 0) continue;
      if (i / 2 + j / 2 >= POWERS || i % 2 + j % 2 > 1) return false;
      out->c[i / 2 + j / 2][i % 2 + j % 2] += product;
    }
  }
  return true;
}

static void add(poly *a, const poly *b, double factor) {
  for (int i = 0; i < POWERS * 2; i++) a->c[i / 2][i % 2] += factor * b->c[i / 2][i % 2];
}

static bool expand_power(const symbols *s, const vlm_node *node, int depth, poly *out) {
  double exponent = 0;
  poly base, before;
  if (!vlm_pass_scalar(s->graph, node->inputs[1], &exponent) || (exponent != 2 && exponent != 3))
    return false;
  if (!expand(s, node->inputs[0], depth, &base)) return false;
  *out = base;
  for (int k = 1; k < (int)exponent; k++) {
    before = *out;
    if (!multiply(&before, &base, out)) return false;
  }
  return true;
}

static bool expand_pair(const symbols *s, const vlm_node *node, int depth, poly *out) {
  double divisor = 0;
  poly left, right;
  if (!expand(s, node->inputs[0], depth, &left)) return false;
  if (vlm_node_is(node, "Div")) {
    if (!vlm_pass_scalar(s->graph, node->inputs[1], &divisor) || divisor == 0) return false;
    *out = (poly){0};
    add(out, &left, 1 / divisor);
    return true;
  }
  if (!expand(s, node->inputs[1], depth, &right)) return false;
  if (vlm_node_is(node, "Mul")) return multiply(&left, &right, out);
  *out = left;
  add(out, &right, vlm_node_is(node, "Add") ? 1 : -1);
  return true;
}

static bool is_arithmetic(const vlm_node *node) {
  static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Pow"};
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
    if (vlm_node_is(node, names[k])) return true;
  return false;
}

static const vlm_node *maker(const vlm_graph *graph, vlm_value_id id) {
  return graph->values[id].producer < 0 ? NULL : &graph->nodes[graph->values[id].producer];
}

/* False when the expression is no polynomial in x and e. */
static bool expand(const symbols *s, vlm_value_id id, int depth, poly *out) {
  double value = 0;
  *out = (poly){0};
  if (id == s->x || id == s->e) {
    out->c[id == s->x][id == s->e] = 1;
    return true;
  }
  if (vlm_pass_scalar(s->graph, id, &value) && vlm_graph_constant(s->graph, id)->rank <= 1) {
    out->c[0][0] = value;
    return true;
  }
  const vlm_node *node = maker(s->graph, id);
  if (node == NULL || depth == 0 || !is_arithmetic(node)) return false;
  return vlm_node_is(node, "Pow") ? expand_power(s, node, depth - 1, out)
                                  : expand_pair(s, node, depth - 1, out);
}

/* What an activation looks like: inner is the argument of `core` as a polynomial of x, outer the whole in x and e = core(inner). */
typedef struct activation_form {
  const char *core;
  double params[2]; /* of the core: bounds of Clip, alpha and beta of HardSigmoid */
  poly inner, outer;
  const char *domain, *op;
  int32_t opset;
  vlm_attr attrs[2];
  int32_t n_attrs;
} activation_form;

#define SIXTH 0.16666666666666667
static const activation_form forms[] = {
    {"Erf",
     {0},
     {{{0}, {0.70710678118654752}}},
     {{{0}, {0.5, 0.5}}},
     "",
     "Gelu",
     20,
     {{"approximate", VLM_ATTR_STRING, 0, {.s = "none"}}},
     1},
    {"Tanh",
     {0},
     {{{0}, {0.79788456080286536}, {0}, {0.035677408136300125}}},
     {{{0}, {0.5, 0.5}}},
     "",
     "Gelu",
     20,
     {{"approximate", VLM_ATTR_STRING, 0, {.s = "tanh"}}},
     1},
    {"Sigmoid",
     {0},
     {{{0}, {1.702}}},
     {{{0}, {0, 1}}},
     "com.microsoft",
     "QuickGelu",
     1,
     {{"alpha", VLM_ATTR_FLOAT, 0, {.f = 1.702f}}},
     1},
    {"Sigmoid",
     {0},
     {{{0}, {1}}},
     {{{0}, {0, 1}}},
     "",
     "Swish",
     24,
     {{"alpha", VLM_ATTR_FLOAT, 0, {.f = 1}}},
     1},
    {"Clip", {0, 6}, {{{3}, {1}}}, {{{0}, {0, SIXTH}}}, "", "HardSwish", 14, {{0}}, 0},
    {"Clip",
     {0, 6},
     {{{3}, {1}}},
     {{{0, SIXTH}}},
     "",
     "HardSigmoid",
     6,
     {{"alpha", VLM_ATTR_FLOAT, 0, {.f = (float)SIXTH}}, {"beta", VLM_ATTR_FLOAT, 0, {.f = 0.5f}}},
     2},
    {"HardSigmoid", {SIXTH, 0.5}, {{{0}, {1}}}, {{{0}, {0, 1}}}, "", "HardSwish", 14, {{0}}, 0},
};
enum { FORMS = sizeof forms / sizeof forms[0] };

/* Constants may have been rounded to half precision. */
static const double tolerance = 1e-3;

static bool same(const poly *a, const poly *b) {
  for (int i = 0; i < POWERS * 2; i++) {
    double got = a->c[i / 2][i % 2], wanted = b->c[i / 2][i % 2];
    if (fabs(got - wanted) > tolerance * fabs(wanted) + (wanted == 0 ? 1e-9 : 0)) return false;
  }
  return true;
}

/* A bound of Clip: an input since opset 11. */
static bool has_bound(const vlm_graph *graph, const vlm_node *node, int32_t k, const char *name,
                      double wanted) {
  const vlm_attr *a = vlm_node_attr(node, name);
  const vlm_value_id id = vlm_node_input(node, k);
  double value = a && a->kind == VLM_ATTR_FLOAT ? (double)a->u.f : NAN;
  if (node->opset >= 11 && (id == VLM_NO_VALUE || !vlm_pass_scalar(graph, id, &value))) return false;
  return value == wanted;
}

static bool is_core(const vlm_graph *graph, const vlm_node *node, const activation_form *f) {
  if (!vlm_node_is(node, f->core)) return false;
  if (vlm_node_is(node, "Clip"))
    return has_bound(graph, node, 1, "min", f->params[0]) && has_bound(graph, node, 2, "max", f->params[1]);
  if (vlm_node_is(node, "HardSigmoid"))
    return fabs((double)vlm_node_float(node, "alpha", 0.2f) - f->params[0]) < tolerance &&
           vlm_node_float(node, "beta", 0.5f) == (float)f->params[1];
  return true;
}

/* The Erf, Tanh, … in the expression above `id`, or NULL. */
static const vlm_node *find_core(const vlm_graph *graph, vlm_value_id id, int depth) {
  const vlm_node *node = maker(graph, id);
  if (node == NULL || depth == 0) return NULL;
  for (size_t k = 0; k < FORMS; k++)
    if (vlm_node_is(node, forms[k].core)) return node;
  if (!is_arithmetic(node)) return NULL;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    const vlm_node *core = find_core(graph, node->inputs[k], depth - 1);
    if (core != NULL) return core;
  }
  return NULL;
}

/* Tries every value from which the argument of the core is computed as x. */
static bool find_x(const vlm_graph *graph, vlm_value_id argument, vlm_value_id at, int depth,
                   const activation_form *f, vlm_value_id *x) {
  const symbols s = {graph, at, VLM_NO_VALUE};
  poly p;
  if (vlm_graph_constant(graph, at) != NULL) return false;
  if (expand(&s, argument, MAX_DEPTH, &p) && same(&p, &f->inner)) return *x = at, true;
  const vlm_node *node = maker(graph, at);
  if (node == NULL || depth == 0 || !is_arithmetic(node)) return false;
  for (int32_t k = 0; k < node->n_inputs; k++)
    if (find_x(graph, argument, node->inputs[k], depth - 1, f, x)) return true;
  return false;
}

static bool fits(const vlm_graph *graph, const vlm_node *node, const vlm_node *core, const activation_form *f,
                 symbols *s) {
  poly p;
  *s = (symbols){.graph = graph};
  if (!is_core(graph, core, f)) return false;
  if (!find_x(graph, core->inputs[0], core->inputs[0], MAX_DEPTH, f, &s->x)) return false;
  s->e = core->outputs[0];
  return expand(s, node->outputs[0], MAX_DEPTH, &p) && same(&p, &f->outer);
}

static vlm_status try_at(vlm_graph *graph, int32_t at, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &graph->nodes[at];
  if (!vlm_node_is(node, "Mul") && !vlm_node_is(node, "Div")) return VLM_OK;
  const vlm_node *core = find_core(graph, node->outputs[0], MAX_DEPTH);
  symbols s;
  size_t k = 0;
  while (core && k < FORMS && !fits(graph, node, core, &forms[k], &s)) k++;
  if (!core || k == FORMS) return VLM_OK;
  const activation_form *f = &forms[k];
  VLM_TRY(vlm_pass_rewrite(graph, at, f->domain, f->op, f->opset, &s.x, 1, f->n_attrs, err));
  for (int32_t i = 0; i < f->n_attrs; i++) graph->nodes[at].attrs[i] = f->attrs[i];
  ++*changes;
out:
  return st;
}

vlm_status vlm_pass_activations(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0; n < graph->n_nodes; n++) VLM_TRY(try_at(graph, n, changes, err));
out:
  return st;
}
