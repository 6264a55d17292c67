/* Data movement: the strided copy engine against a naive walk, and the corners of Reshape, Slice, Pad, Split, Gather, Transpose … that
 * shapes make. */
#include "tests/ops/op_harness.h"

#include "runtime/base/memory.h"
#include "runtime/ops/nd_copy.h"
#include "runtime/ops/sort.h"
#include "tests/fine.h"

static uint32_t next(uint32_t *seed) { return *seed = *seed * 1664525u + 1013904223u; }
static int below(uint32_t *seed, int n) { return (int)((next(seed) >> 8) % (uint32_t)n); }

/* ---- nd_copy ---- */

enum { POOL = 1 << 16 };

static void naive(const vlm_nd *nd, size_t item, char *dst, const char *src) {
  int64_t total = 1;
  for (int i = 0; i < nd->rank; i++) total *= nd->dims[i];
  for (int64_t n = 0; n < total; n++) {
    int64_t rest = n, to = 0, from = 0;
    for (int i = nd->rank - 1; i >= 0; i--) {
      to += rest % nd->dims[i] * nd->dst[i];
      from += rest % nd->dims[i] * nd->src[i];
      rest /= nd->dims[i];
    }
    memcpy(dst + to, src + from, item);
  }
}

/* A permuted, sliced, possibly reversed or repeated box of a random tensor. */
static const char *random_box(uint32_t *seed, vlm_nd *nd, size_t item, const char *src) {
  int rank = below(seed, 5) + 1, order[5];
  int64_t dims[5], stride = (int64_t)item, strides[5];
  for (int i = rank - 1; i >= 0; i--) {
    dims[i] = below(seed, rank > 3 ? 6 : 24) + 1;
    strides[i] = stride;
    stride *= dims[i];
    order[i] = i;
  }
  for (int i = rank - 1; i > 0; i--) {
    int k = below(seed, i + 1), t = order[i];
    order[i] = order[k];
    order[k] = t;
  }
  int64_t to[5];
  stride = (int64_t)item;
  for (int i = rank - 1; i >= 0; i--) {
    to[i] = stride;
    stride *= dims[order[i]];
  }
  *nd = (vlm_nd){.rank = 0};
  for (int i = 0; i < rank; i++) {
    int64_t from = strides[order[i]], n = dims[order[i]];
    int kind = below(seed, 6);
    if (kind == 0) from = 0;
    if (kind == 1) {
      src += from * (n - 1);
      from = -from;
    }
    vlm_nd_push(nd, n, to[i], from);
  }
  return src;
}

static void test_nd_copy(void **state) {
  (void)state;
  uint32_t seed = 5;
  vlm_threads *threads;
  void *source, *got, *want;
  FINE(vlm_threads_create(&threads, 3, &error));
  FINE(vlm_alloc(&source, POOL * 16, 1, &error));
  FINE(vlm_alloc(&got, POOL * 16, 1, &error));
  FINE(vlm_alloc(&want, POOL * 16, 1, &error));
  for (size_t i = 0; i < POOL * 16; i++)
    ((uint8_t *)source)[i] = (uint8_t)next(&seed) ^ (uint8_t)(next(&seed) >> 16);
  for (int round = 0; round < 600; round++) {
    size_t item = (size_t)1 << below(&seed, 4);
    vlm_nd nd;
    const char *src = random_box(&seed, &nd, item, source);
    memset(got, 7, POOL * 16);
    memset(want, 7, POOL * 16);
    naive(&nd, item, want, src);
    vlm_nd_copy(round % 2 ? threads : NULL, &nd, item, got, src);
    assert_memory_equal(got, want, POOL * 16);
  }
  vlm_free(source);
  vlm_free(got);
  vlm_free(want);
  vlm_threads_free(threads);
}

static bool digit_after(const void *user, int64_t a, int64_t b) {
  const int *key = user;
  return key[a] > key[b];
}

static void test_sort_is_stable(void **state) {
  (void)state;
  uint32_t seed = 9;
  int key[257] = {0};
  int64_t index[257], spare[257];
  for (int n = 0; n <= 257; n += 16 + (n == 0)) {
    for (int i = 0; i < n; i++) {
      key[i] = below(&seed, 7);
      index[i] = i;
    }
    vlm_sort(index, spare, n, digit_after, key);
    for (int i = 1; i < n; i++)
      assert_true(key[index[i - 1]] < key[index[i]] ||
                  (key[index[i - 1]] == key[index[i]] && index[i - 1] < index[i]));
  }
}

