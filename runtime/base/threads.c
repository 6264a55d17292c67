#include "runtime/base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "runtime/base/memory.h"

/* Workers spin for a short while after a region (most regions follow each other within microseconds, and a futex wake costs
 * 30 to 50 us in a virtual machine), then sleep on a condition variable. A waiting caller lets others run after a while. */
enum { SPIN_ROUNDS = 2000, MAX_THREADS = 256 };
#define CLOSED UINT32_MAX /* index of a region that takes no claims */

typedef struct {
  struct vlm_threads *pool;
  int index;
  pthread_t thread;
} worker;

/* A region is `n` items. Threads claim them by counting the ticket up; the caller waits for the items, not for the workers: one that is
 * asleep, or not on a core, holds nobody up and finds the region gone when it comes. So whoever claims must know that task, user and n
 * belong to the ticket: they change only between closing a ticket and opening the next, and a claim fails when the ticket has changed. */
struct vlm_threads {
  int count; /* including the caller */
  worker *workers;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  _Atomic uint64_t ticket; /* generation << 32 | next index */
  atomic_int sleepers;
  atomic_bool stopping, busy;
  _Atomic(vlm_index_task *) task;
  _Atomic(void *) user;
  _Atomic uint32_t n;
  _Atomic uint32_t done; /* items finished */
};

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static uint32_t generation_of(uint64_t ticket) { return (uint32_t)(ticket >> 32); }

/* Claims and runs items of the region that is open, if any. */
static void work(vlm_threads *pool, int index) {
  uint64_t ticket = atomic_load(&pool->ticket);
  for (;;) {
    vlm_index_task *task = atomic_load_explicit(&pool->task, memory_order_acquire);
    void *user = atomic_load_explicit(&pool->user, memory_order_acquire);
    uint32_t n = atomic_load_explicit(&pool->n, memory_order_acquire), item = (uint32_t)ticket;
    if (item == CLOSED || item >= n) return;
    if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1)) continue;
    task(user, item, index);
    atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
    ticket++;
  }
}

static void wait_for_region(vlm_threads *pool, uint32_t seen) {
  for (int i = 0; i < SPIN_ROUNDS; i++) {
    if (generation_of(atomic_load(&pool->ticket)) != seen) return;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  while (generation_of(atomic_load(&pool->ticket)) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *argument) {
  worker *self = argument;
  vlm_threads *pool = self->pool;
  for (uint32_t seen = 0; !atomic_load(&pool->stopping); seen = generation_of(atomic_load(&pool->ticket))) {
    work(pool, self->index);
    wait_for_region(pool, seen);
  }
  return NULL;
}

/* Nobody claims from here on: task, user and n may change. Workers that wait go on waiting. */
static void close_ticket(vlm_threads *pool) {
  atomic_store(&pool->ticket, atomic_load(&pool->ticket) | CLOSED);
}

/* A new generation: workers stop waiting. */
static void open_ticket(vlm_threads *pool, uint32_t first) {
  uint64_t next = (uint64_t)generation_of(atomic_load(&pool->ticket)) + 1;
  atomic_store(&pool->ticket, next << 32 | first);
}

static void wake_sleepers(vlm_threads *pool) {
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->lock);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

vlm_status vlm_threads_create(vlm_threads **out, int count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_threads *pool = NULL;
  if (count <= 0) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1) count = 1;
  if (count > MAX_THREADS) count = MAX_THREADS;
  VLM_TRY(vlm_new(&pool, 1, err));
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pool->count = 1;
  close_ticket(pool);
  VLM_TRY(vlm_new(&pool->workers, count, err));
  for (int i = 1; i < count; i++) {
    pool->workers[i] = (worker){.pool = pool, .index = i};
    VLM_CHECK(pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) == 0, err,
              VLM_MEMORY, "thread %d of %d cannot be started; lower --threads", i + 1, count);
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
  open_ticket(pool, CLOSED);
  wake_sleepers(pool);
  for (int i = 1; i < pool->count; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->wake);
  vlm_free(pool->workers);
  vlm_free(pool);
}

int vlm_threads_count(const vlm_threads *pool) { return pool ? pool->count : 1; }

static void run_region(vlm_threads *pool, uint32_t n, vlm_index_task *task, void *user) {
  close_ticket(pool);
  atomic_store_explicit(&pool->task, task, memory_order_release);
  atomic_store_explicit(&pool->user, user, memory_order_release);
  atomic_store_explicit(&pool->n, n, memory_order_release);
  atomic_store(&pool->done, 0);
  open_ticket(pool, 0);
  wake_sleepers(pool);
  work(pool, 0);
  for (int i = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < n; i++)
    if (i < SPIN_ROUNDS) relax();
    else sched_yield();
}

void vlm_threads_run(vlm_threads *pool, int64_t n, vlm_index_task *task, void *user) {
  bool idle = false;
  bool alone = !pool || pool->count == 1 || n <= 1 || n >= CLOSED;
  if (alone || !atomic_compare_exchange_strong(&pool->busy, &idle, true)) {
    for (int64_t i = 0; i < n; i++) task(user, i, 0);
    return;
  }
  run_region(pool, (uint32_t)n, task, user);
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

/* ---- lock ---- */

struct vlm_lock {
  pthread_mutex_t mutex;
};

vlm_status vlm_lock_create(vlm_lock **out, vlm_error *err) {
  vlm_status st = vlm_new(out, 1, err);
  if (st == VLM_OK) pthread_mutex_init(&(*out)->mutex, NULL);
  return st;
}

void vlm_lock_free(vlm_lock *lock) {
  if (!lock) return;
  pthread_mutex_destroy(&lock->mutex);
  vlm_free(lock);
}

void vlm_lock_take(vlm_lock *lock) { pthread_mutex_lock(&lock->mutex); }
void vlm_lock_give(vlm_lock *lock) { pthread_mutex_unlock(&lock->mutex); }
