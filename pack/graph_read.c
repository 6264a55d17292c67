#include "pack/graphs.h"
#include "pack/lazy_weights.h"

typedef struct graph_reader {
  vlm_byte_reader *d;
  const vlm_tensor_table *tensors;
  const char **strings; /* in the root's arena */
  int32_t n_strings;
  vlm_graph *root;
} graph_reader;

#define OK(r) ((r)->d->status == VLM_OK)

/* Turns a failure of a graph function into one of the file: what it refuses, a good writer has not written. */
static void take(graph_reader *r, vlm_status st) {
  if (OK(r) && st == VLM_INPUT) {
    r->d->status = VLM_INTEGRITY;
    if (r->d->err) r->d->err->status = VLM_INTEGRITY;
    vlm_error_context(r->d->err, "%s: section %s, byte %zu", r->d->file, r->d->section, r->d->at);
  } else if (OK(r)) {
    r->d->status = st;
  }
}

static void *reserve(graph_reader *r, size_t count, size_t size) {
  void *data = NULL;
  if (OK(r)) r->d->status = vlm_arena_alloc(r->root->arena, &data, count, size, r->d->err);
  return OK(r) ? data : NULL;
}

static const char *get_ref(graph_reader *r) {
  const int64_t i = vlm_get_below(r->d, (uint64_t)r->n_strings, "a string");
  return OK(r) ? r->strings[i] : "";
}

static const vlm_tensor *get_tensor(graph_reader *r) {
  const int64_t i = vlm_get_below(r->d, (uint64_t)r->tensors->count, "a tensor");
  return OK(r) ? &r->tensors->items[i].tensor : NULL;
}

static void get_strings(graph_reader *r) {
  r->n_strings = vlm_get_count(r->d, 1, VLM_PACK_MAX_ITEMS, "strings");
  r->strings = reserve(r, (size_t)r->n_strings, sizeof(*r->strings));
  for (int32_t i = 0; i < r->n_strings && OK(r); i++) r->strings[i] = vlm_get_text(r->d, r->root->arena);
}

static void get_declaration(graph_reader *r, vlm_value *value) {
  value->tensor = (vlm_tensor){.dtype = vlm_get_dtype(r->d, true)};
  value->tensor.rank = (int)vlm_get_below(r->d, VLM_MAX_RANK + 2, "a rank") - 1;
  for (int i = 0; i < value->tensor.rank; i++)
    value->tensor.dims[i] = vlm_get_below(r->d, INT64_MAX, "a dimension") - 1;
  unsigned names = vlm_get_u8(r->d);
  if (value->tensor.rank > 8) names |= vlm_get_u8(r->d) << 8;
  for (int i = 0; i < 16; i++) {
    if (!(names >> i & 1)) continue;
    if (i >= value->tensor.rank) vlm_get_fail(r->d, "a name for dimension %d of %d", i, value->tensor.rank);
    const char *name = get_ref(r);
    if (OK(r)) value->dim_names[i] = name;
  }
}

static void get_value(graph_reader *r, vlm_graph *g) {
  const vlm_value_kind kind =
      (vlm_value_kind)vlm_get_below(r->d, VLM_VALUE_CAPTURE + 1, "the kind of a value");
  const char *name = get_ref(r);
  vlm_value_id id = VLM_NO_VALUE;
  vlm_value v = {.name = ""};
  if (OK(r) && !name[0]) vlm_get_fail(r->d, "a value has no name");
  if (kind == VLM_VALUE_CONSTANT) {
    const vlm_tensor *t = get_tensor(r);
    if (OK(r)) v.tensor = *t;
  } else {
    get_declaration(r, &v);
  }
  int64_t parent = VLM_NO_VALUE;
  if (kind == VLM_VALUE_CAPTURE)
    parent = vlm_get_below(r->d, g->parent ? (uint64_t)g->parent->n_values : 0, "a captured value");
  if (OK(r)) take(r, vlm_graph_add_value(g, &id, name, kind, r->d->err));
  if (!OK(r)) return;
  vlm_value *value = &g->values[id];
  value->tensor = v.tensor;
  for (int i = 0; i < VLM_MAX_RANK; i++) value->dim_names[i] = v.dim_names[i];
  value->parent_value = (vlm_value_id)parent;
}

