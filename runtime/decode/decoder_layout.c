/* What the inputs and outputs of a decoder's graphs mean, and who keeps what. */
#include <string.h>

#include "runtime/decode/decoder_private.h"
#include "runtime/ops/op.h"

enum { MAX_INPUTS = 512 };

/* ---- caches ---- */

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

/* Attention that takes rows of queries against one of keys and values is all that reads it. */
static bool broadcasts(const vlm_graph *step, vlm_value_id input) {
  for (int32_t n = 0; n < step->n_nodes; n++) {
    const vlm_node *node = &step->nodes[n];
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) return false;
    for (int32_t k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] == input && !(node->op->flags & VLM_OP_SHARES_KEYS && (k == 1 || k == 2)))
        return false;
  }
  return true;
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
  slot.broadcasts = slot.kind == VLM_SLOT_CROSS && broadcasts(d->step.graph, input);
  VLM_CHECK(slot.first_output >= 0, err, VLM_INPUT,
            "%s: has no output present.%s for the cache of the step graph", d->first.graph->source, suffix);
  d->pool.slots[d->pool.n_slots++] = slot;
out:
  return st;
}

static vlm_status add_slots(vlm_decoder *d, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = d->step.graph;
  VLM_TRY(check_contract(g, err));
  VLM_TRY(vlm_new(&d->pool.slots, g->n_inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++)
    if (vlm_binding_parse(g->values[g->inputs[i]].name) == VLM_BIND_PAST)
      VLM_TRY(add_slot(d, g->inputs[i], err));
  VLM_CHECK(d->pool.n_slots, err, VLM_INPUT,
            "%s: has no cache inputs past_key_values.N.…; name them in vlm.json (\"past\")", g->source);
  VLM_TRY(vlm_new(&d->pool.cross, d->pool.n_slots, err));
out:
  return st;
}

/* ---- inputs ---- */

static int32_t slot_of(const vlm_decoder *d, const char *name) {
  const char *suffix = vlm_cache_suffix(name);
  for (int32_t i = 0; suffix && i < d->pool.n_slots; i++)
    if (!strcmp(d->pool.slots[i].suffix, suffix)) return i;
  return -1;
}

static vlm_status bind_input(vlm_decoder *d, vlm_decoder_graph *r, int32_t i, vlm_error *err) {
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

static vlm_status bind_graph(vlm_decoder *d, vlm_decoder_graph *r, vlm_error *err) {
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

/* ---- rows ---- */

/* Its first dim counts rows; it has none or one for all where the input is about the run. */
static bool has_rows(vlm_binding_kind kind) {
  return kind != VLM_BIND_USE_CACHE && kind != VLM_BIND_NUM_LOGITS && kind != VLM_BIND_CAPACITY;
}

static bool open_to_rows(const vlm_graph *g) {
  for (int32_t i = 0; i < g->n_inputs; i++) {
    const vlm_value *v = &g->values[g->inputs[i]];
    if (has_rows(vlm_binding_parse(v->name)) && v->tensor.rank > 0 && v->tensor.dims[0] != -1) return false;
  }
  return true;
}

vlm_status vlm_decoder_read_layout(vlm_decoder *d, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *embed = d->bundle->graphs[VLM_ROLE_EMBED];
  VLM_TRY(vlm_bundle_decoder_facts(&d->facts, d->bundle, err));
  VLM_TRY(add_slots(d, err));
  VLM_TRY(bind_graph(d, &d->first, err));
  VLM_TRY(bind_graph(d, &d->step, err));
  d->joins_rows = open_to_rows(d->step.graph) && (!embed || open_to_rows(embed));
out:
  return st;
}
