/* A pool of worker threads that runs one parallel region at a time.
 * Work is split by index, never by thread count, so results do not depend on the number of threads. */
#ifndef VLM_BASE_THREADS_H
#define VLM_BASE_THREADS_H

#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_threads vlm_threads;

/* count 0 = one per online CPU. */
vlm_status vlm_threads_create(vlm_threads **out, int count, vlm_error *err);
void vlm_threads_free(vlm_threads *threads);
int vlm_threads_count(const vlm_threads *threads);

/* Calls task(user, i, worker) for each i in [0, n), in any order, on any worker in [0, count). Returns when all are done.
 * A nested call runs inline. threads NULL = inline. */
typedef void vlm_index_task(void *user, int64_t index, int worker);
void vlm_threads_run(vlm_threads *threads, int64_t n, vlm_index_task *task, void *user);

/* Splits [0, n) into chunks of `grain` (last may be shorter): task(user, begin, end, worker). */
typedef void vlm_range_task(void *user, int64_t begin, int64_t end, int worker);
void vlm_threads_range(vlm_threads *threads, int64_t n, int64_t grain, vlm_range_task *task, void *user);

/* One holder at a time. */
typedef struct vlm_lock vlm_lock;
vlm_status vlm_lock_create(vlm_lock **out, vlm_error *err);
void vlm_lock_free(vlm_lock *lock);
void vlm_lock_take(vlm_lock *lock);
void vlm_lock_give(vlm_lock *lock);

#endif
