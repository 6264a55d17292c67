/* bench_graph [-p] [-f] MODEL [THREADS [RUNS [CPU]]] [INPUT=1x3x640x640]...
 * Median time of a run of a single graph, float or packed, on noise; what is not said of its shapes is 1. -p: where a run's time goes, by
 * operator and by node, as values are made (taps keep every value, so the sum is a little more than a run). -f: as the file has it, not
 * lowered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "onnx/bundle.h"
#include "pack/pack.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/exec/profile.h"
#include "runtime/exec/session.h"
#include "runtime/lower/lower.h"

enum { MOST_RUNS = 1000, MOST_INPUTS = 64 };

typedef struct {
  const char *path, *cpu, *shapes[MOST_INPUTS];
  int threads, runs, n_shapes;
  bool profile, plain;
} request;

/* ---- the model ---- */

static vlm_status open_graph(vlm_bundle **out, const request *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  if (vlm_pack_is_pack(q->path)) {
    VLM_TRY(vlm_pack_open(&pack, q->path, NULL, err));
    VLM_TRY(vlm_pack_bundle(out, pack, err));
  } else {
    VLM_TRY(vlm_bundle_open(out, q->path, NULL, err));
  }
  VLM_CHECK((*out)->graphs[VLM_ROLE_MODEL], err, VLM_USAGE, "%s: wanted a single graph", q->path);
  if (!q->plain) VLM_TRY(vlm_graph_lower((*out)->graphs[VLM_ROLE_MODEL], NULL, err));
out:
  vlm_pack_close(pack);
  return st;
}

static void give_shape(vlm_tensor *t, const char *name, const request *q) {
  for (int i = 0; i < q->n_shapes; i++) {
    const char *equals = strchr(q->shapes[i], '=');
    if (strlen(name) != (size_t)(equals - q->shapes[i]) || strncmp(q->shapes[i], name, strlen(name)))
      continue;
    char *end;
    for (t->rank = 0; *equals && t->rank < VLM_MAX_RANK; equals = end)
      t->dims[t->rank++] = strtoll(equals + 1, &end, 10);
  }
  for (int d = 0; d < t->rank; d++)
    if (t->dims[d] < 0) t->dims[d] = 1;
}

