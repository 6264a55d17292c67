#include "quant/weight_store.h"

#include <string.h>

#include "quant/weight_round.h"

typedef struct kept_weight {
  struct kept_weight *next;
  vlm_tensor source;
  int32_t axis;
  bool rows;
  vlm_weight_s8 weight;
} kept_weight;

struct vlm_weight_store {
  int owners;
  vlm_weight_opts opts;
  const vlm_covariances *inputs;
  vlm_arena *arena;
  kept_weight *first;
};

vlm_status vlm_weight_store_create(vlm_weight_store **out, const vlm_weight_opts *opts,
                                   const vlm_covariances *inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_weight_store *store = NULL;
  *out = NULL;
  VLM_TRY(vlm_new(&store, 1, err));
  store->owners = 1;
  store->opts = *opts;
  store->inputs = inputs;
  VLM_TRY(vlm_arena_create(&store->arena, err));
  *out = store;
out:
  if (st != VLM_OK) vlm_free(store);
  return st;
}

vlm_weight_store *vlm_weight_store_share(vlm_weight_store *store) {
  store->owners++;
  return store;
}

void vlm_weight_store_release(void *owned) {
  vlm_weight_store *store = owned;
  if (!store || --store->owners > 0) return;
  vlm_arena_free(store->arena);
  vlm_free(store);
}

bool vlm_weight_has_rows(const vlm_tensor *w, int32_t axis) { return axis == w->rank - 2; }

static const kept_weight *find(const vlm_weight_store *store, const vlm_tensor *w, int32_t axis, bool rows) {
  const kept_weight *e = store->first;
  for (; e; e = e->next)
    if (e->source.data == w->data && e->source.dtype == w->dtype && e->axis == axis && e->rows == rows &&
        vlm_tensor_same_shape(&e->source, w))
      break;
  return e;
}

/* The last two dims change places. */
static vlm_status turn(vlm_tensor *t, vlm_arena *arena, vlm_error *err) {
  int8_t *turned;
  const int8_t *from = t->data;
  int64_t rows = t->dims[t->rank - 2], columns = t->dims[t->rank - 1],
          blocks = vlm_tensor_span(t, 0, t->rank - 2);
  vlm_status st = vlm_arena_new(arena, &turned, (size_t)vlm_tensor_count(t), err);
  if (st != VLM_OK) return st;
  for (int64_t b = 0; b < blocks; b++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < columns; j++)
        turned[(b * columns + j) * rows + i] = from[(b * rows + i) * columns + j];
  t->dims[t->rank - 2] = columns;
  t->dims[t->rank - 1] = rows;
  t->data = turned;
  return VLM_OK;
}

/* The rows of a weight that is known by its columns are these turned: nothing is rounded twice. */
static vlm_status make_rows(kept_weight *e, vlm_weight_store *store, vlm_error *err) {
  const vlm_weight_s8 *columns;
  vlm_status st = vlm_weight_store_get(&columns, store, &e->source, e->axis, false, err);
  if (st != VLM_OK) return st;
  e->weight = *columns;
  if (vlm_weight_has_rows(&e->source, e->axis)) return VLM_OK;
  e->weight.axis = e->source.rank - 2;
  return turn(&e->weight.data, store->arena, err);
}

static vlm_status make(kept_weight *e, vlm_weight_store *store, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor wide = e->source;
  vlm_weight_opts opts = store->opts;
  float *values = NULL;
  opts.per_tensor |= e->axis < 0;
  if (wide.dtype != VLM_F32) {
    VLM_TRY(vlm_new(&values, vlm_tensor_count(&wide), err));
    for (int64_t i = 0, n = vlm_tensor_count(&wide); i < n; i++)
      values[i] = (float)vlm_tensor_get(&e->source, i);
    wide.dtype = VLM_F32;
    wide.data = values;
  }
  VLM_TRY(vlm_weight_quantize(&e->weight, &wide, e->axis < 0 ? 0 : e->axis, &opts, store->arena, err));
  if (e->axis < 0) e->weight.scale.rank = 0;
  const vlm_covariance *inputs = e->axis < 0 ? NULL : vlm_covariances_find(store->inputs, &e->source);
  if (inputs) VLM_TRY(vlm_weight_round(&e->weight, &wide, inputs, opts.threads, err));
out:
  vlm_free(values);
  return st;
}

vlm_status vlm_weight_store_get(const vlm_weight_s8 **out, vlm_weight_store *store, const vlm_tensor *w,
                                int32_t axis, bool rows, vlm_error *err) {
  vlm_status st = VLM_OK;
  kept_weight *made;
  const kept_weight *known = find(store, w, axis, rows);
  if (known) {
    *out = &known->weight;
    return VLM_OK;
  }
  VLM_CHECK(!rows || (axis >= 0 && axis >= w->rank - 2), err, VLM_INTERNAL, "axis %d of rank %d has no rows",
            axis, w->rank);
  VLM_TRY(vlm_arena_new(store->arena, &made, 1, err));
  *made = (kept_weight){.source = *w, .axis = axis, .rows = rows};
  VLM_TRY(rows ? make_rows(made, store, err) : make(made, store, err));
  made->next = store->first;
  store->first = made;
  *out = &made->weight;
out:
  return st;
}
