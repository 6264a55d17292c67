/* Partitions: waves over the units. A node that is not taken and reads from the group that grows waits, so that the group takes what else it can. */
#include <string.h>

#include "export/placement.h"

typedef struct {
  int32_t *items, head, count;
} queue;

typedef struct {
  vlm_placement *out;
  const vlm_units *units;
  const vlm_target *target;
  int32_t *starts, *ends; /* readers of node n: ends[starts[n]] up to ends[starts[n + 1]] */
  int32_t *waits;         /* per node: inputs that are not there yet */
  bool *border;           /* reads from the group that grows */
  int32_t *group, n_group;
  queue ready, next;
  vlm_error *err;
} waves;

/* ---- who reads whom ---- */

/* The whole node that makes a value, through copies of a DequantizeLinear; -1 = none. */
static int32_t maker(const waves *w, vlm_value_id id) {
  const vlm_graph *g = w->units->graph;
  while (id != VLM_NO_VALUE && g->values[id].producer >= 0) {
    int32_t n = g->values[id].producer;
    if (w->out->nodes[n].folded) return -1;
    if (w->out->nodes[n].whole) return n;
    if (w->units->owner[n] >= 0) return w->units->owner[n];
    id = g->nodes[n].inputs[0];
  }
  return -1;
}

static vlm_status find_readers(waves *w) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = w->units->graph;
  int32_t edges = 0;
  for (int32_t n = 0; n < g->n_nodes; n++) edges += g->nodes[n].n_inputs;
  VLM_TRY(vlm_new(&w->ends, edges, w->err));
  /* Counted, summed up, filled in from the back. */
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t n = 0; n < g->n_nodes; n++)
      for (int32_t k = 0; k < g->nodes[n].n_inputs && w->out->nodes[n].whole; k++) {
        int32_t from = maker(w, g->nodes[n].inputs[k]);
        if (from < 0) continue;
        if (pass) w->ends[--w->starts[from]] = n;
        else w->starts[from]++, w->waits[n]++;
      }
    for (int32_t n = 1; n <= g->n_nodes && !pass; n++) w->starts[n] += w->starts[n - 1];
  }
out:
  return st;
}

/* ---- waves ---- */

static void push(queue *q, int32_t n) { q->items[q->count++] = n; }

static void close_group(waves *w) {
  const vlm_graph *g = w->units->graph;
  bool dropped = w->n_group == 1 && vlm_provider_drops(w->target->provider, g->nodes[w->group[0]].op_type);
  for (int32_t i = 0; i < w->n_group; i++)
    w->out->nodes[w->group[i]].partition = dropped ? -1 : w->out->partitions;
  if (dropped) {
    w->out->nodes[w->group[0]].taken = w->out->nodes[w->group[0]].integer = false;
    w->out->nodes[w->group[0]].why = "alone between nodes of the CPU: given back";
  }
  w->out->partitions += w->n_group > 0 && !dropped;
  w->n_group = 0;
  memset(w->border, 0, (size_t)g->n_nodes * sizeof *w->border);
}

static void visit(waves *w, int32_t n) {
  bool taken = w->out->nodes[n].taken;
  if (!taken && w->border[n]) {
    push(&w->next, n);
    return;
  }
  if (taken) w->group[w->n_group++] = n;
  if (taken) w->border[n] = false;
  for (int32_t e = w->starts[n]; e < w->starts[n + 1]; e++) {
    int32_t reader = w->ends[e];
    if (taken) w->border[reader] = true;
    if (--w->waits[reader] == 0) push(&w->ready, reader);
  }
  if (taken && (vlm_provider_flags(w->target->provider) & VLM_PROVIDER_EACH_ALONE)) close_group(w);
}

static void walk(waves *w) {
  for (int32_t n = 0; n < w->out->n_nodes; n++)
    if (w->out->nodes[n].whole && !w->waits[n]) push(&w->ready, n);
  while (w->ready.head < w->ready.count || w->next.count) {
    if (w->ready.head == w->ready.count) {
      close_group(w);
      queue swap = w->ready;
      w->ready = (queue){w->next.items, 0, w->next.count};
      w->next = (queue){swap.items, 0, 0};
      continue;
    }
    visit(w, w->ready.items[w->ready.head++]);
  }
  close_group(w);
}

vlm_status vlm_placement_partition(vlm_placement *placement, const vlm_units *units, const vlm_target *target,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  waves w = {.out = placement, .units = units, .target = target, .err = err};
  size_t n = (size_t)placement->n_nodes;
  VLM_TRY(vlm_new(&w.starts, n + 1, err));
  VLM_TRY(vlm_new(&w.waits, n, err));
  VLM_TRY(vlm_new(&w.border, n, err));
  VLM_TRY(vlm_new(&w.group, n, err));
  VLM_TRY(vlm_new(&w.ready.items, n, err));
  VLM_TRY(vlm_new(&w.next.items, n, err));
  VLM_TRY(find_readers(&w));
  walk(&w);
out:
  vlm_free(w.starts);
  vlm_free(w.ends);
  vlm_free(w.waits);
  vlm_free(w.border);
  vlm_free(w.group);
  vlm_free(w.ready.items);
  vlm_free(w.next.items);
  return st;
}
