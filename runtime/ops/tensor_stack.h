/* A growing pile of tensors of one type and shape: what Loop and Scan collect, step by step. */
#ifndef VLM_OPS_TENSOR_STACK_H
#define VLM_OPS_TENSOR_STACK_H

#include "runtime/ops/op.h"

typedef struct vlm_stack {
  void *data;
  size_t used, room; /* bytes */
  int64_t count;     /* tensors */
  vlm_tensor item;   /* type and shape of each, once there is one */
} vlm_stack;

/* Copies the bytes of t behind the others. VLM_INPUT when its type or shape differs from the first. */
vlm_status vlm_stack_push(vlm_stack *s, const vlm_tensor *t, vlm_error *err);
/* The same with zeros in place of the bytes. */
vlm_status vlm_stack_push_zeros(vlm_stack *s, vlm_error *err);
void vlm_stack_free(vlm_stack *s);

#endif
