#include "runtime/pipeline/decoder.h"

#include <string.h>

#include "runtime/pipeline/binding.h"

enum { MAX_INPUTS = 512, FREE_SETS = 130, CACHE_UNIT = 64 };

/* Who keeps an entry, and how. */
typedef enum {
  SLOT_CROSS,  /* written by the first graph only */
  SLOT_COPY,   /* each step gives a longer tensor, which is stored */
  SLOT_KEY,    /* cache contract: [heads][size][capacity], appended in place */
  SLOT_VALUE   /* cache contract: [heads][capacity][size] */
} slot_kind;

typedef struct {
  void *data;
  size_t capacity; /* bytes */
  vlm_tensor tensor;
} cache_entry;

struct vlm_cache {
  cache_entry *entries; /* self entries are filled, cross entries live in the decoder */
  int64_t length, capacity;
};

typedef struct {
  const char *suffix;
  int32_t first_output, step_output; /* -1 = the graph does not produce it */
  slot_kind kind;
} cache_slot;

typedef struct {
  vlm_session *session;
  const vlm_graph *graph;
  vlm_binding *bindings;
  vlm_tensor *inputs;
  int32_t logits;
} runner;

struct vlm_decoder {
  const vlm_bundle *bundle;
  runner first, step;
  vlm_session *embed;
  cache_slot *slots;
  int32_t n_slots;
  cache_entry *cross;
  vlm_decoder_context context;
  int64_t *ones, *positions; /* grown as needed: masks and position ids */
  int64_t ones_count, positions_count;
  int64_t max_length;            /* of the answer */
  int64_t capacity;              /* of the set that runs now, as a graph input */
  vlm_cache *free_sets[FREE_SETS]; /* sets to use again, so that a warm loop allocates nothing */
  int32_t n_free;
};

/* ---- layout ---- */

static int32_t find_present(const vlm_graph *graph, const char *suffix) {
  for (int32_t i = 0; i < graph->n_outputs; i++) {
    const char *s = vlm_cache_suffix(graph->values[graph->outputs[i]].name);
    if (s && !strcmp(s, suffix)) return i;
  }
  return -1;
}

/* What the cache contract says about an input of the step graph. */
static slot_kind contract_of(const vlm_graph *step, vlm_value_id input, slot_kind otherwise) {
  for (int32_t n = 0; n < step->n_nodes; n++) {
    const vlm_node *node = &step->nodes[n];
    if (strcmp(node->domain, "vlm") || strcmp(node->op_type, "CacheAttention")) continue;
    if (node->inputs[3] == input) return SLOT_KEY;
    if (node->inputs[4] == input) return SLOT_VALUE;
  }
  return otherwise;
}

static vlm_status add_slot(vlm_decoder *d, vlm_value_id input, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = d->step.graph->values[input].name, *suffix = vlm_cache_suffix(name);
  VLM_CHECK(suffix, err, VLM_UNSUPPORTED, "cache input \"%s\": wanted past_key_values.N.…", name);
  cache_slot slot = {.suffix = suffix, .first_output = find_present(d->first.graph, suffix), .step_output = find_present(d->step.graph, suffix)};
  bool cross = slot.step_output < 0 || strstr(suffix, "encoder") != NULL;
  slot.kind = contract_of(d->step.graph, input, cross ? SLOT_CROSS : SLOT_COPY);
  VLM_CHECK(slot.first_output >= 0, err, VLM_INPUT, "%s: has no output present.%s for the cache of the step graph", d->first.graph->source, suffix);
  d->slots[d->n_slots++] = slot;
out:
  return st;
}

static int32_t slot_of(const vlm_decoder *d, const char *name) {
  const char *suffix = vlm_cache_suffix(name);
  for (int32_t i = 0; suffix && i < d->n_slots; i++)
    if (!strcmp(d->slots[i].suffix, suffix)) return i;
  return -1;
}

