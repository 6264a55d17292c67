#include "runtime/decode/decoder.h"

#include <assert.h>
#include <string.h>

#include "runtime/decode/decoder_private.h"

/* ---- creation ---- */

vlm_status vlm_decoder_create(vlm_decoder **out, const vlm_bundle *bundle, vlm_session *first,
                              vlm_session *step, vlm_session *embed, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_decoder *d = NULL;
  VLM_TRY(vlm_new(&d, 1, err));
  d->bundle = bundle;
  d->embed = embed;
  d->expected_rows = 1;
  d->first = (vlm_decoder_graph){.session = first, .graph = bundle->graphs[VLM_ROLE_DECODER_FIRST]};
  d->step = (vlm_decoder_graph){.session = step, .graph = bundle->graphs[VLM_ROLE_DECODER_STEP]};
  VLM_TRY(vlm_decoder_read_layout(d, err));
out:
  if (st != VLM_OK) {
    vlm_decoder_free(d);
    d = NULL;
  }
  *out = d;
  return st;
}

static void free_graph(vlm_decoder_graph *r) {
  for (int32_t i = 0; r->feeds && i < r->graph->n_inputs; i++) vlm_feed_free(&r->feeds[i]);
  vlm_free(r->feeds);
  vlm_free(r->bindings);
  vlm_free(r->inputs);
}

void vlm_decoder_free(vlm_decoder *d) {
  if (!d) return;
  vlm_pool_free(&d->pool);
  free_graph(&d->first);
  free_graph(&d->step);
  vlm_feed_free(&d->embed_ids);
  vlm_free(d->states.data);
  vlm_free(d->logits);
  vlm_free(d);
}

void vlm_cache_release(vlm_decoder *d, vlm_cache *cache) { vlm_pool_release(&d->pool, cache); }
int64_t vlm_cache_length(const vlm_cache *cache) { return cache->length; }
bool vlm_decoder_joins_rows(const vlm_decoder *d) { return d->joins_rows; }

/* ---- what a run gives ---- */

/* Room for what most answers have; longer ones double it. What a model could answer at most, as a rule a thousand tokens, would be many megabytes
 * per row that are touched for nothing. */
static int64_t first_capacity(const vlm_decoder *d, int64_t tokens) {
  const int64_t usual = tokens + VLM_USUAL_TOKENS;
  const int64_t wanted = d->max_length <= tokens ? tokens : d->max_length < usual ? d->max_length : usual;
  return (wanted + VLM_CACHE_UNIT) / VLM_CACHE_UNIT * VLM_CACHE_UNIT;
}

static vlm_status keep_first(vlm_decoder *d, vlm_cache *set, int64_t tokens, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < d->pool.n_slots; s++) {
    const vlm_cache_slot *slot = &d->pool.slots[s];
    const vlm_tensor *t = vlm_session_output(d->first.session, slot->first_output);
    const bool cross = slot->kind == VLM_SLOT_CROSS;
    VLM_CHECK(!vlm_slot_in_place(slot->kind) || (t->rank == 4 && t->dtype == VLM_F32), err, VLM_INPUT,
              "%s: output present.%s is %s with %d dims, wanted float32 with 4", d->first.graph->source,
              slot->suffix, vlm_dtype_name(t->dtype), t->rank);
    VLM_CHECK(!vlm_slot_in_place(slot->kind) || t->dims[2] <= tokens, err, VLM_INPUT,
              "%s: output present.%s has %lld rows, more than the %lld tokens", d->first.graph->source,
              slot->suffix, (long long)t->dims[2], (long long)tokens);
    VLM_TRY(vlm_cache_start(cross ? &d->pool.cross[s] : &set->entries[s], slot->kind, t, set->capacity,
                            cross ? 1 : d->expected_rows, err));
  }
out:
  return st;
}

/* The longer caches of a run, of the rows from `place` on. */
static vlm_status keep_copies(vlm_decoder *d, vlm_cache *set, const vlm_decoder_input *in, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < d->pool.n_slots; s++) {
    if (d->pool.slots[s].kind != VLM_SLOT_COPY) continue;
    const vlm_tensor *t = vlm_session_output(d->step.session, d->pool.slots[s].step_output);
    VLM_TRY(vlm_cache_store(&set->entries[s], t, in->place, in->rows, set->n_rows, err));
  }
