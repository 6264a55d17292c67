#include <string.h>

#include "pack/graphs.h"
#include "runtime/base/hash.h"

/* Strings of one section, numbered by first use. */
typedef struct strings {
  const char **texts;
  int32_t *slots; /* open addressing: index + 1; twice the capacity */
  int32_t count, capacity;
} strings;

typedef struct writer {
  vlm_encoder *e; /* of the graph; the string table goes in front of it at the end */
  strings strings;
  vlm_tensor_pool *pool;
} writer;

static uint32_t slot_of(const strings *s, const char *text) {
  const uint32_t mask = (uint32_t)s->capacity * 2 - 1;
  uint32_t slot = (uint32_t)vlm_xxh64(text, strlen(text)) & mask;
  while (s->slots[slot] && strcmp(s->texts[s->slots[slot] - 1], text) != 0) slot = (slot + 1) & mask;
  return slot;
}

static vlm_status grow(strings *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int32_t more = s->capacity ? s->capacity * 2 : 256;
  int32_t *slots = NULL;
  VLM_CHECK(more <= VLM_PACK_MAX_ITEMS, err, VLM_LIMIT, "a graph with more than %d strings",
            VLM_PACK_MAX_ITEMS);
  VLM_TRY(vlm_new(&slots, (size_t)more * 2, err));
  VLM_TRY(vlm_more(&s->texts, s->capacity, more, err));
  vlm_free(s->slots);
  s->slots = slots;
  slots = NULL;
  s->capacity = more;
  for (int32_t i = 0; i < s->count; i++) s->slots[slot_of(s, s->texts[i])] = i + 1;
out:
  vlm_free(slots);
  return st;
}

static void put_ref(writer *w, const char *text) {
  strings *s = &w->strings;
  if (!text) text = "";
  if (w->e->status == VLM_OK && s->count == s->capacity) w->e->status = grow(s, w->e->err);
  if (w->e->status != VLM_OK) return;
  const uint32_t slot = slot_of(s, text);
  if (!s->slots[slot]) {
    s->texts[s->count++] = text;
    s->slots[slot] = s->count;
  }
  vlm_put_uint(w->e, (uint64_t)s->slots[slot] - 1);
}

static void put_tensor(writer *w, const vlm_tensor *tensor) {
  int32_t index = 0;
  if (w->e->status == VLM_OK) w->e->status = vlm_tensor_pool_add(w->pool, &index, tensor, w->e->err);
  vlm_put_uint(w->e, (uint64_t)index);
}

/* Declared type, shape and names of dims. */
static void put_declaration(writer *w, const vlm_value *value) {
  const vlm_tensor *t = &value->tensor;
  unsigned names = 0;
  vlm_put_u8(w->e, (unsigned)vlm_dtype_onnx(t->dtype));
  vlm_put_uint(w->e, (uint64_t)(t->rank + 1));
  for (int i = 0; i < t->rank; i++) {
    vlm_put_uint(w->e, (uint64_t)(t->dims[i] + 1));
    if (value->dim_names[i]) names |= 1u << i;
  }
  vlm_put_u8(w->e, names & 255);
  if (t->rank > 8) vlm_put_u8(w->e, names >> 8);
  for (int i = 0; i < t->rank; i++) {
    if (names >> i & 1) put_ref(w, value->dim_names[i]);
  }
}

static void put_value(writer *w, const vlm_value *value) {
  vlm_put_u8(w->e, (unsigned)value->kind);
  put_ref(w, value->name);
  if (value->released && w->e->status == VLM_OK)
    w->e->status =
        vlm_fail(w->e->err, VLM_USAGE,
                 "constant \"%s\" was let go when a session packed it and cannot be written", value->name);
  if (value->kind == VLM_VALUE_CONSTANT) put_tensor(w, &value->tensor);
  else put_declaration(w, value);
  if (value->kind == VLM_VALUE_CAPTURE) vlm_put_uint(w->e, (uint64_t)value->parent_value);
}

