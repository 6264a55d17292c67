/* vlm.Attention against a float64 reference, and its bytes across CPU levels and threads; the same for pooling, resizing and a recurrent
 * operator. */
#include "tests/ops/op_harness.h"

#include <math.h>

#include "runtime/base/memory.h"
#include "tests/fine.h"

enum { B = 2, H = 3, S = 37, D = 16, V = 24 };

static float noise(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return (float)(*seed >> 8) / 8388608.0f - 1;
}

static float *random_values(int64_t n, uint32_t seed) {
  void *p;
  FINE(vlm_alloc(&p, (size_t)n, sizeof(float), &error));
  for (int64_t i = 0; i < n; i++) ((float *)p)[i] = noise(&seed);
  return p;
}

static void reference(double *y, const float *q, const float *k, const float *v, const float *mask, int t) {
  double w[S];
  for (int bh = 0; bh < B * H; bh++)
    for (int i = 0; i < t; i++) {
      double max = -INFINITY, sum = 0;
      for (int s = 0; s < S; s++) {
        w[s] = 0;
        for (int d = 0; d < D; d++) w[s] += (double)q[(bh * t + i) * D + d] * k[(bh * S + s) * D + d];
        w[s] = w[s] * 0.25 + mask[(bh / H * t + i) * S + s];
        max = w[s] > max ? w[s] : max;
      }
      for (int s = 0; s < S; s++) sum += w[s] = max > -INFINITY ? exp(w[s] - max) : 0;
      for (int e = 0; e < V; e++) {
        double *out = &y[(bh * t + i) * V + e];
        *out = 0;
        for (int s = 0; s < S; s++) *out += sum > 0 ? w[s] / sum * v[(bh * S + s) * V + e] : 0;
      }
    }
}

static void test_against_reference(void **state) {
  (void)state;
  static const int queries[] = {1, 5, 131}; /* a decode step, one block, two blocks */
  for (int n = 0; n < 3; n++) {
    int t = queries[n];
    op_harness h = {.threads = 1 + n};
    float *q = random_values(B * H * t * D, 1), *k = random_values(B * H * S * D, 2),
          *v = random_values(B * H * S * V, 3), *mask = random_values(B * t * S, 4);
    void *want;
    FINE(vlm_alloc(&want, (size_t)(B * H * t * V), sizeof(double), &error));
    for (int s = 0; s < S; s++) mask[s] = -INFINITY; /* first query of the first entry sees nothing */
    const vlm_tensor tq = OP_TENSOR(VLM_F32, q, B, H, t, D), tk = OP_TENSOR(VLM_F32, k, B, H, S, D),
                     tv = OP_TENSOR(VLM_F32, v, B, H, S, V);
    const vlm_tensor tm = OP_TENSOR(VLM_F32, mask, B, 1, t, S);
    const vlm_attr scale = OP_FLOAT("scale", 0.25f);
    op_apply(&h, "", "Attention", 23, (const vlm_attr *[]){&scale, NULL},
             (const vlm_tensor *[]){&tq, &tk, &tv, &tm}, 4, 1);
    reference(want, q, k, v, mask, t);
    op_expect(&h, 0, want, B * H * t * V, 3e-6);
    op_release(&h);
    vlm_free(q);
    vlm_free(k);
    vlm_free(v);
    vlm_free(mask);
    vlm_free(want);
  }
}

static void test_mask_forms(void **state) {
  (void)state;
  op_harness h = {0};
  float *x = random_values(2 * 4 * 3 * 8, 7), causal[9] = {0, -INFINITY, -INFINITY, 0, 0, -INFINITY, 0, 0, 0};
  const vlm_tensor deep = OP_TENSOR(VLM_F32, x, 2, 4, 3, 8), mask = OP_TENSOR(VLM_F32, causal, 3, 3);
  const vlm_tensor one = OP_TENSOR(VLM_F32, causal, 1, 3, 3), odd = OP_TENSOR(VLM_F32, causal, 9, 1);
  const vlm_attr on = OP_INT("is_causal", 1);
  float first[2 * 4 * 3 * 8];
  op_apply(&h, "", "Attention", 23, NULL, (const vlm_tensor *[]){&deep, &deep, &deep, &mask}, 4, 1);
  memcpy(first, h.out[0].data, sizeof first);
  op_apply(&h, "", "Attention", 23, (const vlm_attr *[]){&on, NULL},
           (const vlm_tensor *[]){&deep, &deep, &deep}, 3, 1);
  assert_memory_equal(first, h.out[0].data, sizeof first);
  op_apply(&h, "", "Attention", 23, NULL, (const vlm_tensor *[]){&deep, &deep, &deep, &one}, 4, 1);
  assert_memory_equal(first, h.out[0].data, sizeof first);
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "Attention", 23, NULL, (const vlm_tensor *[]){&deep, &deep, &deep, &odd}, 4, 1));
  op_release(&h);
  vlm_free(x);
}

/* ---- the same bytes for every level and number of threads ---- */