out:
  return st;
}

static void finish_step(vlm_decoder *d, vlm_cache *set, int32_t rows) {
  for (int32_t s = 0; s < d->pool.n_slots; s++) {
    vlm_cache_entry *e = &set->entries[s];
    if (d->pool.slots[s].kind == VLM_SLOT_COPY)
      vlm_cache_stored(e, vlm_session_output(d->step.session, d->pool.slots[s].step_output), rows);
    if (vlm_slot_in_place(d->pool.slots[s].kind)) e->tensor.dims[2]++;
  }
  set->length++;
}

/* The last token's logits of each row. */
static vlm_status last_rows(const vlm_decoder_graph *r, int32_t rows, vlm_logits *out, int64_t *distance,
                            vlm_error *err) {
  const vlm_tensor *t = vlm_session_output(r->session, r->logits);
  char text[128];
  const int64_t count = vlm_tensor_count(t);
  if (t->dtype != VLM_F32 || t->rank < 2 || count == 0 || (rows > 1 && t->dims[0] != rows))
    return vlm_fail(err, VLM_INPUT, "%s: logits are %s %s, wanted float32 [%d, tokens, vocabulary]",
                    r->graph->source, vlm_dtype_name(t->dtype), vlm_tensor_shape_text(t, text, sizeof text),
                    rows);
  out->vocab = t->dims[t->rank - 1];
  *distance = count / rows;
  out->data = (const float *)t->data + *distance - out->vocab;
  return VLM_OK;
}

/* ---- runs ---- */

static vlm_status run(vlm_decoder *d, const vlm_decoder_graph *r, const vlm_decoder_input *in,
                      vlm_logits *logits, int64_t *distance, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_decoder_fill(d, r, in, err));
  VLM_TRY(vlm_session_run(r->session, r->inputs, r->graph->n_inputs, err));
  VLM_TRY(last_rows(r, in->rows, logits, distance, err));
out:
  return st;
}

void vlm_decoder_expect(vlm_decoder *d, int64_t max_length, int32_t rows) {
  d->max_length = max_length;
  d->expected_rows = rows;
}

void vlm_decoder_begin(vlm_decoder *d, const vlm_decoder_context *context) {
  d->context = *context;
  d->states.copies = 0;
}

/* Where logits of rows go that do not come in order, one behind the other. */
static vlm_status reserve_logits(vlm_decoder *d, int32_t rows, int64_t vocab, vlm_error *err) {
  vlm_status st = VLM_OK;
  const size_t floats = (size_t)rows * (size_t)vocab;
  if (floats <= d->logits_floats) return VLM_OK;
  VLM_TRY(vlm_more(&d->logits, d->logits_floats, floats, err));
  d->logits_floats = floats;
out:
  return st;
}

/* Of the first graph: its caches are many times as large, and its memory goes. */
static vlm_status keep_logits(vlm_decoder *d, vlm_logits *logits, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(reserve_logits(d, 1, logits->vocab, err));
  memcpy(d->logits, logits->data, (size_t)logits->vocab * sizeof *d->logits);
  logits->data = d->logits;
out:
  return st;
}

vlm_status vlm_decoder_first(vlm_decoder *d, const int64_t *ids, const vlm_tensor *embeds, int64_t count,
                             vlm_cache **cache, vlm_logits *logits, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  int64_t distance;
  const vlm_decoder_input in = {.ids = ids, .embeds = embeds, .count = count, .rows = 1};
  VLM_TRY(run(d, &d->first, &in, logits, &distance, err));
  VLM_TRY(vlm_pool_take(&d->pool, &set, err));
  set->capacity = first_capacity(d, count);
  VLM_TRY(keep_first(d, set, count, err));
  VLM_TRY(keep_logits(d, logits, err));
  vlm_session_outputs_read(d->first.session);
  set->length = count;
out:
  if (st != VLM_OK) {
    vlm_cache_release(d, set);
    set = NULL;
  }
  *cache = set;
  return st;
}

