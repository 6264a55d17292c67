/* TfIdfVectorizer over integers: counts of the n-grams of a pool, weighted or not; and the Optional* operators, whose element is always
 * a tensor here. */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

enum { MAX_GRAM, MAX_SKIP, MIN_GRAM, MODE, COUNTS, INDEXES, POOL_INTS, WEIGHTS };

typedef struct gram_pool {
  const int64_t *items, *starts,
      *columns; /* starts[n - 1]: where the n-grams of length n begin; columns: output column per n-gram */
  const float *weights; /* per n-gram, NULL = 1 */
  int64_t n_items, n_starts, n_columns, width;
  int64_t shortest, longest, skip;
} gram_pool;

static vlm_status read_pool(vlm_op_call *c, gram_pool *p) {
  vlm_status st = VLM_OK;
  const vlm_attr *items = vlm_arg(c, POOL_INTS), *starts = vlm_arg(c, COUNTS), *columns = vlm_arg(c, INDEXES),
                 *weights = vlm_arg(c, WEIGHTS);
  VLM_CHECK(items->kind == VLM_ATTR_INTS, c->err, VLM_UNSUPPORTED,
            "operator TfIdfVectorizer without pool_int64s (strings) is not supported");
  *p = (gram_pool){.items = items->u.ints,
                   .starts = starts->u.ints,
                   .columns = columns->u.ints,
                   .n_items = items->count,
                   .n_starts = starts->count,
                   .n_columns = columns->count,
                   .shortest = vlm_arg_int(c, MIN_GRAM, 1),
                   .longest = vlm_arg_int(c, MAX_GRAM, 1),
                   .skip = vlm_arg_int(c, MAX_SKIP, 0)};
  VLM_CHECK(p->shortest >= 1 && p->longest >= p->shortest && p->longest <= p->n_starts && p->skip >= 0,
            c->err, VLM_INPUT, "n-grams of length %lld to %lld with %lld entries of ngram_counts",
            (long long)p->shortest, (long long)p->longest, (long long)p->n_starts);
  int64_t grams = 0;
  for (int64_t n = 1; n <= p->n_starts; n++) {
    int64_t begin = p->starts[n - 1], end = n < p->n_starts ? p->starts[n] : p->n_items;
    VLM_CHECK(begin >= 0 && begin <= end && end <= p->n_items && (end - begin) % n == 0, c->err, VLM_INPUT,
              "ngram_counts does not divide the pool at length %lld", (long long)n);
    grams += (end - begin) / n;
  }
  VLM_CHECK(grams == p->n_columns, c->err, VLM_INPUT, "ngram_indexes has %lld entries, the pool %lld n-grams",
            (long long)p->n_columns, (long long)grams);
  VLM_CHECK(weights->kind == VLM_ATTR_NONE || weights->count == grams, c->err, VLM_INPUT,
            "weights has %d entries, the pool %lld n-grams", weights->count, (long long)grams);
  if (weights->kind == VLM_ATTR_FLOATS) p->weights = weights->u.floats;
  for (int64_t i = 0; i < grams; i++) {
    VLM_CHECK(p->columns[i] >= 0 && p->columns[i] < (INT64_C(1) << 32), c->err, VLM_INPUT,
              "ngram_indexes[%lld] is %lld", (long long)i, (long long)p->columns[i]);
    p->width = p->columns[i] + 1 > p->width ? p->columns[i] + 1 : p->width;
  }
out:
  return st;
}

vlm_status vlm_infer_TfIdfVectorizer(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  gram_pool p;
  VLM_TRY(read_pool(c, &p));
  VLM_CHECK(x->rank == 1 || x->rank == 2, c->err, VLM_INPUT, "input has %d dims, wanted 1 or 2", x->rank);
  int64_t dims[2] = {x->dims[0], p.width};
  vlm_out_shape(c, 0, VLM_F32, x->rank, x->rank == 1 ? &p.width : dims);
out:
  return st;
}

/* Occurrences in a row of n values of the n-gram at `gram`, with every step from 1 to skip + 1 between its items. */
static int64_t count_gram(const vlm_tensor *x, int64_t from, int64_t n, const int64_t *gram, int64_t length,
                          int64_t skip) {
  int64_t count = 0;
  if (length == 1) skip = 0;
  for (int64_t step = 1; step - 1 <= skip && (length - 1) * step < n; step++)
    for (int64_t i = 0; i + (length - 1) * step < n; i++) {
      int64_t k = 0;
      while (k < length && vlm_tensor_get_int(x, from + i + k * step) == gram[k]) k++;
      count += k == length;
    }
  return count;
}

typedef struct {
  gram_pool pool;
  bool counts, weighted; /* counts: TF, TFIDF; else 1 where there is any */
} tfidf_state;

vlm_status vlm_prepare_TfIdfVectorizer(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  tfidf_state *s;
  const char *mode = vlm_arg_string(c, MODE, "TF");
  bool tf = strcmp(mode, "TF") == 0, idf = strcmp(mode, "IDF") == 0;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_pool(c, &s->pool));
  VLM_CHECK(tf || idf || strcmp(mode, "TFIDF") == 0, c->err, VLM_INPUT,
            "mode is \"%s\", wanted TF, IDF or TFIDF", mode);
  s->counts = !idf;
  s->weighted = !tf && s->pool.weights;
out:
  return st;
}

static void weigh_row(const tfidf_state *s, const vlm_tensor *x, int64_t from, int64_t n, float *y) {
  const gram_pool *p = &s->pool;
  for (int64_t length = 1, gram = 0; length <= p->n_starts; length++) {
    int64_t end = length < p->n_starts ? p->starts[length] : p->n_items;
    for (int64_t at = p->starts[length - 1]; at < end; at += length, gram++) {
      if (length < p->shortest || length > p->longest) continue;
      int64_t found = count_gram(x, from, n, p->items + at, length, p->skip);
      float value = s->counts ? (float)found : found > 0 ? 1.0f : 0.0f;
      y[p->columns[gram]] += s->weighted ? value * p->weights[gram] : value;
    }
  }
}

vlm_status vlm_run_TfIdfVectorizer(vlm_op_call *c) {
  const tfidf_state *s = c->state;
  const vlm_tensor *x = c->in[0];
  float *y = c->out[0]->data;
  int64_t rows = x->rank == 2 ? x->dims[0] : 1, n = x->dims[x->rank - 1];
  vlm_zero_some(y, vlm_tensor_bytes(c->out[0]));
  for (int64_t row = 0; row < rows; row++) weigh_row(s, x, row * n, n, y + row * s->pool.width);
  return VLM_OK;
}

/* ---- OptionalHasElement, OptionalGetElement ---- */

vlm_status vlm_infer_OptionalHasElement(vlm_op_call *c) {
  vlm_out_shape(c, 0, VLM_BOOL, 0, NULL);
  return VLM_OK;
}
vlm_status vlm_run_OptionalHasElement(vlm_op_call *c) {
  *(uint8_t *)c->out[0]->data = vlm_in(c, 0) != NULL;
  return VLM_OK;
}
