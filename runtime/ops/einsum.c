/* Einsum: two float operands as one batched matrix product, everything else by walking the index space. */
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

typedef struct {
  int n, outer; /* labels walked; the first ones are those of the output */
  int64_t size[VLM_EINSUM_LABELS], stride[VLM_EINSUM_OPERANDS][VLM_EINSUM_LABELS], terms;
  vlm_doubles x[VLM_EINSUM_OPERANDS];
  vlm_wide_result y;
} einsum_walk;

/* Labels in the order of the walk: those of the output, then those summed over. */
static vlm_status order_labels(vlm_op_call *c, einsum_walk *w, const vlm_einsum *e, int *order) {
  vlm_status st = VLM_OK;
  int64_t work;
  w->outer = e->rank[e->operands];
  w->terms = 1;
  for (int i = 0; i < w->outer; i++) order[w->n++] = e->label[e->operands][i];
  for (int l = 0; l < e->labels; l++)
    if (e->size[l] >= 0 && !e->in_output[l]) {
      order[w->n++] = l;
      VLM_CHECK(!__builtin_mul_overflow(w->terms, e->size[l], &w->terms), c->err, VLM_LIMIT,
                "Einsum sums over too many terms");
    }
  VLM_CHECK(!__builtin_mul_overflow(w->terms, vlm_tensor_count(c->out[0]), &work) && work <= MAX_WALK, c->err,
            VLM_LIMIT, "Einsum sums over too many terms");
out:
  return st;
}

static vlm_status prepare_walk(vlm_op_call *c, einsum_walk *w, const vlm_einsum *e) {
  vlm_status st = VLM_OK;
  int order[VLM_EINSUM_LABELS];
  VLM_TRY(order_labels(c, w, e, order));
  for (int i = 0; i < w->n; i++) w->size[i] = e->size[order[i]];
  for (int k = 0; k < e->operands; k++) {
    VLM_TRY(vlm_doubles_prepare(c, &w->x[k], k));
    for (int i = 0; i < w->n; i++) w->stride[k][i] = label_stride(e, c->in[k], k, order[i]);
  }
  VLM_TRY(vlm_wide_result_prepare(c, &w->y, 0));
out:
  return st;
}

/* Product of the operands' elements for element o of the output and term t. */
static double product_at(const einsum_walk *w, int operands, const double *const *x, int64_t o, int64_t t) {
  int64_t at[VLM_EINSUM_OPERANDS] = {0};
  double product = 1;
  for (int i = w->n - 1; i >= 0; i--) {
    int64_t *rest = i >= w->outer ? &t : &o, v = *rest % w->size[i];
    *rest /= w->size[i];
    for (int k = 0; k < operands; k++) at[k] += v * w->stride[k][i];
  }
  for (int k = 0; k < operands; k++) product *= x[k][at[k]];
  return product;
}

