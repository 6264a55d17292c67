#include "runtime/bundle/bundle.h"

#include <stdlib.h>
#include <string.h>

static const char *const ROLES[VLM_ROLE_COUNT] = {
#define X(name, text) text,
#include "runtime/bundle/roles.def"
#undef X
};
static const char *const TEXTS[VLM_TEXT_COUNT] = {
#define X(name, file) file,
#include "runtime/bundle/texts.def"
#undef X
};

const char *vlm_role_name(vlm_role role) { return (unsigned)role < VLM_ROLE_COUNT ? ROLES[role] : "?"; }
const char *vlm_text_file(vlm_bundle_text text) {
  return (unsigned)text < VLM_TEXT_COUNT ? TEXTS[text] : "?";
}

bool vlm_role_parse(vlm_role *out, const char *name) {
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (!strcmp(ROLES[r], name)) {
      *out = (vlm_role)r;
      return true;
    }
  return false;
}

vlm_graph *vlm_bundle_graph_once(const vlm_bundle *bundle, int role) {
  vlm_graph *graph = bundle->graphs[role];
  return role > 0 && graph == bundle->graphs[role - 1] ? NULL : graph;
}

vlm_status vlm_bundle_create(vlm_bundle **out, const char *source, vlm_error *err) {
  vlm_status st = vlm_new(out, 1, err);
  if (st == VLM_OK) st = vlm_strdup(&(*out)->source, source, err);
  if (st == VLM_OK) return st;
  vlm_bundle_free(*out);
  *out = NULL;
  return st;
}

void vlm_bundle_free(vlm_bundle *bundle) {
  if (!bundle) return;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    bool shared = false;
    for (int earlier = 0; earlier < r; earlier++) shared |= bundle->graphs[earlier] == bundle->graphs[r];
    if (bundle->graphs[r] && !shared) vlm_graph_free(bundle->graphs[r]);
  }
  if (bundle->merged) vlm_graph_free(bundle->merged);
  for (int t = 0; t < VLM_TEXT_COUNT; t++) vlm_free(bundle->texts[t]);
  vlm_free(bundle->preprocess);
  vlm_free(bundle->source);
  vlm_free(bundle);
}

vlm_status vlm_bundle_copy_texts(vlm_bundle *to, const vlm_bundle *from, vlm_error *err) {
  vlm_status st = VLM_OK;
  to->family = from->family;
  to->preprocess_status = from->preprocess_status;
  to->preprocess_error = from->preprocess_error;
  if (from->preprocess) VLM_TRY(vlm_strdup(&to->preprocess, from->preprocess, err));
  for (int t = 0; t < VLM_TEXT_COUNT; t++)
    if (from->texts[t]) VLM_TRY(vlm_strdup(&to->texts[t], from->texts[t], err));
out:
  return st;
}

/* ---- digest ---- */

static void add_int(vlm_hasher *h, int64_t value) { vlm_hasher_add(h, &value, sizeof value); }

static void add_tensor(vlm_hasher *h, const vlm_tensor *t) {
  add_int(h, t->dtype);
  add_int(h, t->rank);
  for (int d = 0; d < t->rank; d++) add_int(h, t->dims[d]);
  if (t->data) vlm_hasher_add(h, t->data, vlm_tensor_bytes(t));
}

static void add_graph(vlm_hasher *h, const vlm_graph *g);

static void add_attr(vlm_hasher *h, const vlm_attr *a) {
  vlm_hasher_add_text(h, a->name);
  add_int(h, a->kind);
  add_int(h, a->count);
  switch (a->kind) {
    case VLM_ATTR_INT: add_int(h, a->u.i); break;
    case VLM_ATTR_FLOAT: vlm_hasher_add(h, &a->u.f, sizeof a->u.f); break;
    case VLM_ATTR_STRING: vlm_hasher_add_text(h, a->u.s); break;
    case VLM_ATTR_TENSOR: add_tensor(h, a->u.t); break;
    case VLM_ATTR_GRAPH: add_graph(h, a->u.g); break;
    case VLM_ATTR_INTS: vlm_hasher_add(h, a->u.ints, (size_t)a->count * sizeof *a->u.ints); break;
    case VLM_ATTR_FLOATS: vlm_hasher_add(h, a->u.floats, (size_t)a->count * sizeof *a->u.floats); break;
    case VLM_ATTR_STRINGS:
      for (int32_t i = 0; i < a->count; i++) vlm_hasher_add_text(h, a->u.strings[i]);
      break;
    case VLM_ATTR_NONE: break;
  }
}

static void add_names(vlm_hasher *h, const vlm_graph *g, const vlm_value_id *ids, int32_t n) {
  add_int(h, n);
  for (int32_t i = 0; i < n; i++)
    vlm_hasher_add_text(h, ids[i] == VLM_NO_VALUE ? "" : g->values[ids[i]].name);
}

static void add_graph(vlm_hasher *h, const vlm_graph *g) {
  for (int32_t v = 0; v < g->n_values; v++) {
    if (g->values[v].kind != VLM_VALUE_CONSTANT) continue;
    vlm_hasher_add_text(h, g->values[v].name);
    add_tensor(h, &g->values[v].tensor);
  }
  for (int32_t n = 0; n < g->n_nodes; n++) {
    const vlm_node *node = &g->nodes[n];
    vlm_hasher_add_text(h, node->domain);
    vlm_hasher_add_text(h, node->op_type);
    add_int(h, node->opset);
    add_names(h, g, node->inputs, node->n_inputs);
    add_names(h, g, node->outputs, node->n_outputs);
    for (int32_t a = 0; a < node->n_attrs; a++) add_attr(h, &node->attrs[a]);
  }
  add_names(h, g, g->inputs, g->n_inputs);
  add_names(h, g, g->outputs, g->n_outputs);
}