/* ---- operators ---- */

static void expect_dims(const vlm_tensor *t, int rank, const int64_t *dims) {
  assert_int_equal(t->rank, rank);
  for (int i = 0; i < rank; i++) assert_int_equal(t->dims[i], dims[i]);
}

static void test_reshape(void **state) {
  (void)state;
  op_harness h = {0};
  float values[24] = {0};
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 2, 3, 4), empty = OP_TENSOR(VLM_F32, values, 0, 3);
  const vlm_tensor shape = OP_TENSOR(VLM_S64, ((int64_t[]){0, -1}), 2),
                   zero = OP_TENSOR(VLM_S64, ((int64_t[]){3, 0}), 2);
  const vlm_tensor two = OP_TENSOR(VLM_S64, ((int64_t[]){-1, -1}), 2),
                   odd = OP_TENSOR(VLM_S64, ((int64_t[]){5, -1}), 2);
  const vlm_attr allow = OP_INT("allowzero", 1);
  op_apply(&h, "", "Reshape", 14, NULL, (const vlm_tensor *[]){&x, &shape}, 2, 1);
  expect_dims(&h.out[0], 2, (int64_t[]){2, 12});
  op_apply(&h, "", "Reshape", 14, (const vlm_attr *[]){&allow, NULL}, (const vlm_tensor *[]){&empty, &zero},
           2, 1);
  expect_dims(&h.out[0], 2, (int64_t[]){3, 0});
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Reshape", 14, NULL, (const vlm_tensor *[]){&x, &two}, 2, 1));
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Reshape", 14, NULL, (const vlm_tensor *[]){&x, &odd}, 2, 1));
  op_release(&h);
}

static void test_squeeze(void **state) {
  (void)state;
  op_harness h = {0};
  float values[6] = {0};
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 1, 6, 1);
  const vlm_tensor last = OP_TENSOR(VLM_S64, ((int64_t[]){-1}), 1),
                   wrong = OP_TENSOR(VLM_S64, ((int64_t[]){1}), 1),
                   twice = OP_TENSOR(VLM_S64, ((int64_t[]){0, -5}), 2);
  const vlm_attr axes = OP_INTS("axes", ((int64_t[]){0, 2}), 2);
  op_apply(&h, "", "Squeeze", 13, NULL, (const vlm_tensor *[]){&x, &last}, 2, 1);
  expect_dims(&h.out[0], 2, (int64_t[]){1, 6});
  op_apply(&h, "", "Squeeze", 11, (const vlm_attr *[]){&axes, NULL}, (const vlm_tensor *[]){&x}, 1, 1);
  expect_dims(&h.out[0], 1, (int64_t[]){6});
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Squeeze", 13, NULL, (const vlm_tensor *[]){&x, &wrong}, 2, 1));
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "Unsqueeze", 13, NULL, (const vlm_tensor *[]){&x, &twice}, 2, 1));
  op_release(&h);
}

static void test_slice_sentinels(void **state) {
  (void)state;
  op_harness h = {0};
  float values[5] = {0, 1, 2, 3, 4};
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 5), axis = OP_TENSOR(VLM_S64, ((int64_t[]){0}), 1);
  const vlm_tensor first = OP_TENSOR(VLM_S64, ((int64_t[]){-1}), 1),
                   low = OP_TENSOR(VLM_S64, ((int64_t[]){INT64_MIN}), 1);
  const vlm_tensor high = OP_TENSOR(VLM_S64, ((int64_t[]){INT64_MAX}), 1),
                   back = OP_TENSOR(VLM_S64, ((int64_t[]){-1}), 1);
  const vlm_tensor two = OP_TENSOR(VLM_S64, ((int64_t[]){2}), 1),
                   zero = OP_TENSOR(VLM_S64, ((int64_t[]){0}), 1);
  const vlm_tensor huge = OP_TENSOR(VLM_S64, ((int64_t[]){INT64_MIN}), 1);
  op_apply(&h, "", "Slice", 13, NULL, (const vlm_tensor *[]){&x, &first, &low, &axis, &back}, 5, 1);
  op_expect(&h, 0, (double[]){4, 3, 2, 1, 0}, 5, 0);
  op_apply(&h, "", "Slice", 13, NULL, (const vlm_tensor *[]){&x, &two, &high}, 3, 1);
  op_expect(&h, 0, (double[]){2, 3, 4}, 3, 0);
  op_apply(&h, "", "Slice", 13, NULL, (const vlm_tensor *[]){&x, &first, &low, &axis, &huge}, 5, 1);
  op_expect(&h, 0, (double[]){4}, 1, 0);
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "Slice", 13, NULL, (const vlm_tensor *[]){&x, &two, &high, &axis, &zero}, 5, 1));
  op_release(&h);
}

