/* Private to exec/: steps hold the lazy constants (lazy.h) that they read while they run. What is packed is held while it is packed only, so
 * a weight lies in memory once, as the kernel wants it. */
#ifndef VLM_EXEC_BORROW_H
#define VLM_EXEC_BORROW_H

#include "runtime/exec/plan.h"

/* Before the step is prepared: everything that its node reads, but for inputs that an earlier plan has packed. */
vlm_status vlm_step_take(vlm_step *step, const vlm_plan_request *request, vlm_error *err);
/* After it was: gives back what is packed now, takes what is not packed after all, and notes it for later plans. */
vlm_status vlm_step_settle(vlm_step *step, const vlm_plan_request *request, vlm_error *err);
/* A step that was prepared when it was reached: gives back what is packed. */
void vlm_step_give_packed(vlm_step *step, vlm_lazy *lazy);
void vlm_step_give_all(vlm_step *step, vlm_lazy *lazy);

/* Holds the constants among `count` tensors (NULL allowed) for a while; *held = how many have to be given back, on failure too. */
vlm_status vlm_tensors_take(vlm_lazy *lazy, const vlm_tensor *const *tensors, int32_t count, int32_t *held,
                            vlm_error *err);
void vlm_tensors_give(vlm_lazy *lazy, const vlm_tensor *const *tensors, int32_t held);

#endif