vlm_status vlm_bundle_digest(vlm_digest *out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_hasher *h;
  vlm_status st = vlm_hasher_create(&h, err);
  if (st != VLM_OK) return st;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    if (!bundle->graphs[r]) continue;
    vlm_hasher_add_text(h, ROLES[r]);
    add_graph(h, bundle->graphs[r]);
  }
  *out = vlm_hasher_digest(h);
  vlm_hasher_free(h);
  return VLM_OK;
}

/* ---- weights ---- */

typedef struct {
  vlm_digest digest;
  size_t bytes;
  const vlm_tensor *tensor;
  int role;
} weight;

typedef struct {
  weight *items;
  size_t count, capacity;
} weight_list;

vlm_status vlm_weight_digest(vlm_digest *out, const vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *turned = NULL;
  size_t bytes = vlm_tensor_bytes(t), size = (size_t)vlm_dtype_bits(t->dtype) / 8;
  *out = vlm_hash128(t->data, bytes);
  if (t->rank != 2 || t->dims[0] < 2 || t->dims[1] < 2 || size == 0) goto out;
  VLM_TRY(vlm_new(&turned, bytes, err));
  size_t rows = (size_t)t->dims[0], columns = (size_t)t->dims[1];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++)
      memcpy(turned + (j * rows + i) * size, (const char *)t->data + (i * columns + j) * size, size);
  vlm_digest other = vlm_hash128(turned, bytes);
  if (other.high < out->high) *out = other;
out:
  out->low += (uint64_t)t->dtype;
  vlm_free(turned);
  return st;
}

/* Graphs that were one file share their constants: what was hashed once is known by its address. */
static const weight *find_seen(const weight_list *list, const vlm_tensor *t) {
  for (size_t i = 0; i < list->count; i++) {
    const vlm_tensor *seen = list->items[i].tensor;
    if (seen->data == t->data && seen->dtype == t->dtype && vlm_tensor_same_shape(seen, t))
      return &list->items[i];
  }
  return NULL;
}

static vlm_status add_weight(weight_list *list, const vlm_tensor *t, int role, vlm_error *err) {
  vlm_status st = VLM_OK;
  weight added = {.bytes = vlm_tensor_bytes(t), .tensor = t, .role = role};
  if (list->count == list->capacity) {
    size_t wanted = list->capacity ? 2 * list->capacity : 256;
    VLM_TRY(vlm_more(&list->items, list->count, wanted, err));
    list->capacity = wanted;
  }
  const weight *seen = find_seen(list, t);
  if (seen) {
    added.digest = seen->digest;
  } else {
    VLM_TRY(vlm_weight_digest(&added.digest, t, err));
  }
  list->items[list->count++] = added;
out:
  return st;
}

static vlm_status list_weights(weight_list *list, const vlm_graph *g, int role, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t v = 0; v < g->n_values; v++) {
    const vlm_tensor *t = &g->values[v].tensor;
    if (g->values[v].kind == VLM_VALUE_CONSTANT && t->data && vlm_tensor_count(t) > 1)
      VLM_TRY(add_weight(list, t, role, err));
  }
  for (int32_t n = 0; n < g->n_nodes; n++)
    for (int32_t a = 0; a < g->nodes[n].n_attrs; a++)
      if (g->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(list_weights(list, g->nodes[n].attrs[a].u.g, role, err));
out:
  return st;
}

static int by_digest(const void *a, const void *b) {
  const weight *x = a, *y = b;
  if (x->digest.high != y->digest.high) return x->digest.high < y->digest.high ? -1 : 1;
  if (x->digest.low != y->digest.low) return x->digest.low < y->digest.low ? -1 : 1;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int by_digest_and_role(const void *a, const void *b) {
  int order = by_digest(a, b);
  return order ? order : ((const weight *)a)->role - ((const weight *)b)->role;
}

static void count_weight(vlm_weight_count *sum, const weight *w) {
  const int64_t elements = vlm_tensor_count(w->tensor);
  const bool coded = vlm_dtype_bits(w->tensor->dtype) <= 8 && w->tensor->dtype != VLM_BOOL;
  sum->elements += elements;
  sum->bytes += w->bytes;
  sum->float_bytes += coded ? (size_t)elements * sizeof(float) : w->bytes;
}

vlm_status vlm_bundle_count_weights(vlm_weight_count roles[VLM_ROLE_COUNT], vlm_weight_count *total,
                                    const vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  weight_list list = {0};
  memset(roles, 0, VLM_ROLE_COUNT * sizeof *roles);
  *total = (vlm_weight_count){.elements = 0};
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (bundle->graphs[r]) VLM_TRY(list_weights(&list, bundle->graphs[r], r, err));
  if (list.count) qsort(list.items, list.count, sizeof *list.items, by_digest_and_role);
  for (size_t i = 0; i < list.count; i++) {
    const weight *w = &list.items[i], *before = i ? w - 1 : NULL;
    bool known = before && !by_digest(before, w);
    if (!known) count_weight(total, w);
    if (!known || before->role != w->role) count_weight(&roles[w->role], w);
  }
out:
  vlm_free(list.items);
  return st;
}

vlm_status vlm_bundle_weight_bytes(size_t *out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_weight_count roles[VLM_ROLE_COUNT], total;
  vlm_status st = vlm_bundle_count_weights(roles, &total, bundle, err);
  *out = st == VLM_OK ? total.bytes : 0;
  return st;
}

vlm_status vlm_bundle_float_bytes(size_t *out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_weight_count roles[VLM_ROLE_COUNT], total;
  vlm_status st = vlm_bundle_count_weights(roles, &total, bundle, err);
  *out = st == VLM_OK ? total.float_bytes : 0;
  return st;
}
