/* TopK and NonMaxSuppression: selections by score; equal scores keep the lower index first. */
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/sort.h"

/* ---- TopK ---- */

static vlm_status read_k(vlm_op_call *c, int axis, int64_t *k) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_scalar_int(c, 1, "K", vlm_arg_int(c, 3, -1), k));
  VLM_CHECK(*k >= 0 && *k <= c->in[0]->dims[axis], c->err, VLM_INPUT, "K is %lld, axis %d has %lld entries", (long long)*k, axis,
            (long long)c->in[0]->dims[axis]);
out:
  return st;
}

vlm_status vlm_infer_TopK(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor y = *c->in[0];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), y.rank, false, &axis));
  VLM_TRY(read_k(c, axis, &y.dims[axis]));
  vlm_out_shape(c, 0, y.dtype, y.rank, y.dims);
  vlm_out_shape(c, 1, VLM_S64, y.rank, y.dims);
out:
  return st;
}

typedef struct topk_row {
  const double *keys;    /* floats and small integers */
  const int64_t *ints;   /* 64-bit integers; NULL otherwise */
  bool largest;
} topk_row;

static bool ranks_after(const void *user, int64_t a, int64_t b) {
  const topk_row *r = user;
  if (r->ints) return r->largest ? r->ints[b] > r->ints[a] : r->ints[b] < r->ints[a];
  return r->largest ? r->keys[b] > r->keys[a] : r->keys[b] < r->keys[a];
}

/* Keeps the best k indices of a row of n in order; cheap when k is small. */
static void select_best(const topk_row *row, int64_t *best, int64_t k, int64_t n) {
  int64_t held = 0;
  for (int64_t i = 0; i < n; i++) {
    if (held == k && (k == 0 || !ranks_after(row, best[k - 1], i))) continue;
    int64_t at = held < k ? held++ : k - 1;
    while (at > 0 && ranks_after(row, best[at - 1], i)) {
      best[at] = best[at - 1];
      at--;
    }
    best[at] = i;
  }
}

static void rank_row(const topk_row *row, int64_t *index, int64_t *spare, int64_t k, int64_t n) {
  if (k <= 16) {
    select_best(row, index, k, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) index[i] = i;
  vlm_sort(index, spare, n, ranks_after, row);
}

vlm_status vlm_run_TopK(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t k, *index;
  double *keys;
  int axis;
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, false, &axis));
  VLM_TRY(read_k(c, axis, &k));
  int64_t n = x->dims[axis], inner = vlm_tensor_span(x, axis + 1, x->rank), rows = vlm_tensor_span(x, 0, axis) * inner;
  bool wide = x->dtype == VLM_S64 || x->dtype == VLM_U64;
  size_t item = (size_t)vlm_dtype_bits(x->dtype) / 8;
  VLM_TRY(vlm_scratch_new(c, &index, 3 * n));
  VLM_TRY(vlm_scratch_new(c, &keys, n));
  int64_t *ints = index + 2 * n;
  topk_row row = {.keys = keys, .ints = wide ? ints : NULL, .largest = vlm_arg_int(c, 1, 1) != 0};
  for (int64_t r = 0; r < rows; r++) {
    int64_t from = r / inner * n * inner + r % inner, to = r / inner * k * inner + r % inner;
    for (int64_t i = 0; i < n; i++) {
      if (wide) ints[i] = vlm_tensor_get_int(x, from + i * inner);
      else keys[i] = vlm_tensor_get(x, from + i * inner);
    }
    rank_row(&row, index, index + n, k, n);
    for (int64_t i = 0; i < k; i++) {
      if (vlm_out(c, 0)) memcpy((char *)c->out[0]->data + (size_t)(to + i * inner) * item,
                                (const char *)x->data + (size_t)(from + index[i] * inner) * item, item);
      if (vlm_out(c, 1)) ((int64_t *)c->out[1]->data)[to + i * inner] = index[i];
    }
  }
out:
  return st;
}

/* ---- NonMaxSuppression ---- */

typedef struct box {
  float y1, x1, y2, x2;
} box;