static void get_ends(graph_reader *r, vlm_graph *g, bool inputs) {
  const int32_t n = vlm_get_count(r->d, 1, VLM_PACK_MAX_ITEMS, inputs ? "graph inputs" : "graph outputs");
  for (int32_t i = 0; i < n && OK(r); i++) {
    const vlm_value_id id = (vlm_value_id)vlm_get_below(r->d, (uint64_t)g->n_values, "a value");
    if (OK(r) && inputs && g->values[id].kind != VLM_VALUE_INPUT)
      vlm_get_fail(r->d, "graph input %d is value %d, which is no input", (int)i, (int)id);
    if (OK(r))
      take(r, inputs ? vlm_graph_add_input(g, id, r->d->err) : vlm_graph_add_output(g, id, r->d->err));
  }
}

/* Ids are written plus one, 0 = absent. */
static vlm_value_id *get_ids(graph_reader *r, const vlm_graph *g, int32_t *n) {
  *n = vlm_get_count(r->d, 1, VLM_PACK_MAX_ITEMS, "values of a node");
  vlm_value_id *ids = reserve(r, (size_t)*n, sizeof(*ids));
  for (int32_t i = 0; i < *n && OK(r); i++)
    ids[i] = (vlm_value_id)(vlm_get_below(r->d, (uint64_t)g->n_values + 1, "a value") - 1);
  return ids;
}

static vlm_graph *get_graph(graph_reader *r, vlm_graph *parent, int depth);

static void get_list(graph_reader *r, vlm_attr *a) {
  const size_t least = a->kind == VLM_ATTR_FLOATS ? 4 : 1;
  a->count = vlm_get_count(r->d, least, INT32_MAX, "elements of an attribute");
  if (a->kind == VLM_ATTR_INTS) {
    int64_t *ints = reserve(r, (size_t)a->count, sizeof(*ints));
    for (int32_t i = 0; i < a->count && OK(r); i++) ints[i] = vlm_get_sint(r->d);
    a->u.ints = ints;
  } else if (a->kind == VLM_ATTR_FLOATS) {
    float *floats = reserve(r, (size_t)a->count, sizeof(*floats));
    for (int32_t i = 0; i < a->count && OK(r); i++) floats[i] = vlm_get_f32(r->d);
    a->u.floats = floats;
  } else {
    const char **texts = reserve(r, (size_t)a->count, sizeof(*texts));
    for (int32_t i = 0; i < a->count && OK(r); i++) texts[i] = get_ref(r);
    a->u.strings = texts;
  }
}

static void get_attr(graph_reader *r, vlm_graph *g, vlm_attr *a, int depth) {
  a->name = get_ref(r);
  a->kind = (vlm_attr_kind)vlm_get_below(r->d, VLM_ATTR_STRINGS + 1, "the kind of an attribute");
  switch (a->kind) {
    case VLM_ATTR_NONE: break;
    case VLM_ATTR_INT: a->u.i = vlm_get_sint(r->d); break;
    case VLM_ATTR_FLOAT: a->u.f = vlm_get_f32(r->d); break;
    case VLM_ATTR_STRING: a->u.s = get_ref(r); break;
    case VLM_ATTR_GRAPH: a->u.g = get_graph(r, g, depth + 1); break;
    case VLM_ATTR_TENSOR: {
      const vlm_tensor *t = get_tensor(r);
      vlm_tensor *own = reserve(r, 1, sizeof(*own));
      if (OK(r)) *own = *t;
      if (OK(r))
        take(r,
             vlm_lazy_take(r->root->lazy, t->data, r->d->err)); /* for good: attributes are read by anybody */
      a->u.t = own;
      break;
    }
    default: get_list(r, a); break;
  }
}