static void test_int4(void **state) {
  (void)state;
  op_harness h = {0};
  uint8_t packed[3] = {0x21, 0x43, 0x05}; /* 1 2 3 4 5 0 as [2, 3] */
  const vlm_tensor x = OP_TENSOR(VLM_S4, packed, 2, 3);
  op_apply(&h, "", "Transpose", 21, NULL, (const vlm_tensor *[]){&x}, 1, 1);
  op_expect(&h, 0, (double[]){1, 4, 2, 5, 3, 0}, 6, 0);
  const vlm_attr axis = OP_INT("axis", 1);
  op_apply(&h, "", "Concat", 21, (const vlm_attr *[]){&axis, NULL}, (const vlm_tensor *[]){&x, &x}, 2, 1);
  op_expect(&h, 0, (double[]){1, 2, 3, 1, 2, 3, 4, 5, 0, 4, 5, 0}, 12, 0);
  op_release(&h);
}

/* Elements of two bits: 1 2 3 / 0 1 2. */
static void test_int2(void **state) {
  (void)state;
  op_harness h = {0};
  uint8_t packed[2] = {0x39, 0x09};
  const vlm_tensor x = OP_TENSOR(VLM_U2, packed, 2, 3), index = OP_TENSOR(VLM_S64, ((int64_t[]){2, 0}), 2),
                   row = OP_TENSOR(VLM_U2, packed, 1, 3);
  const vlm_attr axis = OP_INT("axis", 1), add = OP_STRING("reduction", "add");
  op_apply(&h, "", "Transpose", 25, NULL, (const vlm_tensor *[]){&x}, 1, 1);
  op_expect(&h, 0, (double[]){1, 0, 2, 1, 3, 2}, 6, 0);
  op_apply(&h, "", "Concat", 25, (const vlm_attr *[]){&axis, NULL}, (const vlm_tensor *[]){&x, &x}, 2, 1);
  op_expect(&h, 0, (double[]){1, 2, 3, 1, 2, 3, 0, 1, 2, 0, 1, 2}, 12, 0);
  op_apply(&h, "", "Gather", 25, (const vlm_attr *[]){&axis, NULL}, (const vlm_tensor *[]){&x, &index}, 2, 1);
  op_expect(&h, 0, (double[]){3, 1, 2, 0}, 4, 0);
  op_apply(&h, "", "Identity", 25, NULL, (const vlm_tensor *[]){&row}, 1, 1);
  op_expect(&h, 0, (double[]){1, 2, 3}, 3, 0);
  const vlm_tensor at = OP_TENSOR(VLM_S64, ((int64_t[]){0, 0, 0}), 1, 3),
                   one = OP_TENSOR(VLM_S64, ((int64_t[]){1}), 1);
  assert_int_equal(op_try(&h, "", "ScatterElements", 18, (const vlm_attr *[]){&add, NULL},
                          (const vlm_tensor *[]){&x, &at, &row}, 3, 1),
                   VLM_UNSUPPORTED);
  FAILS_WITH(h.err, VLM_UNSUPPORTED,
             op_try(&h, "", "TopK", 11, NULL, (const vlm_tensor *[]){&x, &one}, 2, 2));
  assert_non_null(strstr(h.err.text, "uint2"));
  op_release(&h);
}

static void test_split(void **state) {
  (void)state;
  op_harness h = {0};
  float values[7] = {0, 1, 2, 3, 4, 5, 6};
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 7), bad = OP_TENSOR(VLM_S64, ((int64_t[]){3, 3, 3}), 3);
  const vlm_attr three = OP_INT("num_outputs", 3);
  op_apply(&h, "", "Split", 18, (const vlm_attr *[]){&three, NULL}, (const vlm_tensor *[]){&x}, 1, 3);
  op_expect(&h, 0, (double[]){0, 1, 2}, 3, 0);
  op_expect(&h, 1, (double[]){3, 4, 5}, 3, 0);
  op_expect(&h, 2, (double[]){6}, 1, 0);
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Split", 13, NULL, (const vlm_tensor *[]){&x, &bad}, 2, 3));
  op_release(&h);
}

