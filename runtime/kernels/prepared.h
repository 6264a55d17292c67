/* Packed weights, made once per constant and shared by every session of a context.
 *
 * An entry belongs to the bytes of one constant. The constant must keep its address and content while sessions use it; as a guard against
 * an address that is used again by another graph, a fingerprint of sampled bytes is compared at every hit and the entry made anew when it
 * differs. */
#ifndef VLM_KERNELS_PREPARED_H
#define VLM_KERNELS_PREPARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_prepared vlm_prepared;

typedef enum vlm_prepared_kind {
  VLM_PREPARED_PANELS_F32,
  VLM_PREPARED_PANELS_Q8,
  VLM_PREPARED_PANELS_W8,
  VLM_PREPARED_FLOATS
} vlm_prepared_kind;

typedef struct vlm_prepared_key {
  const void *data; /* the constant */
  size_t bytes; /* its size, for the fingerprint */
  vlm_prepared_kind kind;
  int64_t shape[5]; /* whatever else the result depends on (sizes, strides, flags) */
} vlm_prepared_key;

/* Makes the packed form: *out becomes one block from vlm_alloc. */
typedef vlm_status vlm_prepared_make(void **out, void *user, vlm_error *err);

vlm_status vlm_prepared_create(vlm_prepared **out, vlm_error *err);
void vlm_prepared_free(vlm_prepared *cache);
/* The block for `key`, made by `make(user)` when it is not there yet. Owned by the cache, valid until clear or free. Thread-safe. */
vlm_status vlm_prepared_get(vlm_prepared *cache, const vlm_prepared_key *key, vlm_prepared_make *make, void *user, const void **out,
                            vlm_error *err);
/* Forgets everything. Only when no session of the context runs. */
void vlm_prepared_clear(vlm_prepared *cache);
int64_t vlm_prepared_count(vlm_prepared *cache);

#endif
