/* What a target takes of a model as JSON (docs/inspect.md). */
#include "cli/inspect.h"

static void put_counts(vlm_json_writer *w, const char *key, const vlm_target_graph *g,
                       const vlm_target_counts *c) {
  vlm_json_open_object(w, key);
  vlm_json_put_int(w, "nodes", c->nodes);
  vlm_json_put_int(w, "taken", c->taken);
  vlm_json_put_int(w, "integer", c->integer);
  vlm_json_put_int(w, "dequantized_weights", c->dequantizes);
  vlm_json_put_int(w, "partitions", c->partitions);
  if (g->measured)
    vlm_json_put_double(w, "macs_taken_percent", 100.0 * (double)c->taken_macs / (double)c->macs);
  if (g->measured)
    vlm_json_put_double(w, "macs_integer_percent", 100.0 * (double)c->integer_macs / (double)c->macs);
  vlm_json_put_text(w, "usable", vlm_usability_text(c->usability));
  vlm_json_close_object(w);
}

static void put_node(vlm_json_writer *w, const vlm_node *node, const vlm_fate *p) {
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "node", node->name);
  vlm_json_put_text(w, "op", node->op_type);
  vlm_json_put_bool(w, "taken", p->taken);
  if (p->partition >= 0) vlm_json_put_int(w, "partition", p->partition);
  vlm_json_put_text(w, "kernel", p->kernel);
  if (p->dequantizes) vlm_json_put_bool(w, "dequantizes", true);
  vlm_json_put_text(w, "why", p->why);
  vlm_json_close_object(w);
}

static void put_graph(vlm_json_writer *w, const vlm_target_graph *g) {
  vlm_json_open_object(w, g->path);
  put_counts(w, "as_it_is", g, &g->now);
  put_counts(w, "with_fixed_dims", g, &g->fixed);
  vlm_json_open_array(w, "placement");
  for (int32_t n = 0; n < g->placement.n_nodes; n++)
    if (g->placement.nodes[n].whole) put_node(w, &g->graph->nodes[n], &g->placement.nodes[n]);
  vlm_json_close_array(w);
  vlm_json_close_object(w);
}

void vlm_target_view_put(vlm_json_writer *w, const vlm_target_view *v) {
  const vlm_provider_setting *s = NULL;
  vlm_json_put_text(w, "kind", "target");
  vlm_json_put_text(w, "target", v->target->name);
  vlm_json_put_text(w, "title", v->target->title);
  vlm_json_put_bool(w, "quantized", v->quantized);
  vlm_json_put_text(w, "assumed", vlm_text_get(&v->assumed));
  vlm_json_open_array(w, "open_dims");
  for (int32_t i = 0; i < v->n_dims; i++) vlm_json_put_text(w, NULL, v->dims[i]);
  vlm_json_close_array(w);
  vlm_json_open_object(w, "settings");
  while ((s = vlm_provider_next_setting(v->target->provider, s))) vlm_json_put_text(w, s->name, s->text);
  vlm_json_close_object(w);
  vlm_json_open_object(w, "graphs");
  for (int32_t i = 0; i < v->n_graphs; i++) put_graph(w, &v->graphs[i]);
  vlm_json_close_object(w);
}