static void test_pad(void **state) {
  (void)state;
  op_harness h = {0};
  float values[3] = {1, 2, 3};
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 3), crop = OP_TENSOR(VLM_S64, ((int64_t[]){-1, 2}), 2),
                   empty = OP_TENSOR(VLM_F32, values, 0);
  const vlm_tensor more = OP_TENSOR(VLM_S64, ((int64_t[]){1, 5}), 2);
  const vlm_attr edge = OP_STRING("mode", "edge"), reflect = OP_STRING("mode", "reflect"),
                 wrap = OP_STRING("mode", "wrap"), odd = OP_STRING("mode", "mirror");
  op_apply(&h, "", "Pad", 13, NULL, (const vlm_tensor *[]){&x, &crop}, 2, 1);
  op_expect(&h, 0, (double[]){2, 3, 0, 0}, 4, 0);
  op_apply(&h, "", "Pad", 13, (const vlm_attr *[]){&edge, NULL}, (const vlm_tensor *[]){&x, &crop}, 2, 1);
  op_expect(&h, 0, (double[]){2, 3, 3, 3}, 4, 0);
  op_apply(&h, "", "Pad", 13, (const vlm_attr *[]){&reflect, NULL}, (const vlm_tensor *[]){&x, &more}, 2, 1);
  op_expect(&h, 0, (double[]){2, 1, 2, 3, 2, 1, 2, 3, 2}, 9, 0);
  op_apply(&h, "", "Pad", 19, (const vlm_attr *[]){&wrap, NULL}, (const vlm_tensor *[]){&x, &more}, 2, 1);
  op_expect(&h, 0, (double[]){3, 1, 2, 3, 1, 2, 3, 1, 2}, 9, 0);
  op_apply(&h, "", "Pad", 13, NULL, (const vlm_tensor *[]){&empty, &more}, 2, 1);
  op_expect(&h, 0, (double[]){0, 0, 0, 0, 0, 0}, 6, 0);
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "Pad", 13, (const vlm_attr *[]){&edge, NULL},
                    (const vlm_tensor *[]){&empty, &more}, 2, 1));
  FAILS_WITH(
      h.err, VLM_INPUT,
      op_try(&h, "", "Pad", 13, (const vlm_attr *[]){&odd, NULL}, (const vlm_tensor *[]){&x, &more}, 2, 1));
  op_release(&h);
}

static void test_gather_bounds(void **state) {
  (void)state;
  op_harness h = {0};
  float values[6] = {0, 1, 2, 3, 4, 5};
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 3, 2), good = OP_TENSOR(VLM_S64, ((int64_t[]){-3, 2}), 2),
                   bad = OP_TENSOR(VLM_S64, ((int64_t[]){0, 3}), 2);
  const vlm_tensor worse = OP_TENSOR(VLM_S64, ((int64_t[]){INT64_MIN, 0}), 1, 2),
                   none = OP_TENSOR(VLM_S64, values, 0), scalar = OP_SCALAR(VLM_S64, ((int64_t[]){1}));
  op_apply(&h, "", "Gather", 13, NULL, (const vlm_tensor *[]){&x, &good}, 2, 1);
  op_expect(&h, 0, (double[]){0, 1, 4, 5}, 4, 0);
  op_apply(&h, "", "Gather", 13, NULL, (const vlm_tensor *[]){&x, &none}, 2, 1);
  expect_dims(&h.out[0], 2, (int64_t[]){0, 2});
  op_apply(&h, "", "Gather", 13, NULL, (const vlm_tensor *[]){&x, &scalar}, 2, 1);
  expect_dims(&h.out[0], 1, (int64_t[]){2});
  FAILS_WITH(h.err, VLM_INPUT, op_try(&h, "", "Gather", 13, NULL, (const vlm_tensor *[]){&x, &bad}, 2, 1));
  assert_non_null(strstr(h.err.text, "index 3"));
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "GatherND", 13, NULL, (const vlm_tensor *[]){&x, &worse}, 2, 1));
  op_release(&h);
}

