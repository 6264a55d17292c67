#include "runtime/decode/decoder.h"

#include <string.h>

#include "runtime/bundle/binding.h"
#include "runtime/bundle/bundle_texts.h"
#include "runtime/decode/decoder_cache.h"
#include "runtime/decode/feed.h"
#include "runtime/ops/op.h"

enum { MAX_INPUTS = 512 };

typedef struct {
  vlm_session *session;
  const vlm_graph *graph;
  vlm_binding *bindings;
  vlm_tensor *inputs;
  vlm_feed *feeds;
  int32_t logits;
} runner;

struct vlm_decoder {
  const vlm_bundle *bundle;
  runner first, step;
  vlm_session *embed;
  vlm_cache_pool pool;
  vlm_decoder_facts facts;
  vlm_decoder_context context;
  vlm_feed embed_ids;
  int64_t max_length; /* of the answer */
  int64_t capacity;   /* of the set that runs now, as a graph input */
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
static vlm_slot_kind contract_of(const vlm_graph *step, vlm_value_id input, vlm_slot_kind otherwise) {
  for (int32_t n = 0; n < step->n_nodes; n++) {
    const vlm_node *node = &step->nodes[n];
    if (!(node->op->flags & VLM_OP_CACHE)) continue;
    if (node->inputs[3] == input) return VLM_SLOT_KEY;
    if (node->inputs[4] == input) return VLM_SLOT_VALUE;
  }
  return otherwise;
}

/* Caches that are appended to in place are slots of ours, and their capacity is the one we give. */
static vlm_status check_contract(const vlm_graph *step, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < step->n_nodes; n++) {
    const vlm_node *node = &step->nodes[n];
    if (!(node->op->flags & VLM_OP_CACHE)) continue;
    for (int k = 3; k <= 5; k++) {
      const char *name = step->values[node->inputs[k]].name;
      VLM_CHECK(vlm_binding_parse(name) == (k == 5 ? VLM_BIND_CAPACITY : VLM_BIND_PAST), err, VLM_INPUT,
                "%s: node \"%s\" (%s): input %d is \"%s\", wanted %s", step->source, node->name,
                node->op_type, k, name, k == 5 ? "the capacity" : "a cache");
    }
  }
out:
  return st;
}

static vlm_status add_slot(vlm_decoder *d, vlm_value_id input, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = d->step.graph->values[input].name, *suffix = vlm_cache_suffix(name);
  VLM_CHECK(suffix, err, VLM_UNSUPPORTED, "cache input \"%s\": wanted past_key_values.N.…", name);
  vlm_cache_slot slot = {.suffix = suffix,
                         .first_output = find_present(d->first.graph, suffix),
                         .step_output = find_present(d->step.graph, suffix)};
  bool cross = slot.step_output < 0 || strstr(suffix, "encoder") != NULL;
  slot.kind = contract_of(d->step.graph, input, cross ? VLM_SLOT_CROSS : VLM_SLOT_COPY);
  VLM_CHECK(slot.first_output >= 0, err, VLM_INPUT,
            "%s: has no output present.%s for the cache of the step graph", d->first.graph->source, suffix);
  d->pool.slots[d->pool.n_slots++] = slot;
out:
  return st;
}

static int32_t slot_of(const vlm_decoder *d, const char *name) {
  const char *suffix = vlm_cache_suffix(name);
  for (int32_t i = 0; suffix && i < d->pool.n_slots; i++)
    if (!strcmp(d->pool.slots[i].suffix, suffix)) return i;
  return -1;
}

static vlm_status bind_input(vlm_decoder *d, runner *r, int32_t i, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = r->graph->values[r->graph->inputs[i]].name;
  vlm_binding *b = &r->bindings[i];
  b->kind = vlm_binding_parse(name);
  VLM_CHECK(b->kind != VLM_BIND_COUNT, err, VLM_UNSUPPORTED,
            "%s: input \"%s\" has no known meaning; name its role in vlm.json", r->graph->source, name);
  if (b->kind == VLM_BIND_PAST) {
    b->cache = slot_of(d, name);
    VLM_CHECK(b->cache >= 0, err, VLM_INPUT, "%s: cache input \"%s\" is none of the step graph's",
              r->graph->source, name);
  }
  VLM_CHECK(b->kind != VLM_BIND_ENCODER_STATES || d->bundle->family == VLM_FAMILY_ENCODER_DECODER, err,
            VLM_INPUT, "%s: wants encoder_hidden_states, but there is no encoder", r->graph->source);
out:
  return st;
}

