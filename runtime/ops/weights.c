#include "runtime/ops/weights.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/pages.h"

enum { BUCKETS = 512 };

struct vlm_weight {
  vlm_weights *home;
  vlm_weight *next; /* in its bucket */
  vlm_weight_form form;
  vlm_tensor from[VLM_FORM_INPUTS];
  int64_t holders;
  void *block;
};

struct vlm_weights {
  vlm_lock *lock;
  int64_t count;
  vlm_weight *buckets[BUCKETS];
};

vlm_status vlm_weights_create(vlm_weights **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_weights *weights = NULL;
  VLM_TRY(vlm_new(&weights, 1, err));
  VLM_TRY(vlm_lock_create(&weights->lock, err));
out:
  if (st != VLM_OK) {
    vlm_free(weights);
    weights = NULL;
  }
  *out = weights;
  return st;
}

void vlm_weights_free(vlm_weights *weights) {
  if (!weights) return;
  assert(weights->count == 0);
  vlm_lock_free(weights->lock);
  vlm_free(weights);
}

int64_t vlm_weights_count(vlm_weights *weights) {
  vlm_lock_take(weights->lock);
  int64_t count = weights->count;
  vlm_lock_give(weights->lock);
  return count;
}

static vlm_tensor tensor_or_none(const vlm_tensor *t) { return t ? *t : (vlm_tensor){0}; }

static bool same_tensor(const vlm_tensor *a, const vlm_tensor *b) {
  return a->data == b->data && a->dtype == b->dtype && vlm_tensor_same_shape(a, b);
}

bool vlm_weight_is(const vlm_weight *w, const vlm_weight_form *form, const vlm_tensor *const *from) {
  bool same = w->form.fill == form->fill && w->form.n_inputs == form->n_inputs &&
              w->form.bytes == form->bytes && memcmp(w->form.sizes, form->sizes, sizeof form->sizes) == 0;
  for (int i = 0; same && i < form->n_inputs; i++) {
    vlm_tensor t = tensor_or_none(from[i]);
    same = same_tensor(&w->from[i], &t);
  }
  return same;
}

const void *vlm_weight_block(const vlm_weight *weight) { return weight->block; }

static vlm_weight **bucket_of(vlm_weights *weights, const void *data) {
  return &weights->buckets[((uintptr_t)data >> 4) * 0x9e3779b9u % BUCKETS];
}

enum {
  OWN_PAGES = 1 << 16
}; /* bytes: from here on a form has pages of its own, which go back to the system with it */

static vlm_status take_block(void **out, size_t bytes, vlm_error *err) {
  if (bytes < OWN_PAGES) return vlm_alloc(out, bytes, 1, err);
  vlm_status st = vlm_pages_take(out, bytes, err);
  if (st == VLM_OK) vlm_pages_all_used(*out, bytes);
  return st;
}

static void give_block(void *block, size_t bytes) {
  if (bytes < OWN_PAGES) vlm_free(block);
  else vlm_pages_free(block, bytes);
}

static vlm_status make_weight(vlm_weight **out, const vlm_weight_form *form, const vlm_tensor *const *from,
                              const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_weight *w = NULL;
  VLM_TRY(vlm_new(&w, 1, err));
  w->form = *form;
  for (int i = 0; i < form->n_inputs; i++) w->from[i] = tensor_or_none(from[i]);
  VLM_TRY(take_block(&w->block, form->bytes, err));
  VLM_TRY(form->fill(w->block, form->sizes, from, kernels, err));
out:
  if (st != VLM_OK && w) {
    give_block(w->block, form->bytes);
    vlm_free(w);
    w = NULL;
  }
  *out = w;
  return st;
}

vlm_status vlm_weights_take(vlm_weights *weights, vlm_weight **out, const vlm_weight_form *form,
                            const vlm_tensor *const *from, const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_weight **bucket = bucket_of(weights, from[0]->data), *w;
  vlm_lock_take(weights->lock);
  for (w = *bucket; w && !vlm_weight_is(w, form, from);) w = w->next;
  if (!w) {
    VLM_TRY(make_weight(&w, form, from, kernels, err));
    w->home = weights;
    w->next = *bucket;
    *bucket = w;
    weights->count++;
  }
  w->holders++;
out:
  vlm_lock_give(weights->lock);
  *out = w;
  return st;
}

vlm_weight *vlm_weights_find(vlm_weights *weights, const vlm_weight_form *form,
                             const vlm_tensor *const *from) {
  vlm_lock_take(weights->lock);
  vlm_weight *w = *bucket_of(weights, from[0]->data);
  while (w && !vlm_weight_is(w, form, from)) w = w->next;
  if (w) w->holders++;
  vlm_lock_give(weights->lock);
  return w;
}

void vlm_weight_hold(vlm_weight *w) {
  vlm_lock_take(w->home->lock);
  w->holders++;
  vlm_lock_give(w->home->lock);
}

void vlm_weight_give(vlm_weight *w) {
  if (!w) return;
  vlm_weights *home = w->home;
  vlm_lock_take(home->lock);
  bool last = --w->holders == 0;
  if (last) {
    vlm_weight **at = bucket_of(home, w->from[0].data);
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    home->count--;
  }
  vlm_lock_give(home->lock);
  if (!last) return;
  give_block(w->block, w->form.bytes);
  vlm_free(w);
}