typedef struct byte_case {
  const char *domain, *op;
  int opset, n_in;
  const vlm_attr *const *attrs;
  const vlm_tensor *const *in;
} byte_case;

/* Runs the case with the kernels of `mask`; the output stays in the harness. */
static void run_at(op_harness *h, const byte_case *b, uint32_t mask, int n_threads) {
  vlm_threads *threads;
  vlm_tensor *out[1] = {&h->out[0]};
  op_release(h);
  FAILS_WITH(h->err, VLM_OK, op_bind(h, b->domain, b->op, b->opset, b->attrs, b->in, b->n_in, 1));
  FINE(vlm_kernels_select(&h->kernels, mask, &h->err));
  FINE(vlm_threads_create(&threads, n_threads, &h->err));
  const vlm_node *node = &h->graph->nodes[0];
  vlm_op_call c = {.node = node,
                   .n_in = b->n_in,
                   .n_out = 1,
                   .in = b->in,
                   .out = out,
                   .threads = threads,
                   .kernels = &h->kernels,
                   .scratch = op_scratch,
                   .allocate = op_allocate,
                   .executor = h,
                   .err = &h->err};
  if (node->op->infer(&c) != VLM_OK || op_allocate(&c, 0) != VLM_OK || op_prepare_and_run(h, &c) != VLM_OK)
    fail_msg("%s: %s", b->op, h->err.text);
  vlm_threads_free(threads);
}

static void expect_same_bytes(const byte_case *b) {
  op_harness first = {0}, other = {0};
  uint32_t have = vlm_cpu_detect();
  run_at(&first, b, 1u << VLM_CPU_C, 1);
  for (int level = 0; level < VLM_CPU_COUNT; level++) {
    uint32_t mask;
    if (!(have >> level & 1) || vlm_cpu_select(&mask, vlm_cpu_name((vlm_cpu_level)level), &error) != VLM_OK)
      continue;
    for (int threads = 1; threads <= 3; threads += 2) {
      run_at(&other, b, mask, threads);
      if (memcmp(first.out[0].data, other.out[0].data, vlm_tensor_bytes(&first.out[0])) != 0)
        fail_msg("%s differs at level %s with %d threads", b->op, vlm_cpu_name((vlm_cpu_level)level),
                 threads);
    }
  }
  op_release(&first);
  op_release(&other);
}

static void test_same_bytes(void **state) {
  (void)state;
  float *a = random_values(1 << 15, 11), *b = random_values(1 << 15, 12);
  float scales[4] = {1, 1, 1.7f, 0.6f};
  const vlm_tensor q = OP_TENSOR(VLM_F32, a, 2, 3, 61, 20), k = OP_TENSOR(VLM_F32, b, 2, 3, 61, 20),
                   image = OP_TENSOR(VLM_F32, a, 1, 5, 33, 29);
  const vlm_tensor s = OP_TENSOR(VLM_F32, scales, 4), seq = OP_TENSOR(VLM_F32, a, 7, 3, 10),
                   w = OP_TENSOR(VLM_F32, b, 1, 44, 10), r = OP_TENSOR(VLM_F32, b, 1, 44, 11);
  const vlm_tensor left = OP_TENSOR(VLM_F32, a, 3, 17, 4, 9), right = OP_TENSOR(VLM_F32, b, 3, 9, 4, 21);
  const vlm_attr keys = OP_INTS("k_view", ((int64_t[]){-1, 0, 0, 0, 1, 3, 2}), 7);
  const vlm_attr kernel = OP_INTS("kernel_shape", ((int64_t[]){3, 2}), 2),
                 pads = OP_INTS("pads", ((int64_t[]){1, 0, 1, 1}), 4);
  const vlm_attr cubic = OP_STRING("mode", "cubic"), equation = OP_STRING("equation", "bihk,bkhj->bhij"),
                 hidden = OP_INT("hidden_size", 11);
  const byte_case cases[] = {
      {"vlm", "Attention", 1, 3, (const vlm_attr *[]){&keys, NULL}, (const vlm_tensor *[]){&q, &k, &k}},
      {"", "AveragePool", 11, 1, (const vlm_attr *[]){&kernel, &pads, NULL}, (const vlm_tensor *[]){&image}},
      {"", "GlobalAveragePool", 1, 1, NULL, (const vlm_tensor *[]){&image}},
      {"", "Resize", 13, 3, (const vlm_attr *[]){&cubic, NULL}, (const vlm_tensor *[]){&image, NULL, &s}},
      {"", "LSTM", 14, 3, (const vlm_attr *[]){&hidden, NULL}, (const vlm_tensor *[]){&seq, &w, &r}},
      {"", "Einsum", 12, 2, (const vlm_attr *[]){&equation, NULL}, (const vlm_tensor *[]){&left, &right}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect_same_bytes(&cases[i]);
  vlm_free(a);
  vlm_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_reference),
                                     cmocka_unit_test(test_mask_forms), cmocka_unit_test(test_same_bytes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