static vlm_status bind_runner(vlm_decoder *d, runner *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = r->graph;
  VLM_CHECK(g->n_inputs <= MAX_INPUTS, err, VLM_LIMIT, "%s: has %d inputs, at most %d are handled", g->source,
            g->n_inputs, MAX_INPUTS);
  VLM_TRY(vlm_new(&r->bindings, g->n_inputs, err));
  VLM_TRY(vlm_new(&r->inputs, g->n_inputs, err));
  VLM_TRY(vlm_new(&r->feeds, g->n_inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++) VLM_TRY(bind_input(d, r, i, err));
  r->logits = vlm_graph_find_output(g, "logits");
  VLM_CHECK(r->logits >= 0, err, VLM_INPUT, "%s: has no output \"logits\"; name it in vlm.json", g->source);
out:
  return st;
}

vlm_status vlm_decoder_create(vlm_decoder **out, const vlm_bundle *bundle, vlm_session *first,
                              vlm_session *step, vlm_session *embed, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_decoder *d = NULL;
  VLM_TRY(vlm_new(&d, 1, err));
  d->bundle = bundle;
  d->embed = embed;
  d->first = (runner){.session = first, .graph = bundle->graphs[VLM_ROLE_DECODER_FIRST]};
  d->step = (runner){.session = step, .graph = bundle->graphs[VLM_ROLE_DECODER_STEP]};
  const vlm_graph *g = d->step.graph;
  VLM_TRY(vlm_bundle_decoder_facts(&d->facts, bundle, err));
  VLM_TRY(check_contract(g, err));
  VLM_TRY(vlm_new(&d->pool.slots, g->n_inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++)
    if (vlm_binding_parse(g->values[g->inputs[i]].name) == VLM_BIND_PAST)
      VLM_TRY(add_slot(d, g->inputs[i], err));
  VLM_CHECK(d->pool.n_slots, err, VLM_INPUT,
            "%s: has no cache inputs past_key_values.N.…; name them in vlm.json (\"past\")", g->source);
  VLM_TRY(vlm_new(&d->pool.cross, d->pool.n_slots, err));
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

static void free_runner(runner *r) {
  for (int32_t i = 0; r->feeds && i < r->graph->n_inputs; i++) vlm_feed_free(&r->feeds[i]);
  vlm_free(r->feeds);
  vlm_free(r->bindings);
  vlm_free(r->inputs);
}

void vlm_decoder_free(vlm_decoder *d) {
  if (!d) return;
  vlm_pool_free(&d->pool);
  free_runner(&d->first);
  free_runner(&d->step);
  vlm_feed_free(&d->embed_ids);
  vlm_free(d);
}

void vlm_cache_release(vlm_decoder *d, vlm_cache *cache) { vlm_pool_release(&d->pool, cache); }
int64_t vlm_cache_length(const vlm_cache *cache) { return cache->length; }

/* ---- inputs ---- */

static vlm_status embed_ids(vlm_decoder *d, const int64_t *ids, int64_t count, vlm_tensor *out,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor in;
  VLM_CHECK(d->embed, err, VLM_INPUT,
            "%s: the decoder wants inputs_embeds, but there is no embed_tokens graph", d->bundle->source);
  const vlm_graph *g = d->bundle->graphs[VLM_ROLE_EMBED];
  VLM_CHECK(g->n_inputs == 1, err, VLM_UNSUPPORTED, "%s: has %d inputs, wanted input_ids alone", g->source,
            g->n_inputs);
  VLM_TRY(vlm_feed_fill(&d->embed_ids, &in, &g->values[g->inputs[0]],
                        &(vlm_feed_values){.rank = 2, .dims = (int64_t[]){1, count}, .ids = ids}, err));
  VLM_TRY(vlm_session_run(d->embed, &in, 1, err));
  *out = *vlm_session_output(d->embed, vlm_output_index(g, "inputs_embeds"));
out:
  return st;
}

/* An empty cache as the first graph of a decoder-only export wants it: [1, heads, 0, size]. What the graph does not say, config.json may. */
static vlm_status empty_past(const vlm_decoder *d, const vlm_value *v, vlm_tensor *out, vlm_error *err) {
  static float nothing[1];
  vlm_status st = VLM_OK;
  bool stated = v->tensor.rank == 4;
  int64_t heads = stated && v->tensor.dims[1] > 0 ? v->tensor.dims[1] : d->facts.kv_heads;
  int64_t size = stated && v->tensor.dims[3] > 0 ? v->tensor.dims[3] : d->facts.head_size;
  VLM_CHECK(heads > 0 && size > 0, err, VLM_INPUT,
            "%s: cache input \"%s\": neither the graph nor config.json (num_key_value_heads, head_dim) "
            "states heads and head size",
            d->bundle->source, v->name);
  *out = vlm_tensor_make(v->tensor.dtype == VLM_NONE ? VLM_F32 : v->tensor.dtype, 4,
                         (int64_t[]){1, heads, 0, size}, nothing);
out:
  return st;
}

typedef struct {
  const int64_t *ids;
  const vlm_tensor *embeds;
  int64_t count;
  const vlm_cache *past;
} step_input;

/* What was kept of the encoder is the same for all caches. */
static const vlm_tensor *past_of(const vlm_decoder *d, const vlm_cache *past, int32_t slot) {
  return d->pool.slots[slot].kind == VLM_SLOT_CROSS ? &d->pool.cross[slot].tensor
                                                    : &past->entries[slot].tensor;
}

static vlm_status fill_input(vlm_decoder *d, const runner *r, int32_t i, const step_input *in,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor *t = &r->inputs[i];
  vlm_feed *feed = &r->feeds[i];
  const vlm_value *v = &r->graph->values[r->graph->inputs[i]];
  int64_t past = in->past ? in->past->length : 0, total = past + in->count, e = d->context.encoder_length;
  switch (r->bindings[i].kind) {
    case VLM_BIND_IDS:
      VLM_TRY(vlm_feed_fill(
          feed, t, v, &(vlm_feed_values){.rank = 2, .dims = (int64_t[]){1, in->count}, .ids = in->ids}, err));
      break;
    case VLM_BIND_EMBEDS:
      if (in->embeds) *t = *in->embeds;
      else VLM_TRY(embed_ids(d, in->ids, in->count, t, err));
      break;
    case VLM_BIND_MASK: VLM_TRY(vlm_feed_ones(feed, t, v, 2, (int64_t[]){1, total}, err)); break;
    case VLM_BIND_ENCODER_MASK: VLM_TRY(vlm_feed_ones(feed, t, v, 2, (int64_t[]){1, e}, err)); break;
    case VLM_BIND_ENCODER_STATES: *t = *d->context.encoder_states; break;
    case VLM_BIND_POSITIONS:
      VLM_TRY(vlm_feed_fill(feed, t, v,
                            &(vlm_feed_values){.rank = 2,
                                               .dims = (int64_t[]){1, in->count},
                                               .first = d->facts.first_position + past,
                                               .step = 1},
                            err));
      break;
    case VLM_BIND_USE_CACHE:
      VLM_TRY(vlm_feed_fill(
          feed, t, v, &(vlm_feed_values){.rank = 1, .dims = (int64_t[]){1}, .first = in->past != NULL}, err));
      break;
    case VLM_BIND_NUM_LOGITS:
      VLM_TRY(vlm_feed_ones(feed, t, v, v->tensor.rank == 1, (int64_t[]){1}, err));
      break;
    case VLM_BIND_PAST:
      if (in->past) *t = *past_of(d, in->past, r->bindings[i].cache);
      else VLM_TRY(empty_past(d, v, t, err));
      break;
    case VLM_BIND_CAPACITY:
      d->capacity = in->past ? in->past->capacity : 0;
      *t = vlm_tensor_make(VLM_S64, 0, NULL, &d->capacity);
      break;
    default:
      st = vlm_fail(err, VLM_UNSUPPORTED, "%s: decoder input \"%s\" cannot be filled", r->graph->source,
                    v->name);
  }
out:
  return st;
}

/* ---- runs ---- */

static int64_t first_capacity(const vlm_decoder *d, int64_t tokens) {
  int64_t wanted = d->max_length > tokens ? d->max_length : tokens;
  return (wanted + VLM_CACHE_UNIT) / VLM_CACHE_UNIT * VLM_CACHE_UNIT;
}

static vlm_status keep_first(vlm_decoder *d, vlm_cache *set, int64_t tokens, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < d->pool.n_slots; s++) {
    const vlm_cache_slot *slot = &d->pool.slots[s];
    const vlm_tensor *t = vlm_session_output(d->first.session, slot->first_output);
    VLM_CHECK(!vlm_slot_in_place(slot->kind) || (t->rank == 4 && t->dtype == VLM_F32), err, VLM_INPUT,
              "%s: output present.%s is %s with %d dims, wanted float32 with 4", d->first.graph->source,
              slot->suffix, vlm_dtype_name(t->dtype), t->rank);
    VLM_CHECK(!vlm_slot_in_place(slot->kind) || t->dims[2] <= tokens, err, VLM_INPUT,
              "%s: output present.%s has %lld rows, more than the %lld tokens", d->first.graph->source,
              slot->suffix, (long long)t->dims[2], (long long)tokens);
    if (vlm_slot_in_place(slot->kind))
      VLM_TRY(vlm_cache_start(&set->entries[s], slot->kind, t, set->capacity, err));
    else
      VLM_TRY(vlm_cache_store(slot->kind == VLM_SLOT_CROSS ? &d->pool.cross[s] : &set->entries[s], t, err));
  }
out:
  return st;
}

static vlm_status keep_step(vlm_decoder *d, vlm_cache *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < d->pool.n_slots; s++) {
    const vlm_cache_slot *slot = &d->pool.slots[s];
    if (slot->kind == VLM_SLOT_COPY)
      VLM_TRY(vlm_cache_store(&set->entries[s], vlm_session_output(d->step.session, slot->step_output), err));
    if (vlm_slot_in_place(slot->kind)) set->entries[s].tensor.dims[2]++;
  }
out:
  return st;
}

static vlm_status last_row(const runner *r, const float **logits, int64_t *vocab, vlm_error *err) {
  const vlm_tensor *t = vlm_session_output(r->session, r->logits);
  char text[128];
  if (t->dtype != VLM_F32 || t->rank < 2 || vlm_tensor_count(t) == 0)
    return vlm_fail(err, VLM_INPUT, "%s: logits are %s %s, wanted float32 [1, tokens, vocabulary]",
                    r->graph->source, vlm_dtype_name(t->dtype), vlm_tensor_shape_text(t, text, sizeof text));
  *vocab = t->dims[t->rank - 1];
  *logits = (const float *)t->data + vlm_tensor_count(t) - *vocab;
  return VLM_OK;
}

static vlm_status run(vlm_decoder *d, const runner *r, const step_input *in, const float **logits,
                      int64_t *vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < r->graph->n_inputs; i++) VLM_TRY(fill_input(d, r, i, in, err));
  VLM_TRY(vlm_session_run(r->session, r->inputs, r->graph->n_inputs, err));
  VLM_TRY(last_row(r, logits, vocab, err));
out:
  return st;
}

