/* Packed forms of constant weights: made once per context, shared by all steps that want the same form, gone with the last of them.
 *
 * A form is known by everything that it is made of: the function that writes it, its sizes, and the inputs that the function reads. The function
 * sees nothing else, so a key cannot leave an input out. Whoever holds a form keeps its inputs in place (a graph outlives its sessions), so an
 * address cannot come to mean something else while a form is known under it. */
#ifndef VLM_OPS_WEIGHTS_H
#define VLM_OPS_WEIGHTS_H

#include "runtime/kernels/kernels.h"
#include "runtime/ops/op.h"

enum { VLM_FORM_SIZES = 10, VLM_FORM_INPUTS = 4 };

/* Writes the form into a 64-byte aligned block: from the sizes, from[i] = input number inputs[i] of the form (NULL = absent), and the kernels of
 * the context. */
typedef vlm_status vlm_weight_fill(void *block, const int64_t *sizes, const vlm_tensor *const *from,
                                   const vlm_kernels *kernels, vlm_error *err);

typedef struct vlm_weight_form {
  vlm_weight_fill *fill;
  int64_t
      sizes[VLM_FORM_SIZES];   /* whatever the result depends on beside the inputs, their types and shapes */
  int inputs[VLM_FORM_INPUTS]; /* inputs of the node */
  int n_inputs;
  size_t bytes; /* of the result */
} vlm_weight_form;

/* ---- the context's store ---- */

typedef struct vlm_weights vlm_weights;
typedef struct vlm_weight vlm_weight; /* one form; counted */

vlm_status vlm_weights_create(vlm_weights **out, vlm_error *err);
void vlm_weights_free(vlm_weights *weights); /* after every form was given back */
int64_t vlm_weights_count(vlm_weights *weights);

/* The form made of these tensors: found, or made. Thread-safe. Give it back with vlm_weight_give. */
vlm_status vlm_weights_take(vlm_weights *weights, vlm_weight **out, const vlm_weight_form *form,
                            const vlm_tensor *const *from, const vlm_kernels *kernels, vlm_error *err);
/* The form if it is there, else NULL. */
vlm_weight *vlm_weights_find(vlm_weights *weights, const vlm_weight_form *form,
                             const vlm_tensor *const *from);
/* One holder more. */
void vlm_weight_hold(vlm_weight *weight);
void vlm_weight_give(vlm_weight *weight);
bool vlm_weight_is(const vlm_weight *weight, const vlm_weight_form *form, const vlm_tensor *const *from);
const void *vlm_weight_block(const vlm_weight *weight);

#endif
