#include "eval/output_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  REACH = 512
}; /* rows further away than this are not the same object, and looking at all would be quadratic */

/* ---- floats ---- */

/* A row of floats is found again with 20 dB or more. */
static bool is_same_row(const vlm_sqnr *row) { return !row->lost && row->noise <= 0.01 * row->signal; }

typedef struct {
  const float *rows;
  int64_t count, width;
} float_rows;

/* A scalar is one row; without a last axis of several values each element is one. */
static float_rows rows_of(const vlm_tensor *t, const float *values) {
  const int64_t n = vlm_tensor_count(t), width = t->rank > 1 ? t->dims[t->rank - 1] : 1;
  return (float_rows){values, width ? n / width : 0, width};
}

static vlm_sqnr compare_rows(const float_rows *a, int64_t i, const float_rows *b, int64_t j) {
  vlm_sqnr s = {0};
  vlm_sqnr_add(&s, a->rows + i * a->width, b->rows + j * b->width, a->width);
  return s;
}

static void add_sqnr(vlm_sqnr *sum, const vlm_sqnr *more) {
  sum->signal += more->signal;
  sum->noise += more->noise;
  sum->lost += more->lost;
  sum->count += more->count;
}

static void in_place(vlm_output_match *m, const float_rows *a, const float_rows *b) {
  for (int64_t i = 0; i < a->count; i++) {
    const vlm_sqnr row = compare_rows(a, i, b, i);
    add_sqnr(&m->sqnr, &row);
    m->matched += is_same_row(&row);
  }
  m->items += a->count;
}

/* The free row of b that is nearest to row i of a; -1 when none is the same. */
static int64_t nearest(vlm_sqnr *best, const float_rows *a, int64_t i, const float_rows *b,
                       const bool *taken) {
  int64_t found = -1;
  const int64_t from = i > REACH ? i - REACH : 0, to = i + REACH < b->count ? i + REACH : b->count;
  for (int64_t j = from; j < to; j++) {
    if (taken[j]) continue;
    const vlm_sqnr row = compare_rows(a, i, b, j);
    if (!is_same_row(&row) || (found >= 0 && row.noise >= best->noise)) continue;
    *best = row;
    found = j;
  }
  return found;
}

static vlm_status look_for_rows(vlm_output_match *m, const float_rows *a, const float_rows *b,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  bool *taken = NULL;
  VLM_TRY(vlm_new(&taken, b->count, err));
  m->items += a->count + b->count;
  for (int64_t i = 0; i < a->count; i++) {
    vlm_sqnr row = {0};
    const int64_t j = a->width == b->width ? nearest(&row, a, i, b, taken) : -1;
    if (j < 0) continue;
    taken[j] = true;
    m->matched++;
    m->items--;
    add_sqnr(&m->sqnr, &row);
  }
out:
  vlm_free(taken);
  return st;
}

/* The values as float32; *made has to be freed. */
static vlm_status as_floats(const float **out, float **made, const vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int64_t n = vlm_tensor_count(t);
  *out = t->data;
  if (t->dtype == VLM_F32) return VLM_OK;
  VLM_TRY(vlm_new(made, n, err));
  for (int64_t i = 0; i < n; i++) (*made)[i] = (float)vlm_tensor_get(t, i);
  *out = *made;
out:
  return st;
}

static vlm_status add_floats(vlm_output_match *m, const vlm_tensor *a, const vlm_tensor *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  const float *x, *y;
  float *made[2] = {NULL, NULL};
  VLM_TRY(as_floats(&x, &made[0], a, err));
  VLM_TRY(as_floats(&y, &made[1], b, err));
  const float_rows rows[2] = {rows_of(a, x), rows_of(b, y)};
  if (m->selected) VLM_TRY(look_for_rows(m, &rows[0], &rows[1], err));
  else in_place(m, &rows[0], &rows[1]);
out:
  vlm_free(made[0]);
  vlm_free(made[1]);
  return st;
}

/* ---- integers ---- */

/* Items of one integer output, each of `width` numbers. */
typedef struct {
  int64_t *numbers;
  int64_t count, width;
} int_items;

