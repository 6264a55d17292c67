#include "pack/describe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/hash.h"

typedef struct printer {
  vlm_text *out;
  vlm_status status;
  vlm_error *err;
} printer;

static void put_text(printer *p, const char *text) {
  if (p->status == VLM_OK) p->status = vlm_text_append(p->out, text, strlen(text), p->err);
}

static void put(printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(printer *p, const char *format, ...) {
  char text[160];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  put_text(p, text);
}

static void put_names(printer *p, const vlm_graph *g, const vlm_value_id *ids, int32_t n) {
  put_text(p, "(");
  for (int32_t i = 0; i < n; i++) {
    put_text(p, i ? ", " : "");
    put_text(p, ids[i] == VLM_NO_VALUE ? "-" : g->values[ids[i]].name);
  }
  put_text(p, ")");
}

static void put_tensor(printer *p, const vlm_tensor *t) {
  char shape[160];
  put(p, "%s %s", vlm_dtype_name(t->dtype), vlm_tensor_shape_text(t, shape, sizeof(shape)));
  if (t->data) put(p, " #%016llx", (unsigned long long)vlm_xxh64(t->data, vlm_tensor_bytes(t)));
}

static void put_value(printer *p, const vlm_value *v) {
  const vlm_tensor *t = &v->tensor;
  put(p, "%s ", t->dtype == VLM_NONE ? "any" : vlm_dtype_name(t->dtype));
  put_text(p, t->rank < 0 ? "?" : "[");
  for (int i = 0; i < t->rank; i++) {
    put_text(p, i ? ", " : "");
    if (t->dims[i] >= 0) put(p, "%lld", (long long)t->dims[i]);
    else put_text(p, v->dim_names[i] ? v->dim_names[i] : "?");
  }
  if (t->rank >= 0) put_text(p, "]");
}

static void put_node(printer *p, const vlm_graph *g, const vlm_node *n);

static void put_graph(printer *p, const vlm_graph *g) {
  put_names(p, g, g->inputs, g->n_inputs);
  put_text(p, " -> ");
  put_names(p, g, g->outputs, g->n_outputs);
  put_text(p, ": ");
  for (int32_t i = 0; i < g->n_values; i++) {
    const vlm_value *v = &g->values[i];
    if (v->kind != VLM_VALUE_CONSTANT && v->kind != VLM_VALUE_CAPTURE) continue;
    put_text(p, v->name);
    put_text(p, " = ");
    if (v->kind == VLM_VALUE_CONSTANT) put_tensor(p, &v->tensor);
    else put_text(p, g->parent ? g->parent->values[v->parent_value].name : "?");
    put_text(p, "; ");
  }
  for (int32_t i = 0; i < g->n_nodes; i++) {
    put_node(p, g, &g->nodes[i]);
    put_text(p, "; ");
  }
}

static void put_list(printer *p, const vlm_attr *a) {
  put_text(p, "[");
  for (int32_t i = 0; i < a->count; i++) {
    put_text(p, i ? ", " : "");
    if (a->kind == VLM_ATTR_INTS) put(p, "%lld", (long long)a->u.ints[i]);
    else if (a->kind == VLM_ATTR_FLOATS) put(p, "%.9g", (double)a->u.floats[i]);
    else put_text(p, a->u.strings[i]);
  }
  put_text(p, "]");
}

static void put_attr(printer *p, const vlm_attr *a, const char *separator) {
  put_text(p, separator);
  put_text(p, a->name);
  put_text(p, "=");
  switch (a->kind) {
    case VLM_ATTR_NONE: put_text(p, "none"); break;
    case VLM_ATTR_INT: put(p, "%lld", (long long)a->u.i); break;
    case VLM_ATTR_FLOAT: put(p, "%.9g", (double)a->u.f); break;
    case VLM_ATTR_STRING: put_text(p, a->u.s); break;
    case VLM_ATTR_TENSOR: put_tensor(p, a->u.t); break;
    case VLM_ATTR_GRAPH: put_graph(p, a->u.g); break;
    default: put_list(p, a); break;
  }
}

static void put_node(printer *p, const vlm_graph *g, const vlm_node *n) {
  if (n->domain[0]) put_text(p, n->domain), put_text(p, ".");
  put_text(p, n->op_type);
  put(p, ":%d", (int)n->opset);
  put_names(p, g, n->inputs, n->n_inputs);
  put_text(p, " -> ");
  put_names(p, g, n->outputs, n->n_outputs);
  for (int32_t i = 0; i < n->n_attrs; i++) put_attr(p, &n->attrs[i], i ? ", " : " {");
  if (n->n_attrs) put_text(p, "}");
}

vlm_status vlm_describe_node(vlm_text *out, const vlm_graph *graph, const vlm_node *node, vlm_error *err) {
  printer p = {.out = out, .err = err};
  put_node(&p, graph, node);
  return p.status;
}

vlm_status vlm_describe_value(vlm_text *out, const vlm_value *value, vlm_error *err) {
  printer p = {.out = out, .err = err};
  put_value(&p, value);
  return p.status;
}
