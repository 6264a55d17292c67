/* What a target takes of a model, for people: a row per graph, then what stays and why, then what to do. */
#include <string.h>

#include "cli/inspect.h"

enum { GROUPS = 16, NAME = 20, PATH = 20 };

static bool is_cpu(const vlm_target_view *v) {
  return (vlm_provider_flags(v->target->provider) & VLM_PROVIDER_INTEGER_COUNTS) != 0;
}

static vlm_show share(const vlm_target_graph *g, int64_t macs) {
  if (!g->measured) return (vlm_show){"?"};
  return vlm_show_share((double)macs / (double)g->fixed.macs);
}

/* ---- a row per graph ---- */

static void print_row(const vlm_target_view *v, const vlm_target_graph *g) {
  const vlm_target_counts *c = &g->fixed;
  char partitions[32] = "-";
  if (!is_cpu(v)) snprintf(partitions, sizeof partitions, "%d", c->partitions);
  char path[64];
  printf("%s %6lld %7lld %10s %11s %7lld %10s  %s\n", vlm_show_cell(path, sizeof path, g->path, PATH),
         (long long)c->nodes, (long long)c->taken, partitions, share(g, c->taken_macs).text,
         (long long)c->integer, share(g, c->integer_macs).text,
         is_cpu(v) ? "yes" : vlm_usability_text(c->usability));
}

static void print_rows(const vlm_target_view *v) {
  printf("%-20s %6s %7s %10s %11s %7s %10s  %s\n", "graph", "nodes", "taken", "partitions", "their MACs",
         "8 bits", "their MACs", "usable");
  for (int32_t i = 0; i < v->n_graphs; i++) print_row(v, &v->graphs[i]);
  if (v->assumed.bytes) {
    char clean[400];
    printf("multiplications with %s (not stated; --shape DIM=N)\n",
           vlm_show_clean(clean, sizeof clean, vlm_text_get(&v->assumed)));
  }
}

/* ---- what stays, and why ---- */

static bool is_told(const vlm_target_group *g) { return g->why != NULL; }

static void print_groups(const vlm_target_view *v, const vlm_target_graph *g, const vlm_cli *cli) {
  char name[64], clean[200];
  int32_t told = 0, shown = 0;
  for (int32_t i = 0; i < g->n_groups; i++) told += is_told(&g->groups[i]);
  if (!told) return;
  printf("\n%s: %s, and why\n", g->path, is_cpu(v) ? "not in 8 bits" : "left to the CPU, or in floats");
  for (int32_t i = 0; i < g->n_groups; i++) {
    const vlm_target_group *k = &g->groups[i];
    if (!is_told(k) || shown++ >= vlm_rows_shown(cli, told, GROUPS)) continue;
    printf("  %5lld  %8s  %s  %s%s\n", (long long)k->nodes, k->macs ? vlm_show_count(k->macs).text : "",
           vlm_show_cell(name, sizeof name, k->op_type, NAME), k->taken && !is_cpu(v) ? "(taken) " : "",
           vlm_show_clean(clean, sizeof clean, k->why));
  }
  if (shown > GROUPS && !cli->verbose) printf("  and %d more (-v lists them)\n", told - GROUPS);
}

/* ---- what is to be expected, and done ---- */

static void print_fallback(const vlm_target_view *v) {
  int64_t left = 0, macs = 0, all = 0, dequantizes = 0;
  for (int32_t i = 0; i < v->n_graphs; i++) {
    const vlm_target_counts *c = &v->graphs[i].fixed;
    left += c->nodes - c->taken;
    macs += c->macs - c->taken_macs;
    all += c->macs;
    dequantizes += c->dequantizes;
  }
  puts("");
  if (!is_cpu(v) && left)
    printf("expected fallback: %lld nodes on the CPU, %s of the multiplications\n", (long long)left,
           all ? vlm_show_share((double)macs / (double)all).text : "?");
  else if (!is_cpu(v)) puts("expected fallback: none");
  if (dequantizes)
    printf("%lld nodes have large weights dequantized on every run: slower than floats\n",
           (long long)dequantizes);
}

static void print_dims(const vlm_target_view *v) {
  bool fixed = (vlm_provider_flags(v->target->provider) & VLM_PROVIDER_FIXED) != 0;
  int64_t now = 0, then = 0;
  vlm_show_list list;
  if (!fixed || !v->n_dims) return;
  for (int32_t i = 0; i < v->n_graphs; i++) now += v->graphs[i].now.taken, then += v->graphs[i].fixed.taken;
  printf("counted as if all dims had sizes; as the files are, %lld of these %lld nodes are taken\n",
         (long long)now, (long long)then);
  vlm_show_begin(&list, "open dims: ");
  for (int32_t i = 0; i < v->n_dims; i++) vlm_show_word(&list, v->dims[i]);
  vlm_show_end(&list);
  printf("vlm-quantize --onnx-out DIR --target %s --freeze %s=N fixes one\n", v->target->name, v->dims[0]);
}

static void print_settings(const vlm_target_view *v) {
  const vlm_provider_setting *s = NULL;
  while ((s = vlm_provider_next_setting(v->target->provider, s))) printf("%s: %s\n", s->name, s->text);
}

void vlm_target_view_print(const vlm_target_view *v, const vlm_cli *cli, const char *title) {
  printf("%s for %s: %s\n\n", title, v->target->name, v->target->title);
  print_rows(v);
  for (int32_t i = 0; i < v->n_graphs; i++) print_groups(v, &v->graphs[i], cli);
  print_fallback(v);
  print_dims(v);
  if (!v->quantized && v->target->activations != VLM_F16)
    printf("the model is in floats; in 8 bits for this target: vlm-quantize --onnx-out DIR --target %s\n",
           v->target->name);
  print_settings(v);
}
