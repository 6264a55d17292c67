#include "runtime/ops/packed.h"

#include <string.h>

#include "runtime/base/lazy.h"
#include "runtime/base/memory.h"
#include "runtime/ops/op_data.h"

void vlm_op_binding_release(vlm_op_binding *b) {
  for (int32_t i = 0; i < b->n_held; i++) vlm_weight_give(b->held[i]);
  b->n_held = b->used_held = 0;
}

static void list_inputs(const vlm_op_call *c, const vlm_weight_form *form, const vlm_tensor **from) {
  for (int i = 0; i < form->n_inputs; i++) from[i] = vlm_in(c, form->inputs[i]);
}

/* Place number used_held of the step's list. */
static vlm_status hold(vlm_op_binding *b, vlm_weight *weight, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (b->used_held == b->cap_held) {
    struct vlm_weight **more;
    int32_t wanted = b->cap_held ? 2 * b->cap_held : 1;
    VLM_TRY(vlm_arena_new(b->arena, &more, wanted, err));
    if (b->n_held) memcpy(more, b->held, (size_t)b->n_held * sizeof *b->held);
    b->held = more;
    b->cap_held = wanted;
  }
  if (b->used_held == b->n_held) b->n_held++;
  else vlm_weight_give(b->held[b->used_held]);
  b->held[b->used_held++] = weight;
out:
  return st;
}

/* While the inputs are in memory. */
static vlm_status make_held(vlm_op_call *c, vlm_weight **out, const vlm_weight_form *form,
                            const vlm_tensor *const *from) {
  vlm_status st = VLM_OK;
  struct vlm_lazy *lazy = c->binding->lazy;
  int held = 0;
  for (; held < form->n_inputs; held++)
    VLM_TRY(vlm_lazy_take(lazy, from[held] ? from[held]->data : NULL, c->err));
  VLM_TRY(vlm_weights_take(c->binding->weights, out, form, from, c->kernels, c->err));
out:
  for (int i = 0; i < held; i++) vlm_lazy_give(lazy, from[i] ? from[i]->data : NULL);
  return st;
}

/* Constants that are gone cannot be packed in another way. */
static vlm_status take(vlm_op_call *c, vlm_weight **out, const vlm_weight_form *form,
                       const vlm_tensor *const *from) {
  vlm_status st = VLM_OK;
  const vlm_op_binding *b = c->binding;
  bool gone = false;
  for (int i = 0; b->owner && i < form->n_inputs; i++)
    gone |= from[i] && b->owner->is_gone(b->owner->user, from[i]->data);
  *out = vlm_weights_find(b->weights, form, from);
  if (*out) return VLM_OK;
  if (!gone) return make_held(c, out, form, from);
  VLM_CHECK(*out, c->err, VLM_INTERNAL, "the weights were let go after they were packed in another form");
out:
  return st;
}

static void mark_packed(const vlm_op_call *c, const vlm_weight_form *form) {
  for (int i = 0; c->binding->packed && i < form->n_inputs; i++)
    if (vlm_in(c, form->inputs[i])) c->binding->packed[form->inputs[i]] = true;
}

/* The step will not read these inputs again. */
static vlm_status tell_owner(vlm_op_call *c, const vlm_weight_form *form, vlm_weight *weight) {
  vlm_status st = VLM_OK;
  const vlm_weight_owner *owner = c->binding->owner;
  for (int i = 0; owner && i < form->n_inputs; i++)
    if (vlm_in(c, form->inputs[i]))
      VLM_TRY(owner->packed(owner->user, c->node, form->inputs[i], weight, c->err));
out:
  return st;
}

static bool inputs_last(const vlm_op_call *c, const vlm_weight_form *form, const vlm_tensor *const *from) {
  bool lasting = c->binding->weights != NULL;
  for (int i = 0; i < form->n_inputs; i++)
    lasting = lasting && (!from[i] || vlm_op_lasts(c, form->inputs[i]));
  return lasting;
}

/* The form that the step held the last time, or one of the context. */
static vlm_status hold_form(vlm_op_call *c, const void **block, const vlm_weight_form *form,
                            const vlm_tensor *const *from) {
  vlm_status st = VLM_OK;
  vlm_op_binding *b = c->binding;
  vlm_weight *weight = NULL;
  if (b->used_held < b->n_held && vlm_weight_is(b->held[b->used_held], form, from)) {
    *block = vlm_weight_block(b->held[b->used_held++]);
    mark_packed(c, form);
    goto out;
  }
  VLM_TRY(take(c, &weight, form, from));
  *block = vlm_weight_block(weight);
  st = hold(b, weight, c->err);
  if (st != VLM_OK) vlm_weight_give(weight);
  VLM_TRY(st);
  mark_packed(c, form);
  VLM_TRY(tell_owner(c, form, weight));
out:
  return st;
}

vlm_status vlm_op_pack(vlm_op_call *c, vlm_packed *packed, const vlm_weight_form *form) {
  const vlm_tensor *from[VLM_FORM_INPUTS];
  *packed = (vlm_packed){.form = *form};
  list_inputs(c, form, from);
  if (inputs_last(c, form, from)) return hold_form(c, &packed->block, form, from);
  return vlm_op_reserve(c, &packed->at, (int64_t)form->bytes, 1);
}

vlm_status vlm_op_packed(vlm_op_call *c, const vlm_packed *packed, const void **out) {
  const vlm_tensor *from[VLM_FORM_INPUTS];
  *out = packed->block;
  if (packed->block) return VLM_OK;
  void *block = vlm_op_work(c, packed->at);
  list_inputs(c, &packed->form, from);
  *out = block;
  return packed->form.fill(block, packed->form.sizes, from, c->kernels, c->err);
}
