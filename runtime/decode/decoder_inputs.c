/* What a decoder's graph is given: tokens, positions, masks, caches. */
#include "runtime/decode/decoder_private.h"

static vlm_status embed_ids(vlm_decoder *d, const vlm_decoder_input *given, vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor in;
  VLM_CHECK(d->embed, err, VLM_INPUT,
            "%s: the decoder wants inputs_embeds, but there is no embed_tokens graph", d->bundle->source);
  const vlm_graph *g = d->bundle->graphs[VLM_ROLE_EMBED];
  VLM_CHECK(g->n_inputs == 1, err, VLM_UNSUPPORTED, "%s: has %d inputs, wanted input_ids alone", g->source,
            g->n_inputs);
  VLM_TRY(vlm_feed_fill(
      &d->embed_ids, &in, &g->values[g->inputs[0]],
      &(vlm_feed_values){.rank = 2, .dims = (int64_t[]){given->rows, given->count}, .ids = given->ids}, err));
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

/* A cache of the rows that run. What was kept of the encoder is the same for all of them. */
static vlm_status past_of(vlm_decoder *d, const vlm_decoder_input *in, int32_t slot, vlm_tensor *out,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache_entry *cross = &d->pool.cross[slot];
  const bool kept = d->pool.slots[slot].kind == VLM_SLOT_CROSS, one = d->pool.slots[slot].broadcasts;
  if (kept && !one) VLM_TRY(vlm_cache_repeat(cross, in->rows, err));
  *out = kept ? vlm_cache_rows(cross, 0, one ? 1 : in->rows)
              : vlm_cache_rows(&in->past->entries[slot], in->place, in->rows);
out:
  return st;
}

static vlm_status states_of(vlm_decoder *d, int32_t rows, vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = *d->context.encoder_states;
  if (rows == 1) return VLM_OK;
  if (!d->states.copies) VLM_TRY(vlm_cache_start(&d->states, VLM_SLOT_CROSS, out, 0, rows, err));
  VLM_TRY(vlm_cache_repeat(&d->states, rows, err));
  *out = vlm_cache_rows(&d->states, 0, rows);
out:
  return st;
}

static vlm_status fill_input(vlm_decoder *d, const vlm_decoder_graph *r, int32_t i,
                             const vlm_decoder_input *in, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor *t = &r->inputs[i];
  vlm_feed *feed = &r->feeds[i];
  const vlm_value *v = &r->graph->values[r->graph->inputs[i]];
  int64_t past = in->past ? in->past->length : 0, total = past + in->count, e = d->context.encoder_length;
  switch (r->bindings[i].kind) {
    case VLM_BIND_IDS:
      VLM_TRY(vlm_feed_fill(
          feed, t, v, &(vlm_feed_values){.rank = 2, .dims = (int64_t[]){in->rows, in->count}, .ids = in->ids},
          err));
      break;
    case VLM_BIND_EMBEDS:
      if (in->embeds) *t = *in->embeds;
      else VLM_TRY(embed_ids(d, in, t, err));
      break;
    case VLM_BIND_MASK: VLM_TRY(vlm_feed_ones(feed, t, v, 2, (int64_t[]){in->rows, total}, err)); break;
    case VLM_BIND_ENCODER_MASK: VLM_TRY(vlm_feed_ones(feed, t, v, 2, (int64_t[]){in->rows, e}, err)); break;
    case VLM_BIND_ENCODER_STATES: VLM_TRY(states_of(d, in->rows, t, err)); break;
    case VLM_BIND_POSITIONS:
      VLM_TRY(vlm_feed_fill(feed, t, v,
                            &(vlm_feed_values){.rank = 2,
                                               .dims = (int64_t[]){in->rows, in->count},
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
      if (in->past) VLM_TRY(past_of(d, in, r->bindings[i].cache, t, err));
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

vlm_status vlm_decoder_fill(vlm_decoder *d, const vlm_decoder_graph *r, const vlm_decoder_input *in,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; st == VLM_OK && i < r->graph->n_inputs; i++) st = fill_input(d, r, i, in, err);
  return st;
}
