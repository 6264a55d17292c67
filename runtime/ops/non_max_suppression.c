/* NonMaxSuppression: boxes by score, without those that overlap a better one; equal scores keep the lower index first. */
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/sort.h"
#include "runtime/ops/values.h"

typedef struct box {
  float y1, x1, y2, x2;
} box;

static box read_box(const float *b, bool center) {
  if (center) return (box){b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return (box){b[0] < b[2] ? b[0] : b[2], b[1] < b[3] ? b[1] : b[3], b[0] < b[2] ? b[2] : b[0],
               b[1] < b[3] ? b[3] : b[1]};
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
static int64_t suppress(const nms_opts *o, const float *boxes, const float *scores, int64_t n,
                        int64_t *work) {
  int64_t *order = work, *spare = work + n, *kept = work + 2 * n, candidates = 0, count = 0;
  for (int64_t i = 0; i < n; i++)
    if (!o->has_score || scores[i] > o->score) order[candidates++] = i;
  vlm_sort(order, spare, candidates, score_after, scores);
  for (int64_t i = 0; i < candidates && count < o->most; i++) {
    box b = read_box(boxes + order[i] * 4, o->center);
    bool free_place = true;
    for (int64_t k = 0; k < count && free_place; k++)
      free_place = overlap(b, read_box(boxes + kept[k] * 4, o->center)) <= o->iou;
    if (free_place) kept[count++] = order[i];
  }
  return count;
}

typedef struct {
  bool center, has_score;
  int64_t n, classes, lists;
  vlm_values boxes, scores;
  size_t work; /* n in order, n spare, n kept */
} nms_state;

vlm_status vlm_prepare_NonMaxSuppression(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  nms_state *s;
  const vlm_tensor *b = c->in[0], *t = c->in[1];
  VLM_CHECK(
      b->rank == 3 && t->rank == 3 && b->dims[2] == 4 && b->dims[0] == t->dims[0] && b->dims[1] == t->dims[2],
      c->err, VLM_INPUT, "boxes and scores do not have the shapes [batch, n, 4] and [batch, classes, n]");
  VLM_TRY(vlm_op_state_new(c, &s));
  s->center = vlm_arg_int(c, 0, 0) != 0;
  s->has_score = vlm_in(c, 4) != NULL;
  s->n = b->dims[1];
  s->classes = t->dims[1];
  s->lists = t->dims[0] * s->classes;
  VLM_TRY(vlm_floats_prepare(c, &s->boxes, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->scores, 1));
  VLM_TRY(vlm_op_reserve(c, &s->work, 3 * s->n, sizeof(int64_t)));
out:
  return st;
}

static vlm_status read_limits(vlm_op_call *c, const nms_state *s, nms_opts *o) {
  vlm_status st = VLM_OK;
  double iou, low;
  VLM_TRY(vlm_scalar_int(c, 2, "max_output_boxes_per_class", 0, &o->most));
  VLM_TRY(vlm_scalar_real(c, 3, "iou_threshold", 0, &iou));
  VLM_TRY(vlm_scalar_real(c, 4, "score_threshold", 0, &low));
  *o = (nms_opts){.most = o->most < s->n ? o->most : s->n,
                  .iou = (float)iou,
                  .score = (float)low,
                  .has_score = s->has_score,
                  .center = s->center};
out:
  return st;
}

/* Rows [batch, class, box] of every list; returns their number. */
static int64_t collect(const vlm_op_call *c, const nms_state *s, const nms_opts *o, int64_t *found) {
  const float *boxes = vlm_values_get(c, &s->boxes), *scores = vlm_values_get(c, &s->scores);
  int64_t *work = vlm_op_work(c, s->work), *kept = work + 2 * s->n, total = 0;
  for (int64_t i = 0; i < s->lists && o->most > 0; i++) {
    int64_t count = suppress(o, boxes + i / s->classes * s->n * 4, scores + i * s->n, s->n, work);
    for (int64_t k = 0; k < count; k++, total++) {
      const int64_t row[3] = {i / s->classes, i % s->classes, kept[k]};
      memcpy(found + 3 * total, row, sizeof row);
    }
  }
  return total;
}

/* How many there can be is a value, so the list of what is found is taken when it runs. */
vlm_status vlm_run_NonMaxSuppression(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const nms_state *s = c->state;
  nms_opts o = {.most = 0};
  int64_t *found;
  VLM_TRY(read_limits(c, s, &o));
  VLM_TRY(vlm_scratch_new(c, &found, o.most > 0 ? 3 * o.most * s->lists : 0));
  int64_t total = collect(c, s, &o, found);
  const int64_t dims[2] = {total, 3};
  vlm_out_shape(c, 0, VLM_S64, 2, dims);
  VLM_TRY(c->allocate(c, 0));
  vlm_copy_some(c->out[0]->data, found, (size_t)total * 3 * sizeof *found);
out:
  return st;
}
