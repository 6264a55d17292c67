#include "tests/fuzz/graph_differ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pack/pack.h"
#include "runtime/base/cpu.h"
#include "runtime/graph/copy.h"
#include "runtime/lower/lower.h"
#include "runtime/ops/resolve.h"
#include "tests/fuzz/graph_run.h"

typedef struct {
  fuzz_graph g;
  fuzz_answer wanted; /* of level "c", one thread */
  char problem[1024];
} differences;

static void run_once(fuzz_answer *a, const differences *d, const vlm_graph *graph,
                     const vlm_context_opts *opts) {
  vlm_context *context = NULL;
  vlm_session *session = NULL;
  const vlm_session_opts limit = {.max_bytes = FUZZ_BYTES};
  *a = (fuzz_answer){.status = VLM_OK};
  a->status = vlm_context_create(&context, opts, &a->err);
  if (a->status == VLM_OK) a->status = vlm_session_create(&session, context, graph, &limit, &a->err);
  if (a->status == VLM_OK) fuzz_run_session(a, &d->g, session, graph->n_outputs, 0);
  vlm_session_free(session);
  vlm_context_free(context);
}

static void expect_wanted(differences *d, const char *way, fuzz_answer *a) {
  const char *what = fuzz_difference(&d->wanted, a, 0);
  if (!what[0] && a->status != d->wanted.status) what = a->status ? a->err.text : d->wanted.err.text;
  if (what[0] && !d->problem[0]) snprintf(d->problem, sizeof d->problem, "%s: %s", way, what);
  fuzz_answer_free(a);
}

static void try_levels(differences *d, const vlm_graph *graph) {
  const uint32_t mask = vlm_cpu_detect();
  for (int level = 0; level < VLM_CPU_COUNT; level++)
    for (int threads = 1; threads <= 3; threads += 2) {
      fuzz_answer a;
      const char *name = vlm_cpu_name((vlm_cpu_level)level);
      if (!(mask >> level & 1)) continue;
      run_once(&a, d, graph,
               &(vlm_context_opts){.threads = threads, .cpu_level = name, .max_loop_runs = 200});
      expect_wanted(d, name, &a);
    }
}

/* Written and read back; a graph that cannot be written is none. */
static void try_packed(differences *d, const vlm_graph *graph, vlm_pack_codec codec) {
  char path[64];
  vlm_error err = {0};
  vlm_bundle *bundle = NULL, *back = NULL;
  vlm_pack *pack = NULL;
  fuzz_answer a;
  snprintf(path, sizeof path, "/tmp/vlmq-differ-%ld.vlmq", (long)getpid());
  vlm_status st = vlm_bundle_create(&bundle, "made", &err);
  if (st == VLM_OK) st = vlm_graph_copy(&bundle->graphs[VLM_ROLE_MODEL], graph, "model", &err);
  if (st == VLM_OK) st = vlm_graph_resolve(bundle->graphs[VLM_ROLE_MODEL], &err);
  if (st == VLM_OK)
    st = vlm_pack_write(path, &(vlm_pack_content){.bundle = bundle}, &(vlm_pack_opts){.codec = codec}, NULL,
                        &err);
  if (st == VLM_OK) st = vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.lazy = true}, &err);
  if (st == VLM_OK) st = vlm_pack_bundle(&back, pack, &err);
  if (st != VLM_OK) {
    if (!d->problem[0]) snprintf(d->problem, sizeof d->problem, "packed: %s", err.text);
  } else {
    run_once(&a, d, back->graphs[VLM_ROLE_MODEL],
             &(vlm_context_opts){.threads = 1, .cpu_level = "c", .max_loop_runs = 200});
    expect_wanted(d, "packed", &a);
  }
  vlm_bundle_free(back);
  vlm_pack_close(pack);
  vlm_bundle_free(bundle);
  unlink(path);
}

static void try_graph(differences *d, const vlm_graph *graph) {
  run_once(&d->wanted, d, graph, &(vlm_context_opts){.threads = 1, .cpu_level = "c", .max_loop_runs = 200});
  try_levels(d, graph);
  if (d->wanted.status == VLM_OK) {
    try_packed(d, graph, VLM_PACK_ZSTD);
    try_packed(d, graph, VLM_PACK_RAW);
  }
  fuzz_answer_free(&d->wanted);
}

const char *fuzz_graph_differ(const uint8_t *data, size_t size) {
  static differences d; /* large */
  vlm_error err = {0};
  vlm_graph *lowered = NULL;
  d.problem[0] = 0;
  if (fuzz_graph_make(&d.g, data, size) && vlm_graph_resolve(d.g.graph, &err) == VLM_OK) {
    try_graph(&d, d.g.graph);
    if (vlm_graph_copy(&lowered, d.g.graph, "lowered", &err) == VLM_OK &&
        vlm_graph_resolve(lowered, &err) == VLM_OK && vlm_graph_lower(lowered, NULL, &err) == VLM_OK)
      try_graph(&d, lowered);
    vlm_graph_free(lowered);
  }
  fuzz_graph_free(&d.g);
  return d.problem[0] ? d.problem : NULL;
}

/* ---- the smallest one ---- */

static bool shows(const uint8_t *data, size_t size, fuzz_problem *problem) {
  return problem(data, size) != NULL;
}

static size_t without(uint8_t *data, size_t size, size_t at, size_t count, fuzz_problem *problem) {
  uint8_t shorter[4096];
  memcpy(shorter, data, at);
  memcpy(shorter + at, data + at + count, size - at - count);
  if (!shows(shorter, size - count, problem)) return size;
  memcpy(data, shorter, size - count);
  return size - count;
}

size_t fuzz_smallest(uint8_t *data, size_t size, fuzz_problem *problem) {
  for (size_t count = size / 2; count > 0; count /= 2)
    for (size_t at = 0; at + count <= size;) {
      const size_t left = without(data, size, at, count, problem);
      if (left == size) at += count;
      size = left;
    }
  for (size_t i = 0; i < size; i++) {
    const uint8_t kept = data[i];
    data[i] = 0;
    if (kept && !shows(data, size, problem)) data[i] = kept;
  }
  return size;
}
