/* Blocks that are filled when somebody wants them and empty when nobody does: weights that lie compressed in a file.
 *
 * The address of a block never changes, so it can stand in a tensor; its bytes may be read between take and give only. Reading at another time
 * ends the process: a wrong number would be worse. */
#ifndef VLM_BASE_LAZY_H
#define VLM_BASE_LAZY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_lazy vlm_lazy;

/* Writes block number i. Called under a lock. */
typedef vlm_status vlm_lazy_fill(void *user, int32_t i, void *block, vlm_error *err);

vlm_status vlm_lazy_create(vlm_lazy **out, const size_t *bytes, int32_t count, vlm_lazy_fill *fill,
                           void *user, vlm_error *err);
void vlm_lazy_free(vlm_lazy *lazy);
void *vlm_lazy_block(const vlm_lazy *lazy, int32_t i);

/* All of these: lazy may be NULL, and data may be any address; nothing is done for what is no block. Thread-safe. */
bool vlm_lazy_holds(const vlm_lazy *lazy, const void *data);
vlm_status vlm_lazy_take(vlm_lazy *lazy, const void *data, vlm_error *err);
void vlm_lazy_give(vlm_lazy *lazy, const void *data);

/* Bytes of blocks that are filled now. */
size_t vlm_lazy_filled(vlm_lazy *lazy);

#endif