static vlm_status bind_runner(vlm_decoder *d, runner *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = r->graph;
  VLM_CHECK(g->n_inputs <= MAX_INPUTS, err, VLM_LIMIT, "%s: has %d inputs, at most %d are handled", g->source, g->n_inputs, MAX_INPUTS);
  VLM_TRY(vlm_alloc((void **)&r->bindings, (size_t)g->n_inputs, sizeof *r->bindings, err));
  VLM_TRY(vlm_alloc((void **)&r->inputs, (size_t)g->n_inputs, sizeof *r->inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++) {
    const char *name = g->values[g->inputs[i]].name;
    r->bindings[i].kind = vlm_binding_parse(name);
    VLM_CHECK(r->bindings[i].kind != VLM_BIND_COUNT, err, VLM_UNSUPPORTED, "%s: input \"%s\" has no known meaning; name its role in vlm.json", g->source, name);
    if (r->bindings[i].kind == VLM_BIND_PAST) r->bindings[i].cache = slot_of(d, name);
  }
  r->logits = vlm_graph_find_output(g, "logits");
  VLM_CHECK(r->logits >= 0, err, VLM_INPUT, "%s: has no output \"logits\"", g->source);
out:
  return st;
}

vlm_status vlm_decoder_create(vlm_decoder **out, const vlm_bundle *bundle, vlm_session *first, vlm_session *step, vlm_session *embed, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_decoder *d = NULL;
  VLM_TRY(vlm_alloc((void **)&d, 1, sizeof *d, err));
  d->bundle = bundle;
  d->embed = embed;
  d->first = (runner){.session = first, .graph = bundle->graphs[VLM_ROLE_DECODER_FIRST]};
  d->step = (runner){.session = step, .graph = bundle->graphs[VLM_ROLE_DECODER_STEP]};
  const vlm_graph *g = d->step.graph;
  VLM_TRY(vlm_alloc((void **)&d->slots, (size_t)g->n_inputs, sizeof *d->slots, err));
  for (int32_t i = 0; i < g->n_inputs; i++)
    if (vlm_binding_parse(g->values[g->inputs[i]].name) == VLM_BIND_PAST) VLM_TRY(add_slot(d, g->inputs[i], err));
  VLM_TRY(vlm_alloc((void **)&d->cross, (size_t)d->n_slots, sizeof *d->cross, err));
  VLM_TRY(bind_runner(d, &d->first, err));
  VLM_TRY(bind_runner(d, &d->step, err));
out:
  if (st != VLM_OK) {
    vlm_decoder_free(d);
    d = NULL;
  }
  *out = d;
  return st;
}

/* ---- cache sets ---- */

static void free_entries(cache_entry *entries, int32_t n) {
  for (int32_t i = 0; entries && i < n; i++) vlm_free(entries[i].data);
  vlm_free(entries);
}

void vlm_decoder_free(vlm_decoder *d) {
  if (!d) return;
  for (int32_t i = 0; i < d->n_free; i++) {
    free_entries(d->free_sets[i]->entries, d->n_slots);
    vlm_free(d->free_sets[i]);
  }
  free_entries(d->cross, d->n_slots);
  void *blocks[] = {d->slots, d->first.bindings, d->first.inputs, d->step.inputs, d->step.bindings, d->ones, d->positions};
  for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) vlm_free(blocks[i]);
  vlm_free(d);
}

static vlm_status take_set(vlm_decoder *d, vlm_cache **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  if (d->n_free) {
    set = d->free_sets[--d->n_free];
  } else {
    VLM_TRY(vlm_alloc((void **)&set, 1, sizeof *set, err));
    VLM_TRY(vlm_alloc((void **)&set->entries, (size_t)d->n_slots, sizeof *set->entries, err));
  }
  set->length = 0;
out:
  if (st != VLM_OK) vlm_free(set);
  *out = st == VLM_OK ? set : NULL;
  return st;
}

void vlm_cache_release(vlm_decoder *d, vlm_cache *cache) {
  if (!cache) return;
  if (d->n_free < FREE_SETS) {
    d->free_sets[d->n_free++] = cache;
    return;
  }
  free_entries(cache->entries, d->n_slots);
  vlm_free(cache);
}

int64_t vlm_cache_length(const vlm_cache *cache) { return cache->length; }

static vlm_status reserve_entry(cache_entry *e, size_t bytes, vlm_error *err) {
  if (e->data && bytes <= e->capacity) return VLM_OK;
  vlm_free(e->data);
  e->data = NULL;
  e->capacity = 0;
  vlm_status st = vlm_alloc(&e->data, bytes, 1, err);
  if (st == VLM_OK) e->capacity = bytes;
  return st;
}

/* ---- buffers of the cache contract ---- */

static size_t buffer_floats(const vlm_tensor *t, int64_t capacity) { return (size_t)(t->dims[0] * t->dims[1] * t->dims[3] * capacity) + CACHE_UNIT; }