void vlm_decoder_expect(vlm_decoder *d, int64_t max_length) { d->max_length = max_length; }

void vlm_decoder_begin(vlm_decoder *d, const vlm_decoder_context *context) { d->context = *context; }

vlm_status vlm_decoder_first(vlm_decoder *d, const int64_t *ids, const vlm_tensor *embeds, int64_t count,
                             vlm_cache **cache, const float **logits, int64_t *vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  const step_input in = {.ids = ids, .embeds = embeds, .count = count};
  VLM_TRY(run(d, &d->first, &in, logits, vocab, err));
  VLM_TRY(vlm_pool_take(&d->pool, &set, err));
  set->capacity = first_capacity(d, count);
  VLM_TRY(keep_first(d, set, count, err));
  set->length = count;
out:
  if (st != VLM_OK) {
    vlm_cache_release(d, set);
    set = NULL;
  }
  *cache = set;
  return st;
}

/* Copies the entries that are not under the contract: the step reads them, then stores longer ones in their place. */
static vlm_status copy_entries(vlm_decoder *d, vlm_cache *set, const vlm_cache *past, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < d->pool.n_slots; s++)
    if (d->pool.slots[s].kind == VLM_SLOT_COPY)
      VLM_TRY(vlm_cache_store(&set->entries[s], &past->entries[s].tensor, err));
out:
  return st;
}

vlm_status vlm_decoder_step(vlm_decoder *d, int64_t id, vlm_cache **past, bool keep_past, vlm_cache **cache,
                            const float **logits, int64_t *vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  if (keep_past) {
    VLM_TRY(vlm_pool_copy(&d->pool, &set, *past, err));
    VLM_TRY(copy_entries(d, set, *past, err));
  } else {
    set = *past;
    *past = NULL;
  }
  VLM_TRY(vlm_pool_make_room(&d->pool, set, err));
  const step_input in = {.ids = &id, .count = 1, .past = set};
  VLM_TRY(run(d, &d->step, &in, logits, vocab, err));
  VLM_TRY(keep_step(d, set, err));
  set->length++;
out:
  if (st != VLM_OK) {
    vlm_cache_release(d, set);
    set = NULL;
  }
  *cache = set;
  return st;
}
