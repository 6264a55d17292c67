/* A model for people: totals first, then graph by graph. */
#include <string.h>

#include "cli/inspect.h"
#include "pack/describe.h"
#include "quant/plan.h"

enum { ENDS_SHOWN = 6, NAME = 28, SHAPES = 64, REASONS = 32 };

/* ---- totals ---- */

static const vlm_profile *profile_of(const vlm_model_view *v, int role) {
  return v->costs.roles[role].made ? &v->costs.roles[role].profile : NULL;
}

static int32_t count_nodes(const vlm_graph *g) {
  int32_t n = g->n_nodes;
  for (int32_t i = 0; i < g->n_nodes; i++)
    for (int32_t a = 0; a < g->nodes[i].n_attrs; a++)
      if (g->nodes[i].attrs[a].kind == VLM_ATTR_GRAPH) n += count_nodes(g->nodes[i].attrs[a].u.g);
  return n;
}

static void print_head(const vlm_model_view *v, const char *title) {
  static const char *const FAMILIES[] = {[VLM_FAMILY_GRAPH] = "single graph",
                                         [VLM_FAMILY_ENCODER_DECODER] = "encoder-decoder",
                                         [VLM_FAMILY_DECODER_ONLY] = "decoder-only"};
  const vlm_bundle_profile *c = &v->costs;
  printf("%s: %s, %s parameters, %s of weights\n", title, FAMILIES[v->bundle->family],
         vlm_show_count(v->total.elements).text, vlm_show_bytes((double)v->total.bytes).text);
  if (v->bundle->family != VLM_FAMILY_GRAPH) {
    printf("costs at batch 1: ");
    if (c->image_width) printf("image %lld x %lld", (long long)c->image_width, (long long)c->image_height);
    if (c->image_width && c->image_tokens) printf(" (%lld tokens)", (long long)c->image_tokens);
    if (c->image_width) printf(", ");
    if (c->prompt_tokens) printf("prompt %lld, ", (long long)c->prompt_tokens);
    printf("context %lld, cache of %lld tokens\n", (long long)c->context_tokens, (long long)c->past_tokens);
  } else if (v->assumed.bytes) {
    char clean[400];
    printf("costs with %s (not stated; --shape DIM=N)\n",
           vlm_show_clean(clean, sizeof clean, vlm_text_get(&v->assumed)));
  }
}

static void print_costs(const vlm_model_view *v) {
  int graphs = 0;
  printf("\n%-14s %7s %12s %10s %10s %12s\n", "graph", "nodes", "parameters", "weights", "MACs",
         "activations");
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const vlm_graph *g = v->bundle->graphs[r];
    const vlm_profile *p = profile_of(v, r);
    if (!g) continue;
    graphs++;
    printf("%-14s %7d %12s %10s %10s %12s\n", vlm_role_name((vlm_role)r), count_nodes(g),
           vlm_show_count(v->weights[r].elements).text, vlm_show_bytes((double)v->weights[r].bytes).text,
           p ? vlm_show_count(p->macs).text : "?",
           p ? vlm_show_bytes((double)p->activation_bytes).text : "?");
  }
  if (graphs > 1)
    printf("%-14s %7s %12s %10s   each weight once\n", "together", "", vlm_show_count(v->total.elements).text,
           vlm_show_bytes((double)v->total.bytes).text);
}

/* ---- inputs and outputs ---- */

/* "float32 [batch, 3, H, W]", and the shape at hand where it says more; that one is never cut. */
static vlm_status print_end(const char *label, const vlm_value *value, const vlm_tensor *here,
                            vlm_error *err) {
  vlm_text text = {0};
  char name[256], shape[256], at[160] = "";
  vlm_status st = vlm_describe_value(&text, value, err);
  if (st == VLM_OK) {
    bool open = value->tensor.rank < 0;
    for (int d = 0; d < value->tensor.rank; d++) open |= value->tensor.dims[d] < 0;
    if (here && open) vlm_tensor_shape_text(here, at, sizeof at);
    int room = SHAPES - (*at ? (int)strlen("  here ") + (int)strlen(at) : 0);
    printf("  %-4s %s %s%s%s\n", label, vlm_show_cell(name, sizeof name, value->name, NAME),
           vlm_show_cell(shape, sizeof shape, vlm_text_get(&text), -(room > 12 ? room : 12)),
           *at ? "  here " : "", at);
  }
  vlm_text_free(&text);
  return st;
}

static vlm_status print_ends(const char *label, const vlm_graph *g, const vlm_value_id *ids, int32_t n,
                             const vlm_tensor *here, bool verbose, vlm_error *err) {
  int32_t shown = verbose || n <= ENDS_SHOWN ? n : ENDS_SHOWN - 1;
  for (int32_t i = 0; i < shown; i++) {
    vlm_status st = print_end(i ? "" : label, &g->values[ids[i]], here ? &here[i] : NULL, err);
    if (st != VLM_OK) return st;
  }
  if (shown < n) printf("       and %d more (-v lists them)\n", n - shown);
  return VLM_OK;
}

/* ---- operators ---- */

