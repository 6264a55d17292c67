/* Einsum: two float operands as one batched matrix product, everything else by walking the index space. */
#include <string.h>

#include "runtime/ops/einsum_equation.h"
#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"

vlm_status vlm_infer_Einsum(vlm_op_call *c) {
  vlm_einsum e;
  int64_t dims[VLM_MAX_RANK];
  vlm_status st = vlm_einsum_parse(c, &e);
  if (st != VLM_OK) return st;
  for (int i = 0; i < e.rank[e.operands]; i++) dims[i] = e.size[e.label[e.operands][i]];
  if ((st = vlm_check_dims(c, e.rank[e.operands], dims)) != VLM_OK) return st;
  vlm_out_shape(c, 0, c->in[0]->dtype, e.rank[e.operands], dims);
  return VLM_OK;
}

/* Elements from one value of label l to the next in operand k (repeated labels walk the diagonal, size 1 stands still). */
static int64_t label_stride(const vlm_einsum *e, const vlm_tensor *t, int k, int l) {
  int64_t stride = 0;
  for (int i = 0; i < e->rank[k]; i++)
    if (e->label[k][i] == l && t->dims[i] != 1) stride += vlm_tensor_span(t, i + 1, t->rank);
  return stride;
}

/* ---- the general walk ---- */

#define MAX_WALK (INT64_C(1) << 40) /* products; more would run for hours */

static vlm_status run_walk(vlm_op_call *c, const vlm_einsum *e) {
  vlm_status st = VLM_OK;
  const double *x[VLM_EINSUM_OPERANDS];
  double *y;
  int order[VLM_EINSUM_LABELS], n = 0, outer = e->rank[e->operands];
  int64_t stride[VLM_EINSUM_OPERANDS][VLM_EINSUM_LABELS], terms = 1;
  for (int i = 0; i < outer; i++) order[n++] = e->label[e->operands][i];
  for (int l = 0; l < e->labels; l++)
    if (e->size[l] >= 0 && !e->in_output[l]) {
      order[n++] = l;
      VLM_CHECK(!__builtin_mul_overflow(terms, e->size[l], &terms), c->err, VLM_LIMIT, "Einsum sums over too many terms");
    }
  int64_t work;
  VLM_CHECK(!__builtin_mul_overflow(terms, vlm_tensor_count(c->out[0]), &work) && work <= MAX_WALK, c->err, VLM_LIMIT,
            "Einsum sums over too many terms");
  for (int k = 0; k < e->operands; k++) {
    VLM_TRY(vlm_as_f64(c, c->in[k], &x[k]));
    for (int i = 0; i < n; i++) stride[k][i] = label_stride(e, c->in[k], k, order[i]);
  }
  VLM_TRY(vlm_out_f64(c, 0, &y));
  for (int64_t o = 0, count = vlm_tensor_count(c->out[0]); o < count; o++) {
    double sum = 0;
    for (int64_t t = 0; t < terms; t++) {
      int64_t at[VLM_EINSUM_OPERANDS] = {0}, rest_t = t, rest_o = o;
      for (int i = n - 1; i >= 0; i--) {
        int64_t *rest = i >= outer ? &rest_t : &rest_o, v = *rest % e->size[order[i]];
        *rest /= e->size[order[i]];
        for (int k = 0; k < e->operands; k++) at[k] += v * stride[k][i];
      }
      double product = 1;
      for (int k = 0; k < e->operands; k++) product *= x[k][at[k]];
      sum += product;
    }
    y[o] = sum;
  }
  vlm_store_f64(c, 0, y);
out:
  return st;
}

/* ---- two operands as [batch, m, k] x [batch, k, n] ---- */

typedef struct einsum_groups {
  int batch[VLM_MAX_RANK], m[VLM_MAX_RANK], n[VLM_MAX_RANK], k[VLM_MAX_RANK];
  int n_batch, n_m, n_n, n_k;
} einsum_groups;

static bool uses_label(const vlm_einsum *e, int k, int l) {
  for (int i = 0; i < e->rank[k]; i++)
    if (e->label[k][i] == l) return true;
  return false;
}

/* False when a label is repeated in one operand, summed in one operand alone, or broadcast from size 1. */
static bool group_labels(const vlm_op_call *c, const vlm_einsum *e, einsum_groups *g) {
  *g = (einsum_groups){.n_batch = 0};
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < e->rank[k]; i++) {
      if (c->in[k]->dims[i] != e->size[e->label[k][i]]) return false;
      for (int j = 0; j < i; j++)
        if (e->label[k][j] == e->label[k][i]) return false;
    }
  for (int l = 0; l < e->labels; l++) {
    bool a = uses_label(e, 0, l), b = uses_label(e, 1, l);
    if (a && b && e->in_output[l]) g->batch[g->n_batch++] = l;
    else if (a && b) g->k[g->n_k++] = l;
    else if (a && e->in_output[l]) g->m[g->n_m++] = l;
    else if (b && e->in_output[l]) g->n[g->n_n++] = l;
    else if (a || b) return false;
  }
  return true;
}