static void put_ids(writer *w, const vlm_value_id *ids, int32_t n, int32_t shift) {
  vlm_put_uint(w->e, (uint64_t)n);
  for (int32_t i = 0; i < n; i++) vlm_put_uint(w->e, (uint64_t)(ids[i] + shift));
}

static void put_graph(writer *w, const vlm_graph *g, int depth);

static void put_attr(writer *w, const vlm_attr *a, int depth) {
  put_ref(w, a->name);
  vlm_put_u8(w->e, (unsigned)a->kind);
  if (a->kind >= VLM_ATTR_INTS) vlm_put_uint(w->e, (uint64_t)a->count);
  switch (a->kind) {
    case VLM_ATTR_NONE: break;
    case VLM_ATTR_INT: vlm_put_sint(w->e, a->u.i); break;
    case VLM_ATTR_FLOAT: vlm_put_f32(w->e, a->u.f); break;
    case VLM_ATTR_STRING: put_ref(w, a->u.s); break;
    case VLM_ATTR_TENSOR: put_tensor(w, a->u.t); break;
    case VLM_ATTR_GRAPH: put_graph(w, a->u.g, depth + 1); break;
    case VLM_ATTR_INTS:
      for (int32_t i = 0; i < a->count; i++) vlm_put_sint(w->e, a->u.ints[i]);
      break;
    case VLM_ATTR_FLOATS:
      for (int32_t i = 0; i < a->count; i++) vlm_put_f32(w->e, a->u.floats[i]);
      break;
    case VLM_ATTR_STRINGS:
      for (int32_t i = 0; i < a->count; i++) put_ref(w, a->u.strings[i]);
      break;
  }
}

static void put_node(writer *w, const vlm_node *n, int depth) {
  put_ref(w, n->name);
  put_ref(w, n->domain);
  put_ref(w, n->op_type);
  vlm_put_sint(w->e, n->opset);
  put_ids(w, n->inputs, n->n_inputs, 1);
  put_ids(w, n->outputs, n->n_outputs, 1);
  vlm_put_uint(w->e, (uint64_t)n->n_attrs);
  for (int32_t i = 0; i < n->n_attrs; i++) put_attr(w, &n->attrs[i], depth);
}

static void put_graph(writer *w, const vlm_graph *g, int depth) {
  if (w->e->status == VLM_OK && depth > VLM_PACK_MAX_NESTING) {
    w->e->status = vlm_fail(w->e->err, VLM_LIMIT, "%s: subgraphs are nested deeper than %d", g->source,
                            VLM_PACK_MAX_NESTING);
  }
  if (w->e->status != VLM_OK) return;
  put_ref(w, g->name);
  vlm_put_sint(w->e, g->opset);
  vlm_put_uint(w->e, (uint64_t)g->n_values);
  for (int32_t i = 0; i < g->n_values; i++) put_value(w, &g->values[i]);
  put_ids(w, g->inputs, g->n_inputs, 0);
  put_ids(w, g->outputs, g->n_outputs, 0);
  vlm_put_uint(w->e, (uint64_t)g->n_nodes);
  for (int32_t i = 0; i < g->n_nodes; i++) put_node(w, &g->nodes[i], depth);
}

vlm_status vlm_graph_encode(vlm_encoder *e, const char *const *roles, int32_t n_roles, const vlm_graph *graph,
                            vlm_tensor_pool *pool) {
  vlm_encoder body = {.err = e->err};
  writer w = {.e = &body, .pool = pool};
  put_graph(&w, graph, 1);
  if (e->status == VLM_OK) e->status = body.status;
  vlm_put_uint(e, (uint64_t)n_roles);
  for (int32_t i = 0; i < n_roles; i++) vlm_put_text(e, roles[i]);
  vlm_put_uint(e, (uint64_t)w.strings.count);
  for (int32_t i = 0; i < w.strings.count; i++) vlm_put_text(e, w.strings.texts[i]);
  vlm_put_bytes(e, body.bytes.data, body.bytes.bytes);
  vlm_text_free(&body.bytes);
  vlm_free(w.strings.texts);
  vlm_free(w.strings.slots);
  return e->status;
}