static vlm_status print_operators(const vlm_graph *g, const vlm_profile *p, const vlm_cli *cli,
                                  vlm_error *err) {
  char name[96], word[160];
  vlm_op_total *ops;
  int32_t n;
  vlm_show_list list;
  vlm_status st = vlm_op_totals(&ops, &n, g, p, err);
  if (st != VLM_OK) return st;
  n = vlm_rows_shown(cli, n, n);
  vlm_show_begin(&list, "  operators  ");
  for (int32_t i = 0; i < n; i++) {
    snprintf(word, sizeof word, "%s %lld", vlm_op_total_name(&ops[i], name), (long long)ops[i].nodes);
    vlm_show_word(&list, word);
  }
  vlm_show_end(&list);
  if (p && p->macs > 0) {
    vlm_show_begin(&list, "  MACs       ");
    for (int32_t i = 0; i < n && ops[i].macs > 0; i++) {
      snprintf(word, sizeof word, "%s %s (%s)", vlm_op_total_name(&ops[i], name),
               vlm_show_count(ops[i].macs).text, vlm_show_share((double)ops[i].macs / (double)p->macs).text);
      vlm_show_word(&list, word);
    }
    vlm_show_end(&list);
  }
  vlm_free(ops);
  return VLM_OK;
}

/* ---- what would be quantized ---- */

typedef struct {
  vlm_decision decision;
  const char *reason;
  int64_t nodes, weights;
} reason_row;

static void add_reason(reason_row *rows, int *n, vlm_decision decision, const char *reason, int64_t weights) {
  int i = 0;
  while (i < *n && (rows[i].decision != decision || strcmp(rows[i].reason, reason))) i++;
  if (i == *n && *n < REASONS) rows[(*n)++] = (reason_row){.decision = decision, .reason = reason};
  if (i == REASONS) return;
  rows[i].nodes++;
  rows[i].weights += weights;
}

static void print_reasons(const reason_row *rows, int n) {
  if (n) printf("  %-10s %-11s %5s %8s  %s\n", "quantize", "as", "nodes", "weights", "why");
  for (int d = VLM_DECIDE_COUNT - 1; d >= 0; d--)
    for (int i = 0; i < n; i++) {
      if ((int)rows[i].decision != d) continue;
      printf("  %-10s %-11s %5lld %8s  %s\n", "", vlm_decision_name((vlm_decision)d),
             (long long)rows[i].nodes, vlm_show_count(rows[i].weights).text, rows[i].reason);
    }
}

/* Paths of bodies begin with the role. */
static bool is_of(const vlm_node_plan *n, const char *role) {
  size_t size = strlen(role);
  return !strncmp(n->graph, role, size) && (!n->graph[size] || n->graph[size] == '/');
}

static void print_decisions(const vlm_quant_plan *plan, const char *role, bool verbose) {
  reason_row rows[REASONS];
  int n_rows = 0;
  char name[256];
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (is_of(n, role)) add_reason(rows, &n_rows, n->decision, n->reason, n->weights);
  }
  print_reasons(rows, n_rows);
  for (int32_t i = 0; verbose && i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (is_of(n, role))
      printf("    %-11s %-7s %s %8s  %s\n", vlm_decision_name(n->decision), n->op_type,
             vlm_show_cell(name, sizeof name, n->node, 34), vlm_show_count(n->weights).text, n->reason);
  }
}

/* ---- one graph ---- */

static const char *file_name(const char *path) {
  const char *slash = path ? strrchr(path, '/') : NULL;
  return slash ? slash + 1 : path ? path : "";
}

static vlm_status print_graph(const vlm_model_view *v, int role, const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = v->bundle->graphs[role];
  const vlm_profile *p = profile_of(v, role);
  char clean[400];
  printf("\n%s: %s, opset %d%s\n", vlm_role_name((vlm_role)role),
         vlm_show_clean(clean, sizeof clean, file_name(g->source)), g->opset,
         p && p->executed ? ", shapes depend on data (run once on zeros, masks on ones)" : "");
  VLM_TRY(print_ends("in", g, g->inputs, g->n_inputs, p ? p->inputs : NULL, cli->verbose, err));
  VLM_TRY(print_ends("out", g, g->outputs, g->n_outputs, p ? p->outputs : NULL, cli->verbose, err));
  if (!p)
    printf("  costs not known: %s\n", vlm_show_clean(clean, sizeof clean, v->costs.roles[role].error.text));
  if (!vlm_bundle_graph_once(v->bundle, role)) {
    puts("  the graph is the one above");
    goto out;
  }
  VLM_TRY(print_operators(g, p, cli, err));
  if (v->plan) print_decisions(v->plan, vlm_role_name((vlm_role)role), cli->verbose);
out:
  return st;
}

void vlm_model_view_print_totals(const vlm_model_view *v, const char *title) {
  print_head(v, title);
  print_costs(v);
}

vlm_status vlm_model_view_print_graphs(const vlm_model_view *v, const vlm_cli *cli, vlm_error *err) {
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    if (!v->bundle->graphs[r]) continue;
    vlm_status st = print_graph(v, r, cli, err);
    if (st != VLM_OK) return st;
  }
  return VLM_OK;
}
