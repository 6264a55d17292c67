/* Weights that stay compressed in the mapped file until a session wants them. */
#ifndef VLM_PACK_LAZY_WEIGHTS_H
#define VLM_PACK_LAZY_WEIGHTS_H

#include "pack/tensors.h"
#include "runtime/base/file.h"
#include "runtime/base/lazy.h"

typedef struct vlm_lazy_weights vlm_lazy_weights;

/* Chooses the tensors and sets their data; the others' stays NULL. `stored` is the section in `mapping`, and both live longer; nothing of the
 * table is kept. `file` is for messages, copied. */
vlm_status vlm_lazy_weights_create(vlm_lazy_weights **out, vlm_tensor_table *table, const vlm_file *mapping,
                                   const unsigned char *stored, size_t stored_bytes, const char *file,
                                   vlm_error *err);
void vlm_lazy_weights_free(vlm_lazy_weights *weights);
vlm_lazy *vlm_lazy_weights_blocks(const vlm_lazy_weights *weights); /* NULL for NULL */

#endif