/* An element comes with the number of its row, so that rows of a batch are not mixed. */
static vlm_status items_of(int_items *out, const vlm_tensor *t, vlm_item_form form, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int64_t n = vlm_tensor_count(t), last = t->rank ? t->dims[t->rank - 1] : 1;
  const bool element = form == VLM_ITEM_ELEMENT || t->rank < 2;
  const int64_t columns = form == VLM_ITEM_COLUMN && !element ? n / (t->dims[0] ? t->dims[0] : 1) : 0;
  out->width = element ? 2 : columns ? t->dims[0] : last;
  out->count = element ? n : columns ? columns : last ? n / last : 0;
  VLM_TRY(vlm_new(&out->numbers, out->count * out->width, err));
  for (int64_t i = 0; i < n; i++) {
    const int64_t value = vlm_tensor_get_int(t, i);
    if (element) out->numbers[2 * i] = t->rank > 1 ? i / last : 0, out->numbers[2 * i + 1] = value;
    else if (columns) out->numbers[i % columns * out->width + i / columns] = value;
    else out->numbers[i] = value;
  }
out:
  return st;
}

static int compare_numbers(const int64_t *a, const int64_t *b, int64_t width) {
  for (int64_t k = 0; k < width; k++)
    if (a[k] != b[k]) return a[k] < b[k] ? -1 : 1;
  return 0;
}

/* Ascending, by merging: qsort takes no width. `room` has the size of the items. */
static void sort_items(int64_t *items, int64_t *room, int64_t count, int64_t width) {
  if (count < 2) return;
  const int64_t half = count / 2;
  const size_t bytes = (size_t)width * sizeof *items;
  sort_items(items, room, half, width);
  sort_items(items + half * width, room, count - half, width);
  int64_t i = 0, j = half, k = 0;
  while (i < half || j < count) {
    const bool left =
        j == count || (i < half && compare_numbers(items + i * width, items + j * width, width) <= 0);
    memcpy(room + k++ * width, items + (left ? i++ : j++) * width, bytes);
  }
  memcpy(items, room, (size_t)count * bytes);
}

/* Of two ascending lists, equal items counted as often as both have them. */
static int64_t common(const int_items *a, const int_items *b) {
  int64_t i = 0, j = 0, equal = 0;
  while (a->width == b->width && i < a->count && j < b->count) {
    const int order = compare_numbers(a->numbers + i * a->width, b->numbers + j * b->width, a->width);
    equal += order == 0;
    i += order <= 0;
    j += order >= 0;
  }
  return equal;
}

static vlm_status sort_all(int_items *items, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t *room = NULL;
  VLM_TRY(vlm_new(&room, items->count * items->width, err));
  sort_items(items->numbers, room, items->count, items->width);
out:
  vlm_free(room);
  return st;
}

static vlm_status look_for_items(vlm_output_match *m, const vlm_tensor *a, const vlm_tensor *b,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  int_items items[2] = {{0}, {0}};
  VLM_TRY(items_of(&items[0], a, m->form, err));
  VLM_TRY(items_of(&items[1], b, m->form, err));
  VLM_TRY(sort_all(&items[0], err));
  VLM_TRY(sort_all(&items[1], err));
  const int64_t equal = common(&items[0], &items[1]);
  m->items += items[0].count + items[1].count - equal;
  m->matched += equal;
out:
  vlm_free(items[0].numbers);
  vlm_free(items[1].numbers);
  return st;
}

static vlm_status add_integers(vlm_output_match *m, const vlm_tensor *a, const vlm_tensor *b,
                               vlm_error *err) {
  if (m->selected) return look_for_items(m, a, b, err);
  const int64_t n = vlm_tensor_count(a);
  for (int64_t i = 0; i < n; i++) m->matched += vlm_tensor_get_int(a, i) == vlm_tensor_get_int(b, i);
  m->items += n;
  return VLM_OK;
}

/* ---- both ---- */

vlm_status vlm_output_match_add(vlm_output_match *m, const vlm_tensor *a, const vlm_tensor *b,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  const bool floats = vlm_dtype_is_float(a->dtype);
  VLM_CHECK(floats == vlm_dtype_is_float(b->dtype), err, VLM_INPUT,
            "outputs differ in type: reference %s, candidate %s", vlm_dtype_name(a->dtype),
            vlm_dtype_name(b->dtype));
  m->integers = !floats;
  if (!vlm_tensor_same_shape(a, b)) m->selected = true;
  VLM_TRY((floats ? add_floats : add_integers)(m, a, b, err));
out:
  return st;
}

bool vlm_output_match_counts(const vlm_output_match *m) { return m->selected || m->integers; }

double vlm_output_match_percent(const vlm_output_match *m) {
  return m->items ? 100.0 * (double)m->matched / (double)m->items : 100;
}