static int64_t group_size(const vlm_einsum *e, const int *labels, int n) {
  int64_t size = 1;
  for (int i = 0; i < n; i++) size *= e->size[labels[i]];
  return size;
}

typedef struct label_list {
  const int *labels;
  int n;
} label_list;

/* Operand k, or the result, of term k copied so that the dims of the three groups follow each other; from_groups goes the other way. */
static void arrange(vlm_op_call *c, const vlm_einsum *e, int k, const label_list groups[3], float *dense, const float *from_groups) {
  const vlm_tensor *t = k < e->operands ? c->in[k] : c->out[0];
  vlm_nd nd = {0};
  int64_t stride = (int64_t)sizeof(float);
  int64_t dims[VLM_ND_RANK], dense_stride[VLM_ND_RANK], term_stride[VLM_ND_RANK];
  int n = 0;
  for (int g = 2; g >= 0; g--)
    for (int i = groups[g].n - 1; i >= 0; i--) {
      int l = groups[g].labels[i];
      dims[n] = e->size[l];
      dense_stride[n] = stride;
      term_stride[n++] = label_stride(e, t, k, l) * (int64_t)sizeof(float);
      stride *= e->size[l];
    }
  if (from_groups) { /* the tensor is the destination: its innermost dim goes last */
    for (int done = 0; done < n; done++) {
      int pick = -1;
      for (int i = 0; i < n; i++)
        if (dims[i] >= 0 && (pick < 0 || term_stride[i] > term_stride[pick])) pick = i;
      vlm_nd_push(&nd, dims[pick], term_stride[pick], dense_stride[pick]);
      dims[pick] = -1;
    }
    vlm_nd_copy(c->threads, &nd, sizeof(float), t->data, from_groups);
    return;
  }
  for (int j = n - 1; j >= 0; j--) vlm_nd_push(&nd, dims[j], dense_stride[j], term_stride[j]);
  vlm_nd_copy(c->threads, &nd, sizeof(float), dense, t->data);
}

static vlm_status run_product(vlm_op_call *c, const vlm_einsum *e, const einsum_groups *g) {
  vlm_status st = VLM_OK;
  int64_t batch = group_size(e, g->batch, g->n_batch), m = group_size(e, g->m, g->n_m), n = group_size(e, g->n, g->n_n),
      k = group_size(e, g->k, g->n_k);
  float *a, *b, *y;
  int64_t *a_offset, *b_offset;
  VLM_TRY(vlm_scratch_new(c, &a, batch * m * k));
  VLM_TRY(vlm_scratch_new(c, &b, batch * k * n));
  VLM_TRY(vlm_scratch_new(c, &y, batch * m * n));
  VLM_TRY(vlm_scratch_new(c, &a_offset, 2 * batch));
  b_offset = a_offset + batch;
  for (int64_t i = 0; i < batch; i++) {
    a_offset[i] = i * m * k;
    b_offset[i] = i * k * n;
  }
  label_list lists[4] = {{g->batch, g->n_batch}, {g->m, g->n_m}, {g->k, g->n_k}, {g->n, g->n_n}};
  const label_list left[3] = {lists[0], lists[1], lists[2]}, right[3] = {lists[0], lists[2], lists[3]},
      result[3] = {lists[0], lists[1], lists[3]};
  arrange(c, e, 0, left, a, NULL);
  arrange(c, e, 1, right, b, NULL);
  vlm_gemm_f32 product = {.batch = batch, .m = m, .n = n, .k = k, .a = a, .a_offset = a_offset, .a_row = k, .a_column = 1, .b = b,
                          .b_offset = b_offset,
                          .b_row = n, .b_column = 1, .c = y, .c_batch = m * n, .ldc = n, .epilogue = {.alpha = 1}};
  VLM_TRY(vlm_op_gemm(c, &product));
  arrange(c, e, e->operands, result, NULL, y);
out:
  return st;
}

vlm_status vlm_run_Einsum(vlm_op_call *c) {
  vlm_einsum e;
  einsum_groups groups;
  vlm_status st = vlm_einsum_parse(c, &e);
  if (st != VLM_OK || vlm_tensor_count(c->out[0]) == 0) return st;
  bool product = c->n_in == 2 && c->in[0]->dtype == VLM_F32 && c->in[1]->dtype == VLM_F32 && group_labels(c, &e, &groups);
  return product ? run_product(c, &e, &groups) : run_walk(c, &e);
}
