/* The public interface: random calls in random order with right and wrong arguments on a small model in memory. */
#include <stdlib.h>
#include <string.h>
#include <vlmq/vlmq.h>

#include "runtime/base/file.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_api;

enum { SLOTS = 3, FLOATS = 8 * 64 };

/* Bytes that are left: each call takes a few. */
typedef struct {
  const uint8_t *data;
  size_t size;
  vlm_file model;
  vlm_engine *engine[SLOTS];
  vlm_runner *runner[SLOTS];
  float x[FLOATS];
} calls;

static int take(calls *c, int below) {
  if (c->size == 0) return 0;
  c->size--;
  return *c->data++ % below;
}

static void expect_status(vlm_status st, const vlm_error *err) {
  if (st == VLM_OK) return;
  if (st == VLM_INTERNAL || st == VLM_UNKNOWN || err->status != st || !err->text[0])
    fuzz_found(vlm_status_name(st));
}

static void open_runner(calls *c, int slot) {
  vlm_error err = {VLM_OK, ""};
  vlm_open_opts opts = vlm_open_opts_init();
  vlm_runner_free(c->runner[slot]);
  opts.engine = c->engine[take(c, SLOTS)];
  opts.low_memory = take(c, 2);
  opts.trust_weights = take(c, 2);
  opts.max_weight_bytes = take(c, 4) ? 0 : (uint64_t)take(c, 256);
  const size_t bytes = c->model.bytes - (size_t)take(c, 2) * (size_t)take(c, 256);
  expect_status(vlm_runner_open_memory(&c->runner[slot], c->model.data, bytes, &opts, &err), &err);
}

static void make_engine(calls *c, int slot) {
  vlm_error err = {VLM_OK, ""};
  static const char *const levels[] = {NULL, "c", "avx2", "none"};
  vlm_engine_opts opts = vlm_engine_opts_init();
  for (int i = 0; i < SLOTS; i++) { /* runners go before their engine */
    vlm_runner_free(c->runner[i]);
    c->runner[i] = NULL;
  }
  vlm_engine_free(c->engine[slot]);
  opts.threads = take(c, 4) - 1;
  opts.cpu_level = levels[take(c, 4)];
  expect_status(vlm_engine_create(&c->engine[slot], take(c, 4) ? &opts : NULL, &err), &err);
}

static void set_input(calls *c, int slot) {
  static const char *const names[] = {"x", "y", "", NULL};
  vlm_error err = {VLM_OK, ""};
  vlm_array array = vlm_array_init();
  array.name = names[take(c, 4)];
  array.type = (vlm_type)(take(c, 8) ? VLM_TYPE_FLOAT32 : take(c, 256));
  array.rank = take(c, 8) ? 2 : take(c, 256) - 8;
  array.dims[0] = take(c, 8) ? 8 : take(c, 256) - 4;
  array.dims[1] = take(c, 8) ? 64 : take(c, 256) - 4;
  array.data = take(c, 8) ? c->x : NULL;
  array.bytes = take(c, 8) ? sizeof c->x : (size_t)take(c, 256);
  expect_status(
      vlm_runner_set(c->runner[slot], take(c, 4) ? NULL : "model", take(c, 16) ? &array : NULL, &err), &err);
}

static void look(calls *c, int slot) {
  vlm_error err = {VLM_OK, ""};
  vlm_model_info info = vlm_model_info_init();
  vlm_memory_info memory = vlm_memory_info_init();
  vlm_port port = vlm_port_init();
  vlm_array out = vlm_array_init();
  const vlm_runner *r = c->runner[slot];
  expect_status(vlm_runner_info(r, &info, &err), &err);
  expect_status(vlm_runner_memory(r, &memory, &err), &err);
  expect_status(vlm_runner_port(r, NULL, (vlm_side)take(c, 3), take(c, 4) - 1, &port, &err), &err);
  expect_status(vlm_runner_get(r, NULL, take(c, 2) ? NULL : "y", &out, &err), &err);
  (void)vlm_runner_graph(r, take(c, 4) - 1);
  (void)vlm_runner_ports(r, "model", (vlm_side)take(c, 3));
}

static void show_picture(calls *c, int slot) {
  vlm_error err = {VLM_OK, ""};
  vlm_prepared *prepared = NULL;
  vlm_picture picture = vlm_picture_init();
  picture.data = take(c, 8) ? c->x : NULL;
  picture.bytes = sizeof c->x;
  picture.width = take(c, 256) - 16;
  picture.height = take(c, 64) - 4;
  picture.stride = (take(c, 256) - 128) * take(c, 8);
  picture.order = (vlm_pixel_order)take(c, 6);
  if (picture.stride < 0) picture.stride = 0; /* its bytes would be before the data */
  expect_status(vlm_runner_prepare(&prepared, c->runner[slot], &picture, &err), &err);
  vlm_reply *reply = NULL;
  expect_status(vlm_runner_generate(&reply, c->runner[slot], prepared, "a", NULL, &err), &err);
  vlm_reply_free(reply);
  vlm_prepared_free(prepared);
}

static void call(calls *c) {
  vlm_error err = {VLM_OK, ""};
  const int what = take(c, 8), slot = take(c, SLOTS);
  switch (what) {
    case 0: make_engine(c, slot); break;
    case 1: open_runner(c, slot); break;
    case 2:
    case 3: set_input(c, slot); break;
    case 4:
    case 5: expect_status(vlm_runner_run(c->runner[slot], take(c, 8) ? NULL : "model", &err), &err); break;
    case 6: look(c, slot); break;
    default: show_picture(c, slot);
  }
}

void fuzz_on_api(const uint8_t *data, size_t size) {
  static calls c; /* large */
  vlm_error err;
  c = (calls){.data = data, .size = size};
  if (vlm_file_map(&c.model, VLMQ_SOURCE_DIR "/tests/onnx/data/gemm_rows.onnx", &err) != VLM_OK)
    fuzz_found(err.text);
  open_runner(&c, 0);
  while (c.size > 0) call(&c);
  for (int i = 0; i < SLOTS; i++) vlm_runner_free(c.runner[i]);
  for (int i = 0; i < SLOTS; i++) vlm_engine_free(c.engine[i]);
  vlm_file_unmap(&c.model);
}