/* Logits of the rows in the places from `place` on, to where their rows are. */
static void take_logits(vlm_decoder *d, const vlm_cache *set, const vlm_decoder_input *in,
                        const vlm_logits *from, int64_t distance) {
  for (int32_t r = 0; r < set->n_rows; r++) {
    const int32_t k = set->places[r] - in->place;
    if (k < 0 || k >= in->rows) continue;
    memcpy(d->logits + r * from->vocab, from->data + k * distance, (size_t)from->vocab * sizeof *d->logits);
  }
}

static bool in_order(const vlm_cache *set) {
  for (int32_t r = 0; r < set->n_rows; r++)
    if (set->places[r] != r) return false;
  return true;
}

static vlm_status gather_logits(vlm_decoder *d, const vlm_cache *set, const vlm_decoder_input *in,
                                int64_t distance, vlm_logits *logits, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (in->rows == set->n_rows && in_order(set) && (distance == logits->vocab || in->rows == 1)) return VLM_OK;
  VLM_TRY(reserve_logits(d, set->n_rows, logits->vocab, err));
  take_logits(d, set, in, logits, distance);
  logits->data = d->logits;
out:
  return st;
}

/* What comes out must have the rows that went in: a graph may have the number of rows in its constants. */
static vlm_status check_rows(const vlm_decoder *d, int32_t rows, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; rows > 1 && s < d->pool.n_slots; s++) {
    if (d->pool.slots[s].kind != VLM_SLOT_COPY) continue;
    const vlm_tensor *t = vlm_session_output(d->step.session, d->pool.slots[s].step_output);
    VLM_CHECK(t->rank > 0 && t->dims[0] == rows, err, VLM_INPUT, "%s: output present.%s has not the %d rows",
              d->step.graph->source, d->pool.slots[s].suffix, rows);
  }
out:
  return st;
}

static vlm_status run_places(vlm_decoder *d, vlm_cache *set, const vlm_decoder_input *in, vlm_logits *logits,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t distance;
  VLM_TRY(run(d, &d->step, in, logits, &distance, err));
  VLM_TRY(check_rows(d, in->rows, err));
  VLM_TRY(gather_logits(d, set, in, distance, logits, err));
  VLM_TRY(keep_copies(d, set, in, err));
out:
  return st;
}

static vlm_status run_one_by_one(vlm_decoder *d, vlm_cache *set, const int64_t *ids, vlm_logits *logits,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t place = set->n_rows - 1; st == VLM_OK && place >= 0; place--) {
    const vlm_decoder_input in = {.ids = ids + place, .count = 1, .past = set, .place = place, .rows = 1};
    st = run_places(d, set, &in, logits, err);
  }
  if (st == VLM_OK) finish_step(d, set, 1);
  return st;
}

/* A graph that turns out to be made for one row, although it does not say so, gets one from then on: nothing was stored but the tokens at the end
 * of in-place buffers, which are written again. */
static vlm_status run_rows(vlm_decoder *d, vlm_cache *set, const int64_t *ids, vlm_logits *logits,
                           vlm_error *err) {
  vlm_error own = {0};
  const vlm_decoder_input in = {.ids = ids, .count = 1, .past = set, .rows = set->n_rows};
  if (set->n_rows > 1 && !d->joins_rows) return run_one_by_one(d, set, ids, logits, err);
  const vlm_status st = run_places(d, set, &in, logits, &own);
  if (st == VLM_OK) {
    finish_step(d, set, set->n_rows);
  } else if (set->n_rows > 1 && (st == VLM_INPUT || st == VLM_UNSUPPORTED)) {
    d->joins_rows = false;
    return run_one_by_one(d, set, ids, logits, err);
  } else if (err) {
    *err = own;
  }
  return st;
}

vlm_status vlm_decoder_step(vlm_decoder *d, const vlm_search_row *rows, int32_t n_rows, vlm_cache *cache,
                            vlm_logits *logits, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t ids[VLM_MAX_BEAMS];
  VLM_TRY(vlm_pool_continue(&d->pool, cache, rows, n_rows, err));
  VLM_TRY(vlm_pool_make_room(&d->pool, cache, err));
  for (int32_t r = 0; r < n_rows; r++) ids[cache->places[r]] = rows[r].token;
  VLM_TRY(run_rows(d, cache, ids, logits, err));
out:
  return st;
}