static void run_walk(vlm_op_call *c, const einsum_walk *w, int operands) {
  const double *x[VLM_EINSUM_OPERANDS];
  double *y = vlm_wide_result_get(c, &w->y);
  for (int k = 0; k < operands; k++) x[k] = vlm_doubles_get(c, &w->x[k]);
  for (int64_t o = 0, count = vlm_tensor_count(c->out[0]); o < count; o++) {
    double sum = 0;
    for (int64_t t = 0; t < w->terms; t++) sum += product_at(w, operands, x, o, t);
    y[o] = sum;
  }
  vlm_store_f64(c, 0, y);
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

/* The copy of operand k after which the dims of the three groups follow each other; of the result, k = e->operands, the copy from there. */
static void plan_arrange(vlm_nd_plan *plan, const vlm_op_call *c, const vlm_einsum *e, int k,
                         const label_list groups[3]) {
  const vlm_tensor *t = k < e->operands ? c->in[k] : c->out[0];
  vlm_nd nd = {0};
  int64_t stride = (int64_t)sizeof(float), dims[VLM_ND_RANK], dense_stride[VLM_ND_RANK],
          term_stride[VLM_ND_RANK];
  int n = 0;
  for (int g = 2; g >= 0; g--)
    for (int i = groups[g].n - 1; i >= 0; i--) {
      int l = groups[g].labels[i];
      dims[n] = e->size[l];
      dense_stride[n] = stride;
      term_stride[n++] = label_stride(e, t, k, l) * (int64_t)sizeof(float);
      stride *= e->size[l];
    }
  for (int j = n - 1; k < e->operands && j >= 0; j--)
    vlm_nd_push(&nd, dims[j], dense_stride[j], term_stride[j]);
  for (int done = 0; k == e->operands && done < n;
       done++) { /* the tensor is the destination: its innermost dim goes last */
    int pick = -1;
    for (int i = 0; i < n; i++)
      if (dims[i] >= 0 && (pick < 0 || term_stride[i] > term_stride[pick])) pick = i;
    vlm_nd_push(&nd, dims[pick], term_stride[pick], dense_stride[pick]);
    dims[pick] = -1;
  }
  vlm_nd_plan_make(plan, &nd, sizeof(float));
}

typedef struct {
  vlm_nd_plan left, right, result;
  vlm_gemm_f32 g; /* all but the pointers of the run */
  size_t a, b, y, work;
} einsum_pair;

/* Matrices that lie one behind the other. */
static vlm_status place_matrices(vlm_op_call *c, vlm_gemm_f32 *g) {
  vlm_status st = VLM_OK;
  int64_t *offset;
  VLM_TRY(vlm_op_keep_new(c, &offset, 2 * g->batch));
  for (int64_t i = 0; i < g->batch; i++) {
    offset[i] = i * g->m * g->k;
    offset[g->batch + i] = i * g->k * g->n;
  }
  g->a_offset = offset;
  g->b_offset = offset + g->batch;
out:
  return st;
}

static vlm_status prepare_product(vlm_op_call *c, einsum_pair *p, const vlm_einsum *e,
                                  const einsum_groups *s) {
  vlm_status st = VLM_OK;
  int64_t batch = group_size(e, s->batch, s->n_batch), m = group_size(e, s->m, s->n_m),
          n = group_size(e, s->n, s->n_n), k = group_size(e, s->k, s->n_k);
  const label_list lists[4] = {{s->batch, s->n_batch}, {s->m, s->n_m}, {s->k, s->n_k}, {s->n, s->n_n}};
  plan_arrange(&p->left, c, e, 0, (label_list[]){lists[0], lists[1], lists[2]});
  plan_arrange(&p->right, c, e, 1, (label_list[]){lists[0], lists[2], lists[3]});
  plan_arrange(&p->result, c, e, e->operands, (label_list[]){lists[0], lists[1], lists[3]});
  VLM_TRY(vlm_op_reserve(c, &p->a, batch * m * k, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &p->b, batch * k * n, sizeof(float)));
  VLM_TRY(vlm_op_reserve(c, &p->y, batch * m * n, sizeof(float)));
  p->g = (vlm_gemm_f32){.batch = batch,
                        .m = m,
                        .n = n,
                        .k = k,
                        .a_row = k,
                        .a_column = 1,
                        .b_row = n,
                        .b_column = 1,
                        .c_batch = m * n,
                        .ldc = n,
                        .epilogue = {.alpha = 1}};
  VLM_TRY(place_matrices(c, &p->g));
  VLM_TRY(vlm_op_gemm_prepare(c, &p->g, &p->work));
out:
  return st;
}

static void run_product(vlm_op_call *c, const einsum_pair *p) {
  vlm_gemm_f32 g = p->g;
  float *a = vlm_op_work(c, p->a), *b = vlm_op_work(c, p->b);
  vlm_nd_plan_run(&p->left, c->threads, a, c->in[0]->data);
  vlm_nd_plan_run(&p->right, c->threads, b, c->in[1]->data);
  g.a = a;
  g.b = b;
  g.c = vlm_op_work(c, p->y);
  vlm_op_gemm_run(c, &g, p->work);
  vlm_nd_plan_run(&p->result, c->threads, c->out[0]->data, g.c);
}

/* ---- the operator ---- */

typedef struct {
  int operands;
  bool nothing, is_product;
  einsum_walk walk;
  einsum_pair product;
} einsum_state;

vlm_status vlm_prepare_Einsum(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  einsum_state *s;
  vlm_einsum e;
  einsum_groups groups;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_einsum_parse(c, &e));
  s->operands = e.operands;
  s->nothing = vlm_tensor_count(c->out[0]) == 0;
  if (s->nothing) goto out;
  s->is_product = c->n_in == 2 && c->in[0]->dtype == VLM_F32 && c->in[1]->dtype == VLM_F32 &&
                  group_labels(c, &e, &groups);
  if (s->is_product) VLM_TRY(prepare_product(c, &s->product, &e, &groups));
  else VLM_TRY(prepare_walk(c, &s->walk, &e));
out:
  return st;
}

vlm_status vlm_run_Einsum(vlm_op_call *c) {
  const einsum_state *s = c->state;
  if (s->nothing) return VLM_OK;
  if (s->is_product) run_product(c, &s->product);
  else run_walk(c, &s->walk, s->operands);
  return VLM_OK;
}
