#include "runtime/base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "runtime/base/memory.h"

/* Workers spin for a short while after a region (most regions follow each other within microseconds, and a futex wake costs
 * 30 to 50 us in a virtual machine), then sleep on a condition variable. */
enum { SPIN_ROUNDS = 2000, MAX_THREADS = 256 };

typedef struct {
  struct vlm_threads *pool;
  int index;
  pthread_t thread;
} worker;

struct vlm_threads {
  int count; /* including the caller */
  worker *workers;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  atomic_uint generation; /* odd bits do not matter: any change starts a region */
  atomic_int pending;     /* workers that have not finished the region */
  atomic_bool stopping, busy;
  vlm_index_task *task;
  void *user;
  int64_t n;
  _Atomic int64_t next;
};

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void work(vlm_threads *pool, int index) {
  for (;;) {
    int64_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (i >= pool->n) return;
    pool->task(pool->user, i, index);
  }
}

static unsigned wait_for_region(vlm_threads *pool, unsigned seen) {
  for (int i = 0; i < SPIN_ROUNDS; i++) {
    unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
    if (now != seen) return now;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
  unsigned now = atomic_load(&pool->generation);
  pthread_mutex_unlock(&pool->lock);
  return now;
}

static void *worker_main(void *argument) {
  worker *self = argument;
  vlm_threads *pool = self->pool;
  for (unsigned seen = 0;;) {
    seen = wait_for_region(pool, seen);
    if (atomic_load(&pool->stopping)) return NULL;
    work(pool, self->index);
    atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_release);
  }
}

static void start_region(vlm_threads *pool) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->generation, 1);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

vlm_status vlm_threads_create(vlm_threads **out, int count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_threads *pool = NULL;
  if (count <= 0) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1) count = 1;
  if (count > MAX_THREADS) count = MAX_THREADS;
  VLM_TRY(vlm_alloc((void **)&pool, 1, sizeof *pool, err));
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pool->count = 1;
  VLM_TRY(vlm_alloc((void **)&pool->workers, (size_t)count, sizeof *pool->workers, err));
  for (int i = 1; i < count; i++) {
    pool->workers[i] = (worker){.pool = pool, .index = i};
    VLM_CHECK(pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) == 0, err, VLM_MEMORY,
              "thread %d of %d cannot be started; lower --threads", i + 1, count);
    pool->count = i + 1;
  }
out:
  if (st != VLM_OK) {
    vlm_threads_free(pool);
    pool = NULL;
  }
  *out = pool;
  return st;
}

void vlm_threads_free(vlm_threads *pool) {
  if (!pool) return;
  atomic_store(&pool->stopping, true);
  start_region(pool);
  for (int i = 1; i < pool->count; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->wake);
  vlm_free(pool->workers);
  vlm_free(pool);
}

int vlm_threads_count(const vlm_threads *pool) { return pool ? pool->count : 1; }

void vlm_threads_run(vlm_threads *pool, int64_t n, vlm_index_task *task, void *user) {
  bool idle = false;
  if (!pool || pool->count == 1 || n <= 1 || !atomic_compare_exchange_strong(&pool->busy, &idle, true)) {
    for (int64_t i = 0; i < n; i++) task(user, i, 0);
    return;
  }
  pool->task = task;
  pool->user = user;
  pool->n = n;
  atomic_store(&pool->next, 0);
  atomic_store(&pool->pending, pool->count - 1);
  start_region(pool);
  work(pool, 0);
  while (atomic_load_explicit(&pool->pending, memory_order_acquire) > 0) relax();
  atomic_store(&pool->busy, false);
}

typedef struct {
  int64_t n, grain;
  vlm_range_task *task;
  void *user;
} range_region;

static void range_chunk(void *user, int64_t index, int worker_index) {
  const range_region *r = user;
  int64_t begin = index * r->grain, end = begin + r->grain;
  r->task(r->user, begin, end < r->n ? end : r->n, worker_index);
}

void vlm_threads_range(vlm_threads *pool, int64_t n, int64_t grain, vlm_range_task *task, void *user) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  range_region region = {.n = n, .grain = grain, .task = task, .user = user};
  vlm_threads_run(pool, (n + grain - 1) / grain, range_chunk, &region);
}
