/* Graphs as Graphviz text: a box per node, an edge per value with its shape; constants stand in the box of the node that reads them. */
#include <string.h>

#include "cli/inspect.h"
#include "runtime/base/file.h"

typedef struct {
  vlm_text text;
  int32_t clusters; /* each graph and body has its number, so that node ids differ */
  vlm_error *err;
} dot;

/* Text for a quoted string or label. */
static const char *escape(const char *text, char out[400]) {
  char clean[200];
  size_t n = 0;
  for (const char *c = vlm_show_clean(clean, sizeof clean, text); *c; c++) {
    if (*c == '"' || *c == '\\') out[n++] = '\\';
    out[n++] = *c;
  }
  out[n] = 0;
  return out;
}

static const char *shape_of(const vlm_value *v, char *text, size_t size) {
  size_t n = (size_t)snprintf(text, size, "%s", v->tensor.rank < 0 ? "" : "[");
  for (int d = 0; d < v->tensor.rank && n < size; d++) {
    const char *gap = d ? ", " : "";
    if (v->tensor.dims[d] >= 0)
      n += (size_t)snprintf(text + n, size - n, "%s%lld", gap, (long long)v->tensor.dims[d]);
    else n += (size_t)snprintf(text + n, size - n, "%s%s", gap, v->dim_names[d] ? v->dim_names[d] : "?");
  }
  if (v->tensor.rank >= 0 && n < size) snprintf(text + n, size - n, "]");
  return text;
}

static vlm_status add_graph(dot *d, const vlm_graph *g, int32_t cluster, const char *title);

/* "MatMul", name, then the constants with two or more elements. */
static vlm_status add_node(dot *d, const vlm_graph *g, int32_t cluster, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &g->nodes[n];
  char op[400], name[400], shape[128];
  VLM_TRY(vlm_text_print(&d->text, d->err, "    g%d_n%d [label=\"%s\\n%s", cluster, n,
                         escape(node->op_type, op), escape(node->name, name)));
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    const vlm_value *v = &g->values[node->inputs[k]];
    if (v->kind != VLM_VALUE_CONSTANT || vlm_tensor_count(&v->tensor) < 2) continue;
    VLM_TRY(vlm_text_print(&d->text, d->err, "\\n%s %s", vlm_dtype_name(v->tensor.dtype),
                           shape_of(v, shape, sizeof shape)));
  }
  VLM_TRY(vlm_text_print(&d->text, d->err, "\"];\n"));
out:
  return st;
}

/* Where a value comes from: a node, an input, or (captures) a node or input of the graph around. */
static vlm_status add_edge(dot *d, const vlm_graph *g, int32_t cluster, vlm_value_id id, const char *to) {
  const vlm_value *v = &g->values[id];
  char shape[256], label[400];
  escape(shape_of(v, shape, sizeof shape), label);
  if (v->kind == VLM_VALUE_NODE && v->producer >= 0)
    return vlm_text_print(&d->text, d->err, "    g%d_n%d -> %s [label=\"%s\"];\n", cluster, v->producer, to,
                          label);
  if (v->kind == VLM_VALUE_INPUT || v->kind == VLM_VALUE_CAPTURE)
    return vlm_text_print(&d->text, d->err, "    g%d_v%d -> %s [label=\"%s\"];\n", cluster, id, to, label);
  return VLM_OK;
}

static vlm_status add_end(dot *d, const vlm_value *v, const char *id, const char *shape) {
  char name[400];
  return vlm_text_print(&d->text, d->err, "    %s [label=\"%s\\n%s\", shape=%s];\n", id,
                        escape(v->name, name), vlm_dtype_name(v->tensor.dtype), shape);
}

static vlm_status add_ends(dot *d, const vlm_graph *g, int32_t cluster) {
  vlm_status st = VLM_OK;
  char id[64];
  for (int32_t v = 0; v < g->n_values; v++) {
    if (g->values[v].kind != VLM_VALUE_INPUT && g->values[v].kind != VLM_VALUE_CAPTURE) continue;
    snprintf(id, sizeof id, "g%d_v%d", cluster, v);
    VLM_TRY(add_end(d, &g->values[v], id, g->values[v].kind == VLM_VALUE_INPUT ? "ellipse" : "diamond"));
  }
  for (int32_t i = 0; i < g->n_outputs; i++) {
    snprintf(id, sizeof id, "g%d_o%d", cluster, i);
    VLM_TRY(add_end(d, &g->values[g->outputs[i]], id, "ellipse"));
    VLM_TRY(add_edge(d, g, cluster, g->outputs[i], id));
  }
out:
  return st;
}

static vlm_status add_bodies(dot *d, const vlm_graph *g, int32_t cluster, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &g->nodes[n];
  char title[512];
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    int32_t body = ++d->clusters;
    snprintf(title, sizeof title, "%.200s of %.200s", node->attrs[a].name, node->name);
    VLM_TRY(add_graph(d, node->attrs[a].u.g, body, title));
    const vlm_graph *b = node->attrs[a].u.g;
    for (int32_t i = 0; i < b->n_outputs; i++)
      VLM_TRY(
          vlm_text_print(&d->text, d->err, "    g%d_o%d -> g%d_n%d [style=dashed];\n", body, i, cluster, n));
  }
out:
  return st;
}

static vlm_status add_graph(dot *d, const vlm_graph *g, int32_t cluster, const char *title) {
  vlm_status st = VLM_OK;
  char label[400], id[64];
  VLM_TRY(vlm_text_print(&d->text, d->err, "  subgraph cluster_%d {\n    label=\"%s\";\n", cluster,
                         escape(title, label)));
  VLM_TRY(add_ends(d, g, cluster));
  for (int32_t n = 0; n < g->n_nodes; n++) {
    VLM_TRY(add_node(d, g, cluster, n));
    snprintf(id, sizeof id, "g%d_n%d", cluster, n);
    for (int32_t k = 0; k < g->nodes[n].n_inputs; k++)
      if (g->nodes[n].inputs[k] != VLM_NO_VALUE) VLM_TRY(add_edge(d, g, cluster, g->nodes[n].inputs[k], id));
    VLM_TRY(add_bodies(d, g, cluster, n));
  }
  VLM_TRY(vlm_text_print(&d->text, d->err, "  }\n"));
out:
  return st;
}

vlm_status vlm_dot_write(const vlm_bundle *bundle, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  dot d = {.err = err};
  VLM_TRY(vlm_text_print(&d.text, err,
                         "digraph model {\n  node [shape=box, fontsize=10];\n  edge [fontsize=8];\n"));
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (vlm_bundle_graph_once(bundle, r))
      VLM_TRY(add_graph(&d, bundle->graphs[r], ++d.clusters, vlm_role_name((vlm_role)r)));
  VLM_TRY(vlm_text_print(&d.text, err, "}\n"));
  VLM_TRY(vlm_file_write(path, vlm_text_get(&d.text), d.text.bytes, err));
out:
  vlm_text_free(&d.text);
  return st;
}