/* Rows of t ([B, heads, rows, size]) to the front of a buffer. */
static void fill_buffer(float *to, int64_t capacity, slot_kind kind, const vlm_tensor *t, const float *from) {
  int64_t heads = t->dims[0] * t->dims[1], rows = t->dims[2], size = t->dims[3];
  for (int64_t h = 0; h < heads; h++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < size; k++) {
        float value = from[(h * rows + i) * size + k];
        if (kind == SLOT_KEY) to[(h * size + k) * capacity + i] = value;
        else to[(h * capacity + i) * size + k] = value;
      }
}

static vlm_status start_buffer(cache_entry *e, slot_kind kind, const vlm_tensor *t, int64_t capacity, vlm_error *err) {
  vlm_status st = reserve_entry(e, buffer_floats(t, capacity) * sizeof(float), err);
  if (st != VLM_OK) return st;
  e->tensor = *t;
  e->tensor.data = e->data;
  fill_buffer(e->data, capacity, kind, t, t->data);
  return VLM_OK;
}

/* The same rows with another capacity. */
static vlm_status widen_buffer(cache_entry *e, slot_kind kind, int64_t capacity, int64_t wider, vlm_error *err) {
  const vlm_tensor t = e->tensor;
  int64_t heads = t.dims[0] * t.dims[1], rows = t.dims[2], size = t.dims[3];
  float *to;
  const float *from = e->data;
  size_t bytes = buffer_floats(&t, wider) * sizeof(float);
  vlm_status st = vlm_alloc((void **)&to, bytes, 1, err);
  if (st != VLM_OK) return st;
  for (int64_t h = 0; h < heads; h++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < size; k++) {
        if (kind == SLOT_KEY) to[(h * size + k) * wider + i] = from[(h * size + k) * capacity + i];
        else to[(h * wider + i) * size + k] = from[(h * capacity + i) * size + k];
      }
  vlm_free(e->data);
  e->data = e->tensor.data = to;
  e->capacity = bytes;
  return VLM_OK;
}

static bool in_place(slot_kind kind) { return kind == SLOT_KEY || kind == SLOT_VALUE; }

/* Room for one more row in every buffer. Answers stay within max_length, so this grows only when a caller goes beyond it. */
static vlm_status make_room(vlm_decoder *d, vlm_cache *set, vlm_error *err) {
  if (set->length < set->capacity) return VLM_OK;
  for (int32_t s = 0; s < d->n_slots; s++) {
    if (!in_place(d->slots[s].kind)) continue;
    vlm_status st = widen_buffer(&set->entries[s], d->slots[s].kind, set->capacity, 2 * set->capacity, err);
    if (st != VLM_OK) return st;
  }
  set->capacity *= 2;
  return VLM_OK;
}

static vlm_status copy_set(vlm_decoder *d, vlm_cache **out, const vlm_cache *from, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  VLM_TRY(take_set(d, &set, err));
  for (int32_t s = 0; s < d->n_slots; s++) {
    const cache_entry *e = &from->entries[s];
    if (!in_place(d->slots[s].kind)) continue;
    size_t bytes = buffer_floats(&e->tensor, from->capacity) * sizeof(float);
    VLM_TRY(reserve_entry(&set->entries[s], bytes, err));
    memcpy(set->entries[s].data, e->data, bytes);
    set->entries[s].tensor = e->tensor;
    set->entries[s].tensor.data = set->entries[s].data;
  }
  set->length = from->length;
  set->capacity = from->capacity;
out:
  if (st != VLM_OK) {
    vlm_cache_release(d, set);
    set = NULL;
  }
  *out = set;
  return st;
}

/* Capacity grows by half, so that a loop which appends one row at a time seldom allocates. */
static vlm_status store_entry(cache_entry *e, const vlm_tensor *t, vlm_error *err) {
  size_t bytes = vlm_tensor_bytes(t);
  if (bytes > e->capacity || !e->data) {
    vlm_status st = reserve_entry(e, bytes + bytes / 2 + 4096, err);
    if (st != VLM_OK) return st;
  }
  memcpy(e->data, t->data, bytes);
  e->tensor = *t;
  e->tensor.data = e->data;
  return VLM_OK;
}

/* ---- inputs ---- */