static void test_quantized_gather(void **state) {
  (void)state;
  op_harness h = {0};
  uint8_t data[4] = {0x21, 0x43, 0x65, 0x87}; /* rows 1 2 3 4 and 5 6 7 8, two values per byte */
  float scales[4] = {1, 10, 100, 0.5f};
  const vlm_tensor x = OP_TENSOR(VLM_U8, data, 2, 2), t = OP_TENSOR(VLM_S64, ((int64_t[]){1}), 1),
                   s = OP_TENSOR(VLM_F32, scales, 2, 2);
  const vlm_attr block = OP_INT("block_size", 2), bits = OP_INT("bits", 4);
  op_apply(&h, "com.microsoft", "GatherBlockQuantized", 1, (const vlm_attr *[]){&block, &bits, NULL},
           (const vlm_tensor *[]){&x, &t, &s}, 3, 1);
  op_expect(&h, 0, (double[]){-300, -200, -0.5, 0}, 4, 0); /* zero point 8 */
  op_release(&h);
}

static void test_top_k_ties(void **state) {
  (void)state;
  op_harness h = {0};
  float values[40];
  for (int i = 0; i < 40; i++) values[i] = (float)(i % 4);
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 40);
  for (int64_t k = 3; k <= 30; k += 27) { /* insertion for few, sorting for many */
    const vlm_tensor t = OP_TENSOR(VLM_S64, &k, 1);
    op_apply(&h, "", "TopK", 11, NULL, (const vlm_tensor *[]){&x, &t}, 2, 2);
    for (int64_t i = 0; i < k; i++) assert_int_equal(((int64_t *)h.out[1].data)[i], i % 10 * 4 + 3 - i / 10);
  }
  op_release(&h);
}

static void test_dropout_mask(void **state) {
  (void)state;
  op_harness h = {0};
  float values[3] = {1, 2, 3}, half = 0.5f;
  uint8_t yes = 1;
  const vlm_tensor x = OP_TENSOR(VLM_F32, values, 3), ratio = OP_SCALAR(VLM_F32, &half),
                   training = OP_SCALAR(VLM_BOOL, &yes);
  op_apply(&h, "", "Dropout", 13, NULL, (const vlm_tensor *[]){&x, &ratio}, 2, 2);
  op_expect(&h, 0, (double[]){1, 2, 3}, 3, 0);
  op_expect(&h, 1, (double[]){1, 1, 1}, 3, 0);
  FAILS_WITH(h.err, VLM_UNSUPPORTED,
             op_try(&h, "", "Dropout", 13, NULL, (const vlm_tensor *[]){&x, &ratio, &training}, 3, 2));
  op_release(&h);
}

static void test_range(void **state) {
  (void)state;
  op_harness h = {0};
  int64_t a = INT64_MIN, b = INT64_MAX, one = 1, zero = 0, ten = 10, back = -4;
  const vlm_tensor low = OP_SCALAR(VLM_S64, &a), high = OP_SCALAR(VLM_S64, &b),
                   step = OP_SCALAR(VLM_S64, &one), none = OP_SCALAR(VLM_S64, &zero);
  const vlm_tensor from = OP_SCALAR(VLM_S64, &ten), down = OP_SCALAR(VLM_S64, &back);
  op_apply(&h, "", "Range", 11, NULL, (const vlm_tensor *[]){&from, &none, &down}, 3, 1);
  op_expect(&h, 0, (double[]){10, 6, 2}, 3, 0);
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "Range", 11, NULL, (const vlm_tensor *[]){&low, &high, &step}, 3, 1));
  FAILS_WITH(h.err, VLM_INPUT,
             op_try(&h, "", "Range", 11, NULL, (const vlm_tensor *[]){&from, &none, &none}, 3, 1));
  op_release(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_nd_copy),
                                     cmocka_unit_test(test_sort_is_stable),
                                     cmocka_unit_test(test_reshape),
                                     cmocka_unit_test(test_squeeze),
                                     cmocka_unit_test(test_slice_sentinels),
                                     cmocka_unit_test(test_int4),
                                     cmocka_unit_test(test_int2),
                                     cmocka_unit_test(test_split),
                                     cmocka_unit_test(test_pad),
                                     cmocka_unit_test(test_gather_bounds),
                                     cmocka_unit_test(test_quantized_gather),
                                     cmocka_unit_test(test_top_k_ties),
                                     cmocka_unit_test(test_dropout_mask),
                                     cmocka_unit_test(test_range)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
