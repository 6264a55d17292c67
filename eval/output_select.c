/* Which outputs data decides about: found by walking from the output towards the inputs. */
#include "eval/output_match.h"
#include "runtime/ops/traits.h"

/* The node that makes the value of an output, through nodes that change no element. */
static const vlm_node *maker(const vlm_graph *g, vlm_value_id id) {
  while (id != VLM_NO_VALUE && g->values[id].producer >= 0) {
    const vlm_node *node = &g->nodes[g->values[id].producer];
    if (!(node->traits->flags & VLM_TRAIT_SAME_ORDER)) return node;
    id = node->inputs[0];
  }
  return NULL;
}

static vlm_item_form form_of(const vlm_node *node) {
  if (node && node->traits->flags & VLM_TRAIT_BY_COLUMN) return VLM_ITEM_COLUMN;
  if (node && node->traits->flags & VLM_TRAIT_BY_ROW) return VLM_ITEM_ROW;
  return VLM_ITEM_ELEMENT;
}

/* Nodes are in topological order: one pass backwards marks all that lead to the output. */
static bool leads_from_selection(const vlm_graph *g, vlm_value_id output, bool *wanted) {
  bool found = false;
  wanted[output] = true;
  for (int32_t i = g->n_nodes - 1; i >= 0 && !found; i--) {
    const vlm_node *node = &g->nodes[i];
    bool leads = false;
    for (int32_t k = 0; k < node->n_outputs; k++)
      leads |= node->outputs[k] != VLM_NO_VALUE && wanted[node->outputs[k]];
    if (!leads) continue;
    found = node->traits->flags & VLM_TRAIT_SELECTS;
    for (int32_t k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] != VLM_NO_VALUE) wanted[node->inputs[k]] = true;
  }
  return found;
}

vlm_status vlm_output_match_begin(vlm_output_match *match, const vlm_graph *graph, int32_t index,
                                  vlm_error *err) {
  vlm_status st = VLM_OK;
  bool *wanted = NULL;
  *match = (vlm_output_match){.form = form_of(maker(graph, graph->outputs[index]))};
  VLM_TRY(vlm_new(&wanted, graph->n_values, err));
  match->selected = leads_from_selection(graph, graph->outputs[index], wanted);
out:
  vlm_free(wanted);
  return st;
}