static vlm_status grow_ones(vlm_decoder *d, int64_t n, vlm_error *err) {
  if (n <= d->ones_count) return VLM_OK;
  vlm_status st = vlm_grow((void **)&d->ones, (size_t)d->ones_count, (size_t)(2 * n), sizeof *d->ones, err);
  for (int64_t i = 0; st == VLM_OK && i < 2 * n; i++) d->ones[i] = 1;
  if (st == VLM_OK) d->ones_count = 2 * n;
  return st;
}

static vlm_status grow_positions(vlm_decoder *d, int64_t n, vlm_error *err) {
  if (n <= d->positions_count) return VLM_OK;
  vlm_status st = vlm_grow((void **)&d->positions, (size_t)d->positions_count, (size_t)(2 * n), sizeof *d->positions, err);
  for (int64_t i = 0; st == VLM_OK && i < 2 * n; i++) d->positions[i] = i;
  if (st == VLM_OK) d->positions_count = 2 * n;
  return st;
}

static vlm_status embed_ids(vlm_decoder *d, const int64_t *ids, int64_t count, vlm_tensor *out, vlm_error *err) {
  if (!d->embed) return vlm_fail(err, VLM_INPUT, "%s: the decoder wants inputs_embeds, but there is no embed_tokens graph", d->bundle->source);
  vlm_tensor in = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, count}, (void *)(uintptr_t)ids);
  vlm_status st = vlm_session_run(d->embed, &in, 1, err);
  if (st == VLM_OK) *out = *vlm_session_output(d->embed, 0);
  return st;
}

/* An empty cache as the first graph of a decoder-only export wants it: [1, heads, 0, size]. */
static vlm_status empty_past(const vlm_value *v, vlm_tensor *out, vlm_error *err) {
  static float nothing[1];
  *out = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, v->tensor.dims[1], 0, v->tensor.dims[3]}, nothing);
  if (v->tensor.rank == 4 && v->tensor.dims[1] > 0 && v->tensor.dims[3] > 0) return VLM_OK;
  return vlm_fail(err, VLM_UNSUPPORTED, "cache input \"%s\": heads and head size must be stated", v->name);
}

typedef struct {
  const int64_t *ids;
  const vlm_tensor *embeds;
  int64_t count;
  const vlm_cache *past;
} step_input;

static vlm_status fill_input(vlm_decoder *d, const runner *r, int32_t i, const step_input *in, vlm_error *err) {
  static uint8_t use_cache[2] = {0, 1};
  vlm_status st = VLM_OK;
  vlm_tensor *t = &r->inputs[i];
  int64_t past = in->past ? in->past->length : 0, total = past + in->count, e = d->context.encoder_length;
  switch (r->bindings[i].kind) {
    case VLM_BIND_IDS: *t = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, in->count}, (void *)(uintptr_t)in->ids); break;
    case VLM_BIND_EMBEDS:
      if (in->embeds) *t = *in->embeds;
      else VLM_TRY(embed_ids(d, in->ids, in->count, t, err));
      break;
    case VLM_BIND_MASK:
      VLM_TRY(grow_ones(d, total, err));
      *t = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, total}, d->ones);
      break;
    case VLM_BIND_ENCODER_MASK:
      VLM_TRY(grow_ones(d, e, err));
      *t = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, e}, d->ones);
      break;
    case VLM_BIND_ENCODER_STATES: *t = *d->context.encoder_states; break;
    case VLM_BIND_POSITIONS:
      VLM_TRY(grow_positions(d, total, err));
      *t = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, in->count}, d->positions + past);
      break;
    case VLM_BIND_USE_CACHE: *t = vlm_tensor_make(VLM_BOOL, 1, (int64_t[]){1}, &use_cache[in->past != NULL]); break;
    case VLM_BIND_PAST: {
      int32_t slot = r->bindings[i].cache;
      const vlm_value *v = &r->graph->values[r->graph->inputs[i]];
      if (!in->past) VLM_TRY(empty_past(v, t, err));
      else *t = d->slots[slot].kind == SLOT_CROSS ? d->cross[slot].tensor : in->past->entries[slot].tensor;
      break;
    }
    case VLM_BIND_CAPACITY:
      d->capacity = in->past ? in->past->capacity : 0;
      *t = vlm_tensor_make(VLM_S64, 0, NULL, &d->capacity);
      break;
    default: st = vlm_fail(err, VLM_UNSUPPORTED, "decoder input \"%s\" cannot be filled", r->graph->values[r->graph->inputs[i]].name);
  }
out:
  return st;
}

/* ---- runs ---- */