static void get_node(graph_reader *r, vlm_graph *g, int depth) {
  const char *name = get_ref(r), *domain = get_ref(r), *op = get_ref(r);
  const int64_t opset = vlm_get_sint(r->d);
  int32_t n_inputs, n_outputs, node = -1;
  const vlm_value_id *inputs = get_ids(r, g, &n_inputs), *outputs = get_ids(r, g, &n_outputs);
  const int32_t n_attrs = vlm_get_count(r->d, 2, VLM_PACK_MAX_ITEMS, "attributes");
  if (opset < 0 || opset > INT32_MAX) vlm_get_fail(r->d, "operator set version %lld", (long long)opset);
  if (OK(r))
    take(r, vlm_graph_add_node(g, &node,
                               &(vlm_node){.name = name,
                                           .domain = domain,
                                           .op_type = op,
                                           .opset = (int32_t)opset,
                                           .n_inputs = n_inputs,
                                           .n_outputs = n_outputs,
                                           .n_attrs = n_attrs},
                               r->d->err));
  if (!OK(r)) return;
  for (int32_t i = 0; i < n_inputs; i++) g->nodes[node].inputs[i] = inputs[i];
  for (int32_t i = 0; i < n_outputs; i++) vlm_node_set_output(g, node, i, outputs[i]);
  vlm_attr *attrs = g->nodes[node].attrs;
  for (int32_t i = 0; i < n_attrs && OK(r); i++) get_attr(r, g, &attrs[i], depth);
}

/* parent NULL: fills the root, which exists already. */
static vlm_graph *get_graph(graph_reader *r, vlm_graph *parent, int depth) {
  vlm_graph *g = r->root;
  if (depth > VLM_PACK_MAX_NESTING)
    vlm_get_fail(r->d, "subgraphs are nested deeper than %d", VLM_PACK_MAX_NESTING);
  const char *name = get_ref(r);
  const int64_t opset = vlm_get_sint(r->d);
  if (opset < 0 || opset > INT32_MAX) vlm_get_fail(r->d, "operator set version %lld", (long long)opset);
  if (OK(r) && parent) take(r, vlm_graph_create_sub(&g, parent, name, r->d->err));
  if (!OK(r)) return NULL;
  g->name = name;
  g->opset = (int32_t)opset;
  const int32_t n_values = vlm_get_count(r->d, 2, VLM_PACK_MAX_ITEMS, "values");
  for (int32_t i = 0; i < n_values && OK(r); i++) get_value(r, g);
  get_ends(r, g, true);
  get_ends(r, g, false);
  const int32_t n_nodes = vlm_get_count(r->d, 7, VLM_PACK_MAX_ITEMS, "nodes");
  for (int32_t i = 0; i < n_nodes && OK(r); i++) get_node(r, g, depth);
  return OK(r) ? g : NULL;
}

vlm_status vlm_graph_decode_roles(vlm_byte_reader *d, vlm_arena *arena, const char **roles,
                                  int32_t *n_roles) {
  *n_roles = vlm_get_count(d, 1, VLM_PACK_MAX_ROLES, "roles");
  if (d->status == VLM_OK && *n_roles == 0) vlm_get_fail(d, "a graph without a role");
  for (int32_t i = 0; i < *n_roles && d->status == VLM_OK; i++) roles[i] = vlm_get_text(d, arena);
  return d->status;
}

vlm_status vlm_graph_decode(vlm_graph **out, vlm_byte_reader *d, const vlm_tensor_table *tensors,
                            const char *source) {
  vlm_status st = VLM_OK;
  graph_reader r = {.d = d, .tensors = tensors};
  *out = NULL;
  VLM_TRY(vlm_graph_create(&r.root, "", source, d->err));
  r.root->lazy = vlm_lazy_weights_blocks(tensors->lazy);
  get_strings(&r);
  get_graph(&r, NULL, 1);
  VLM_TRY(vlm_get_end(d));
  *out = r.root;
  r.root = NULL;
out:
  vlm_graph_free(r.root);
  return st;
}
