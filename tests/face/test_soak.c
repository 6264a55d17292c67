/* Load: many threads open one file, many runners share an engine, engines of every level live side by side; and again, until memory
 * and descriptors would show a leak. VLMQ_SOAK_SECONDS in the environment: how long (2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "tests/face/models.h"

enum { OPENERS = 64, SHARING = 4, WARM_ROUNDS = 3 };

static char packed[64];

/* A runner of its own, on an engine of its own (NULL) or a shared one: opens, runs, keeps a sum of its outputs' bits. */
typedef struct {
  pthread_t thread;
  vlm_engine *engine;
  vlm_status status;
  vlm_error error;
  uint64_t sum;
  int runs;
} user;

static uint64_t sum_bits(const vlm_array *y) {
  uint64_t sum = 0;
  for (size_t i = 0; i < y->bytes / sizeof(uint32_t); i++) {
    uint32_t bits;
    memcpy(&bits, (const char *)y->data + i * sizeof bits, sizeof bits);
    sum = sum * 31 + bits;
  }
  return sum;
}

static vlm_status run_once(vlm_runner *runner, uint64_t *sum, vlm_error *err) {
  static const int64_t dims[] = {8, 64};
  float values[8 * 64];
  vlm_array x = vlm_array_init(), y = vlm_array_init();
  for (int i = 0; i < 8 * 64; i++) values[i] = (float)(i % 17) * 0.25f - 2;
  x.name = "x";
  x.type = VLM_TYPE_FLOAT32;
  x.rank = 2;
  memcpy(x.dims, dims, sizeof dims);
  x.data = values;
  x.bytes = sizeof values;
  vlm_status st = vlm_runner_set(runner, NULL, &x, err);
  if (st == VLM_OK) st = vlm_runner_run(runner, NULL, err);
  if (st == VLM_OK) st = vlm_runner_get(runner, NULL, "y", &y, err);
  if (st == VLM_OK) *sum = sum_bits(&y);
  return st;
}

/* An engine that computes for another call says so: the contract of docs/api.md. The caller comes again. */
#define IN_TURNS(st, call) \
  do (st) = (call);        \
  while ((st) == VLM_USAGE && sched_yield() == 0)

static void *use(void *argument) {
  user *u = argument;
  vlm_runner *runner = NULL;
  vlm_open_opts opts = vlm_open_opts_init();
  vlm_engine_opts own = vlm_engine_opts_init();
  own.threads = 1;
  u->status = u->engine ? VLM_OK : vlm_engine_create(&opts.engine, &own, &u->error);
  if (u->engine) opts.engine = u->engine;
  if (u->status == VLM_OK) IN_TURNS(u->status, vlm_runner_open(&runner, packed, &opts, &u->error));
  for (int i = 0; u->status == VLM_OK && i < u->runs; i++)
    IN_TURNS(u->status, run_once(runner, &u->sum, &u->error));
  vlm_runner_free(runner);
  if (!u->engine) vlm_engine_free(opts.engine);
  return NULL;
}

/* All users at once; every one gets the same bits. */
static uint64_t all_at_once(vlm_engine *engine, int count, int runs) {
  user users[OPENERS];
  for (int i = 0; i < count; i++) {
    users[i] = (user){.engine = engine, .runs = runs};
    assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
  }
  for (int i = 0; i < count; i++) pthread_join(users[i].thread, NULL);
  for (int i = 0; i < count; i++) {
    if (users[i].status != VLM_OK) fail_msg("user %d: %s", i, users[i].error.text);
    assert_true(users[i].sum == users[0].sum);
  }
  return users[0].sum;
}

static vlm_engine *engine_of(int threads) {
  vlm_engine *engine;
  vlm_engine_opts opts = vlm_engine_opts_init();
  opts.threads = threads;
  FINE(vlm_engine_create(&engine, &opts, &error));
  return engine;
}

static void many_threads_open_one_file(void **state) {
  (void)state;
  (void)all_at_once(NULL, OPENERS, 2);
}

static void runners_share_an_engine(void **state) {
  vlm_engine *engine = engine_of(2);
  (void)state;
  (void)all_at_once(engine, SHARING, 50);
  vlm_engine_free(engine);
}

static long resident_kib(void) {
  long pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
  fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int descriptors(void) {
  int count = 0;
  DIR *entries = opendir("/proc/self/fd");
  for (; entries && readdir(entries);) count++;
  if (entries) closedir(entries);
  return count;
}

static void memory_and_descriptors_stay(void **state) {
  const char *given = getenv("VLMQ_SOAK_SECONDS");
  const time_t end = time(NULL) + (given ? atol(given) : 2);
  long warm = 0, rounds = 0;
  int open_files = 0;
  (void)state;
  for (; rounds <= WARM_ROUNDS || time(NULL) < end; rounds++) {
    vlm_engine *one = engine_of(1), *two = engine_of(2);
    const uint64_t sum = all_at_once(one, SHARING, 5);
    assert_true(sum == all_at_once(two, SHARING, 5) && sum == all_at_once(NULL, SHARING, 5));
    vlm_engine_free(one);
    vlm_engine_free(two);
    if (rounds != WARM_ROUNDS) continue;
    warm = resident_kib();
    open_files = descriptors();
  }
  print_message("%ld rounds, %ld KiB after %d of them, %ld KiB now\n", rounds, warm, WARM_ROUNDS,
                resident_kib());
  assert_int_equal(descriptors(), open_files);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed for a while */
  assert_in_range(resident_kib(), 0, warm + warm / 100 + 2048);
#endif
}

static int make_packed(void **state) {
  (void)state;
  pack_model(packed, GEMM, VLM_PACK_ZSTD);
  return 0;
}

static int remove_packed(void **state) {
  (void)state;
  return unlink(packed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(many_threads_open_one_file),
      cmocka_unit_test(runners_share_an_engine),
      cmocka_unit_test(memory_and_descriptors_stay),
  };
  return cmocka_run_group_tests(tests, make_packed, remove_packed);
}