static int64_t first_capacity(const vlm_decoder *d, int64_t tokens) {
  int64_t wanted = d->max_length > tokens ? d->max_length : tokens;
  return (wanted + CACHE_UNIT) / CACHE_UNIT * CACHE_UNIT;
}

static vlm_status keep_outputs(vlm_decoder *d, const runner *r, bool first, vlm_cache *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < d->n_slots; s++) {
    const cache_slot *slot = &d->slots[s];
    const vlm_tensor *t = first ? vlm_session_output(r->session, slot->first_output) : NULL;
    if (!first && slot->kind == SLOT_COPY) VLM_TRY(store_entry(&set->entries[s], vlm_session_output(r->session, slot->step_output), err));
    if (!first && in_place(slot->kind)) set->entries[s].tensor.dims[2]++;
    if (first && slot->kind == SLOT_CROSS) VLM_TRY(store_entry(&d->cross[s], t, err));
    if (first && slot->kind == SLOT_COPY) VLM_TRY(store_entry(&set->entries[s], t, err));
    if (first && in_place(slot->kind)) VLM_TRY(start_buffer(&set->entries[s], slot->kind, t, set->capacity, err));
  }
out:
  return st;
}

static vlm_status last_row(const runner *r, const float **logits, int64_t *vocab, vlm_error *err) {
  const vlm_tensor *t = vlm_session_output(r->session, r->logits);
  char text[128];
  if (t->dtype != VLM_F32 || t->rank < 2 || vlm_tensor_count(t) == 0)
    return vlm_fail(err, VLM_INPUT, "%s: logits are %s %s, wanted float32 [1, tokens, vocabulary]", r->graph->source, vlm_dtype_name(t->dtype),
                    vlm_tensor_shape_text(t, text, sizeof text));
  *vocab = t->dims[t->rank - 1];
  *logits = (const float *)t->data + vlm_tensor_count(t) - *vocab;
  return VLM_OK;
}

static vlm_status run(vlm_decoder *d, const runner *r, const step_input *in, const float **logits, int64_t *vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < r->graph->n_inputs; i++) VLM_TRY(fill_input(d, r, i, in, err));
  VLM_TRY(vlm_session_run(r->session, r->inputs, r->graph->n_inputs, err));
  VLM_TRY(last_row(r, logits, vocab, err));
out:
  return st;
}

void vlm_decoder_expect(vlm_decoder *d, int64_t max_length) { d->max_length = max_length; }

void vlm_decoder_begin(vlm_decoder *d, const vlm_decoder_context *context) { d->context = *context; }

vlm_status vlm_decoder_first(vlm_decoder *d, const int64_t *ids, const vlm_tensor *embeds, int64_t count, vlm_cache **cache, const float **logits,
                             int64_t *vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  const step_input in = {.ids = ids, .embeds = embeds, .count = count};
  VLM_TRY(run(d, &d->first, &in, logits, vocab, err));
  VLM_TRY(take_set(d, &set, err));
  set->capacity = first_capacity(d, count);
  VLM_TRY(keep_outputs(d, &d->first, true, set, err));
  set->length = count;
out:
  if (st != VLM_OK) {
    vlm_cache_release(d, set);
    set = NULL;
  }
  *cache = set;
  return st;
}

vlm_status vlm_decoder_step(vlm_decoder *d, int64_t id, vlm_cache **past, bool keep_past, vlm_cache **cache, const float **logits, int64_t *vocab,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  bool copies = false; /* some entries are not under the contract: their rows come from the old set, which must stay until the run is over */
  for (int32_t s = 0; s < d->n_slots; s++) copies |= d->slots[s].kind == SLOT_COPY;
  if (keep_past || copies) {
    VLM_TRY(copy_set(d, &set, *past, err));
  } else {
    set = *past;
    *past = NULL;
  }
  VLM_TRY(make_room(d, set, err));
  for (int32_t s = 0; s < d->n_slots && copies; s++)
    if (d->slots[s].kind == SLOT_COPY) VLM_TRY(store_entry(&set->entries[s], &(*past)->entries[s].tensor, err));
  const step_input in = {.ids = &id, .count = 1, .past = set};
  VLM_TRY(run(d, &d->step, &in, logits, vocab, err));
  VLM_TRY(keep_outputs(d, &d->step, false, set, err));
  set->length++;
out:
  if (st != VLM_OK) {
    vlm_cache_release(d, set);
    set = NULL;
  }
  *cache = set;
  return st;
}
