/* Follows sequences of tensors through a graph and its bodies, so that nothing behind the import knows that there are any. */
#include <string.h>

#include "onnx/sequence.h"
#include "runtime/ops/op.h"

static const struct {
  const char *op;
  vlm_seq_rule *rule;
  bool takes, makes; /* a sequence at input 0; one as the result */
} rules[] = {
    {"SequenceEmpty", vlm_seq_empty, false, true},   {"SequenceConstruct", vlm_seq_construct, false, true},
    {"SequenceInsert", vlm_seq_insert, true, true},  {"SequenceErase", vlm_seq_erase, true, true},
    {"SequenceAt", vlm_seq_at, true, false},         {"SequenceLength", vlm_seq_length, true, false},
    {"SplitToSequence", vlm_seq_split, false, true}, {"ConcatFromSequence", vlm_seq_concat, true, false},
};
enum { RULES = sizeof rules / sizeof rules[0] };

static int rule_of(const vlm_node *node) {
  int k = 0;
  while (k < RULES && !vlm_node_is(node, rules[k].op)) k++;
  return k < RULES ? k : -1;
}

static bool has_sequences(const vlm_graph *graph) {
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    if (rule_of(node) >= 0) return true;
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH && has_sequences(node->attrs[a].u.g)) return true;
  }
  return false;
}

/* Each input must be the kind of value that the operator reads. */
static vlm_status check_inputs(vlm_seq_scope *scope, int32_t n, bool takes) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &scope->graph->nodes[n];
  for (int32_t k = 0; k < node->n_inputs; k++) {
    bool wanted = takes && k == 0, got = vlm_seq_find(scope, node->inputs[k]) != NULL;
    if (got == wanted) continue;
    const char *name = scope->graph->values[node->inputs[k]].name;
    VLM_CHECK(wanted || !(vlm_node_is(node, "Loop") || vlm_node_is(node, "Scan")), scope->walk->err,
              VLM_UNSUPPORTED, "\"%s\" is a sequence, which %s cannot carry here", name, node->op_type);
    VLM_CHECK(false, scope->walk->err, VLM_INPUT, "input %d, \"%s\", is a %s, wanted a %s", k, name,
              got ? "sequence" : "tensor", wanted ? "sequence" : "tensor");
  }
out:
  return st;
}

static vlm_status walk_graph(vlm_seq_scope *scope);

static vlm_status walk_bodies(vlm_seq_scope *scope, int32_t n) {
  vlm_status st = VLM_OK;
  vlm_arena *arena = scope->walk->arena;
  vlm_seq_scope **bodies = NULL;
  int32_t count = scope->graph->nodes[n].n_attrs;
  VLM_TRY(vlm_arena_new(arena, &bodies, (size_t)count + 1, scope->walk->err));
  for (int32_t a = 0; a < count; a++) {
    const vlm_attr *attr = &scope->graph->nodes[n].attrs[a];
    if (attr->kind != VLM_ATTR_GRAPH) continue;
    VLM_TRY(vlm_arena_new(arena, &bodies[a], 1, scope->walk->err));
    *bodies[a] = (vlm_seq_scope){.walk = scope->walk, .graph = attr->u.g, .outer = scope};
    VLM_TRY(walk_graph(bodies[a]));
  }
  st = vlm_seq_bodies(scope, n, bodies);
  vlm_node_blame(scope->graph, &scope->graph->nodes[n], st, scope->walk->err);
out:
  return st;
}

/* An operator of the table above. */
static vlm_status apply_rule(vlm_seq_scope *scope, int32_t n, int k) {
  vlm_status st = VLM_OK;
  vlm_sequence *made = NULL;
  VLM_TRY(check_inputs(scope, n, rules[k].takes));
  vlm_value_id out = scope->graph->nodes[n].outputs[0];
  VLM_TRY(rules[k].rule(
      scope, n, rules[k].takes ? vlm_seq_find(scope, scope->graph->nodes[n].inputs[0]) : NULL, &made));
  if (rules[k].makes && out != VLM_NO_VALUE) scope->of[out] = made;
  ++*scope->walk->changes;
out:
  return vlm_node_blame(scope->graph, &scope->graph->nodes[n], st, scope->walk->err);
}

static bool passes_on(const vlm_seq_scope *scope, const vlm_node *node) {
  return vlm_node_is(node, "Identity") && vlm_seq_find(scope, node->inputs[0]) != NULL;
}

static vlm_status visit(vlm_seq_scope *scope, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &scope->graph->nodes[n];
  int k = rule_of(node);
  if (k >= 0) return apply_rule(scope, n, k);
  if (passes_on(scope, node)) {
    if (node->outputs[0] != VLM_NO_VALUE) scope->of[node->outputs[0]] = vlm_seq_find(scope, node->inputs[0]);
    return VLM_OK;
  }
  st = check_inputs(scope, n, false);
  if (st != VLM_OK) return vlm_node_blame(scope->graph, node, st, scope->walk->err);
  VLM_TRY(walk_bodies(scope, n));
  if (scope->walk->new_constants)
    VLM_TRY(vlm_pass_fold_node(scope->graph, n, scope->walk->opts, scope->walk->changes, scope->walk->err));
out:
  return st;
}

static vlm_status walk_graph(vlm_seq_scope *scope) {
  vlm_status st = VLM_OK;
  int32_t nodes = scope->graph->n_nodes; /* those that the rules add come behind */
  scope->n_of = scope->graph->n_values;
  VLM_TRY(vlm_arena_new(scope->walk->arena, &scope->of, (size_t)scope->n_of + 1, scope->walk->err));
  for (int32_t n = 0; n < nodes; n++) VLM_TRY(visit(scope, n));
out:
  return st;
}

static vlm_status check_results(const vlm_seq_scope *scope) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < scope->graph->n_outputs; k++) {
    vlm_value_id id = scope->graph->outputs[k];
    VLM_CHECK(vlm_seq_find(scope, id) == NULL, scope->walk->err, VLM_UNSUPPORTED,
              "%s: output \"%s\" is a sequence, not a tensor, which is not supported", scope->graph->source,
              scope->graph->values[id].name);
  }
out:
  return st;
}

vlm_status vlm_pass_sequences(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_seq_walk walk = {.opts = opts, .changes = changes, .err = err};
  vlm_seq_scope root = {.walk = &walk, .graph = graph};
  /* Bodies are visited from the root, which knows what they capture. */
  if (graph->parent != NULL || !has_sequences(graph)) return VLM_OK;
  VLM_TRY(vlm_arena_create(&walk.arena, err));
  VLM_TRY(walk_graph(&root));
  VLM_TRY(check_results(&root));
out:
  vlm_arena_free(walk.arena);
  return st;
}