static box read_box(const float *b, bool center) {
  if (center) return (box){b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return (box){b[0] < b[2] ? b[0] : b[2], b[1] < b[3] ? b[1] : b[3], b[0] < b[2] ? b[2] : b[0], b[1] < b[3] ? b[3] : b[1]};
}

static float overlap(box a, box b) {
  float h = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1);
  float w = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1);
  if (h <= 0 || w <= 0) return 0;
  float both = h * w, all = (a.y2 - a.y1) * (a.x2 - a.x1) + (b.y2 - b.y1) * (b.x2 - b.x1) - both;
  return all > 0 ? both / all : 0;
}

typedef struct nms_opts {
  int64_t most;
  float iou, score;
  bool has_score, center;
} nms_opts;

static bool score_after(const void *user, int64_t a, int64_t b) {
  const float *scores = user;
  return scores[b] > scores[a];
}

/* How many of n boxes are kept; `work` has 3 n entries, the indices kept, best first, end up in its last n. */
static int64_t suppress(const nms_opts *o, const float *boxes, const float *scores, int64_t n, int64_t *work) {
  int64_t *order = work, *spare = work + n, *kept = work + 2 * n, candidates = 0, count = 0;
  for (int64_t i = 0; i < n; i++)
    if (!o->has_score || scores[i] > o->score) order[candidates++] = i;
  vlm_sort(order, spare, candidates, score_after, scores);
  for (int64_t i = 0; i < candidates && count < o->most; i++) {
    box b = read_box(boxes + order[i] * 4, o->center);
    bool free_place = true;
    for (int64_t k = 0; k < count && free_place; k++) free_place = overlap(b, read_box(boxes + kept[k] * 4, o->center)) <= o->iou;
    if (free_place) kept[count++] = order[i];
  }
  return count;
}

vlm_status vlm_run_NonMaxSuppression(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *b = c->in[0], *s = c->in[1];
  const float *boxes, *scores;
  int64_t *work, *found, total = 0;
  VLM_CHECK(b->rank == 3 && s->rank == 3 && b->dims[2] == 4 && b->dims[0] == s->dims[0] && b->dims[1] == s->dims[2], c->err, VLM_INPUT,
            "boxes and scores do not have the shapes [batch, n, 4] and [batch, classes, n]");
  int64_t n = b->dims[1], classes = s->dims[1], lists = s->dims[0] * classes;
  nms_opts o = {.has_score = vlm_in(c, 4) != NULL, .center = vlm_arg_int(c, 0, 0) != 0};
  double iou, low;
  VLM_TRY(vlm_scalar_int(c, 2, "max_output_boxes_per_class", 0, &o.most));
  VLM_TRY(vlm_scalar_real(c, 3, "iou_threshold", 0, &iou));
  VLM_TRY(vlm_scalar_real(c, 4, "score_threshold", 0, &low));
  o.iou = (float)iou;
  o.score = (float)low;
  VLM_TRY(vlm_as_f32(c, b, &boxes));
  VLM_TRY(vlm_as_f32(c, s, &scores));
  o.most = o.most < n ? o.most : n;
  int64_t room = o.most > 0 ? o.most * lists : 0;
  VLM_TRY(vlm_scratch_new(c, &work, 3 * n));
  VLM_TRY(vlm_scratch_new(c, &found, 3 * room));
  for (int64_t i = 0; i < lists && o.most > 0; i++) {
    int64_t *kept = work + 2 * n, count = suppress(&o, boxes + i / classes * n * 4, scores + i * n, n, work);
    for (int64_t k = 0; k < count; k++, total++) {
      int64_t row[3] = {i / classes, i % classes, kept[k]};
      memcpy(found + 3 * total, row, sizeof row);
    }
  }
  int64_t dims[2] = {total, 3};
  vlm_out_shape(c, 0, VLM_S64, 2, dims);
  VLM_TRY(c->allocate(c, 0));
  vlm_copy_some(c->out[0]->data, found, (size_t)total * 3 * sizeof *found);
out:
  return st;
}