static vlm_status make_inputs(vlm_tensor *inputs, const vlm_graph *g, const request *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  uint32_t seed = 1;
  VLM_CHECK(g->n_inputs <= MOST_INPUTS, err, VLM_LIMIT, "%d inputs; wanted at most %d", g->n_inputs,
            MOST_INPUTS);
  for (int32_t i = 0; i < g->n_inputs; i++) {
    char *data;
    inputs[i] = g->values[g->inputs[i]].tensor;
    give_shape(&inputs[i], g->values[g->inputs[i]].name, q);
    VLM_TRY(vlm_new(&data, vlm_tensor_bytes(&inputs[i]), err));
    inputs[i].data = data;
    for (int64_t k = 0; inputs[i].dtype == VLM_F32 && k < vlm_tensor_count(&inputs[i]); k++)
      ((float *)inputs[i].data)[k] = (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1;
  }
out:
  return st;
}

/* ---- where the time goes ---- */

typedef struct {
  double last, *ms; /* per node */
} time_book;

static vlm_status note(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *tensor,
                       vlm_error *err) {
  time_book *t = user;
  double now = vlm_clock_ms();
  int32_t n = graph->values[value].producer;
  (void)tensor, (void)err;
  if (!graph->parent && n >= 0) t->ms[n] += now - t->last;
  t->last = now;
  return VLM_OK;
}

static void print_profile(const vlm_graph *g, const time_book *t, int runs) {
  bool *seen = calloc((size_t)g->n_nodes + 1, 1);
  for (int32_t n = 0; seen && n < g->n_nodes; n++) {
    double sum = 0;
    int count = 0;
    if (seen[n]) continue;
    for (int32_t m = n; m < g->n_nodes; m++) {
      if (strcmp(g->nodes[m].op_type, g->nodes[n].op_type) || strcmp(g->nodes[m].domain, g->nodes[n].domain))
        continue;
      seen[m] = true;
      sum += t->ms[m] / runs;
      count++;
    }
    printf("%9.3f ms  %4d  %s%s%s\n", sum, count, g->nodes[n].domain, g->nodes[n].domain[0] ? "." : "",
           g->nodes[n].op_type);
  }
  free(seen);
  for (int32_t n = 0; n < g->n_nodes; n++)
    if (t->ms[n] / runs > 0.02)
      printf("  %8.3f  %-18s %s\n", t->ms[n] / runs, g->nodes[n].op_type, g->nodes[n].name);
}

/* ---- runs ---- */

/* Of all threads: what a loaded machine changes least. */
static double cpu_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static vlm_status measure(vlm_context *context, const vlm_graph *g, const vlm_tensor *inputs,
                          const request *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_session *session = NULL;
  double ms[MOST_RUNS], cpu[MOST_RUNS];
  time_book book = {0};
  vlm_session_opts opts = {.tap = q->profile ? note : NULL, .tap_user = &book};
  vlm_profile costs = {0};
  VLM_TRY(vlm_new(&book.ms, g->n_nodes + 1, err));
  VLM_TRY(vlm_session_create(&session, context, g, &opts, err));
  for (int i = 0; i < 2; i++) VLM_TRY(vlm_session_run(session, inputs, g->n_inputs, err));
  memset(book.ms, 0, (size_t)g->n_nodes * sizeof *book.ms);
  for (int i = 0; i < q->runs; i++) {
    double start = book.last = vlm_clock_ms(), used = cpu_ms();
    VLM_TRY(vlm_session_run(session, inputs, g->n_inputs, err));
    ms[i] = vlm_clock_ms() - start;
    cpu[i] = cpu_ms() - used;
  }
  qsort(ms, (size_t)q->runs, sizeof *ms, by_size);
  qsort(cpu, (size_t)q->runs, sizeof *cpu, by_size);
  if (q->profile) print_profile(g, &book, q->runs);
  VLM_TRY(vlm_graph_profile(&costs, context, g, inputs, err));
  printf(
      "%s: median %.3f ms, best %.3f ms, of the CPU %.3f and %.3f ms, of %d runs, %s, arena %.1f MiB, %.1f M "
      "multiply-adds\n",
      q->path, ms[q->runs / 2], ms[0], cpu[q->runs / 2], cpu[0], q->runs, vlm_context_cpu(context),
      (double)vlm_session_get_stats(session).arena_bytes / (1 << 20), (double)costs.macs * 1e-6);
out:
  vlm_profile_free(&costs);
  vlm_session_free(session);
  vlm_free(book.ms);
  return st;
}

static vlm_status read_request(request *q, int argc, char **argv, vlm_error *err) {
  vlm_status st = VLM_OK;
  int plain = 0;
  *q = (request){.threads = 1, .runs = 20};
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "-p")) q->profile = true;
    else if (!strcmp(argv[i], "-f")) q->plain = true;
    else if (strchr(argv[i], '=') && q->n_shapes < MOST_INPUTS) q->shapes[q->n_shapes++] = argv[i];
    else if (plain++ == 0) q->path = argv[i];
    else if (plain == 2) q->threads = atoi(argv[i]);
    else if (plain == 3) q->runs = atoi(argv[i]);
    else q->cpu = argv[i];
  }
  VLM_CHECK(q->path && q->threads > 0 && q->runs > 0 && q->runs <= MOST_RUNS, err, VLM_USAGE,
            "usage: bench_graph [-p] [-f] MODEL [THREADS [RUNS [CPU]]] [INPUT=SHAPE]...");
out:
  return st;
}

int main(int argc, char **argv) {
  vlm_status st = VLM_OK;
  vlm_error error = {0}, *err = &error;
  vlm_context *context = NULL;
  vlm_bundle *bundle = NULL;
  vlm_tensor inputs[MOST_INPUTS] = {0};
  request q;
  VLM_TRY(read_request(&q, argc, argv, err));
  VLM_TRY(vlm_context_create(&context, &(vlm_context_opts){.threads = q.threads, .cpu_level = q.cpu}, err));
  VLM_TRY(open_graph(&bundle, &q, err));
  VLM_TRY(make_inputs(inputs, bundle->graphs[VLM_ROLE_MODEL], &q, err));
  VLM_TRY(measure(context, bundle->graphs[VLM_ROLE_MODEL], inputs, &q, err));
out:
  if (st != VLM_OK) fprintf(stderr, "bench_graph: %s\n", error.text);
  for (int i = 0; i < MOST_INPUTS; i++) vlm_free(inputs[i].data);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
  return st == VLM_OK ? 0 : 1;
}
