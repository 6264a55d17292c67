/* The row operations, written once. Included by rowops_LEVEL.c, which defines VLM_ROW_LEVEL (the suffix of the table's name) first, and
 * VLM_ROW_RARE_LEVEL when the rare ones are those of another level. */
#include <string.h>

#include "runtime/kernels/rowops.h"

/* gcc's -O2 leaves loops with unknown trip counts alone; clang's does not. In front of rowops_math.h, or its functions are not inlined. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(VLM_ROW_SMALL)
#include <math.h>
#pragma GCC optimize("O2", "tree-loop-vectorize", "tree-slp-vectorize", "no-trapping-math", \
                     "vect-cost-model=dynamic")
#endif
#include "runtime/kernels/rowops_math.h"

#define ROW_JOIN2(a, b) a##b
#define ROW_JOIN(a, b) ROW_JOIN2(a, b)

/* ---- elementwise ---- */

#define ROW_FUNCTION(name) name##_row
#define ROW_LINKAGE static

#define ROW_UNARY(name, expression)                                                          \
  ROW_LINKAGE void ROW_FUNCTION(name)(float *z, const float *a, int64_t n, const float *p) { \
    (void)p;                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                        \
      float x = a[i];                                                                        \
      z[i] = expression;                                                                     \
    }                                                                                        \
  }
#define ROW_UNARY_P1(name, expression)                                                       \
  ROW_LINKAGE void ROW_FUNCTION(name)(float *z, const float *a, int64_t n, const float *p) { \
    float p0 = p[0];                                                                         \
    for (int64_t i = 0; i < n; i++) {                                                        \
      float x = a[i];                                                                        \
      z[i] = expression;                                                                     \
    }                                                                                        \
  }
#define ROW_UNARY_P2(name, expression)                                                       \
  ROW_LINKAGE void ROW_FUNCTION(name)(float *z, const float *a, int64_t n, const float *p) { \
    float p0 = p[0], p1 = p[1];                                                              \
    for (int64_t i = 0; i < n; i++) {                                                        \
      float x = a[i];                                                                        \
      z[i] = expression;                                                                     \
    }                                                                                        \
  }

/* Long expressions exist once, which costs the fastest of them 15 % and saves half of their code: whole blocks and the rest, padded, go
 * through the same loop. P: how many parameters. */
#if defined(VLM_ROW_SMALL)
enum { ROW_BLOCK = 1 };
#else
enum { ROW_BLOCK = 16 };
#endif
#define ROW_HEAVY(name, P, expression)                                                       \
  ROW_LINKAGE void ROW_FUNCTION(name)(float *z, const float *a, int64_t n, const float *q) { \
    const float p[2] = {P > 0 ? q[0] : 0, P > 1 ? q[1] : 0};                                 \
    (void)p;                                                                                 \
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {                                             \
      float in[ROW_BLOCK] = {0}, out[ROW_BLOCK];                                             \
      size_t bytes = n - i < ROW_BLOCK ? (size_t)(n - i) * 4 : sizeof in;                    \
      if (bytes == sizeof in) memcpy(in, a + i, sizeof in);                                  \
      else memcpy(in, a + i, bytes);                                                         \
      for (int k = 0; k < ROW_BLOCK; k++) {                                                  \
        float x = in[k];                                                                     \
        out[k] = expression;                                                                 \
      }                                                                                      \
      if (bytes == sizeof in) memcpy(z + i, out, sizeof out);                                \
      else memcpy(z + i, out, bytes);                                                        \
    }                                                                                        \
  }

ROW_UNARY(sigmoid, row_sigmoid(x))
ROW_HEAVY(gelu, 0, row_gelu(x))
ROW_HEAVY(gelu_tanh, 0, row_gelu_tanh(x))
ROW_UNARY_P1(swish, x *row_sigmoid(p0 *x))
ROW_UNARY(relu, x < 0.0f ? 0.0f : x)
ROW_UNARY_P2(hard_sigmoid, row_min(row_max(p0 *x + p1, 0.0f), 1.0f))
ROW_UNARY(hard_swish, x *row_min(row_max(x *(1.0f / 6.0f) + 0.5f, 0.0f), 1.0f))

#define ROW_BINARY(name, expression)                                                            \
  ROW_LINKAGE void ROW_FUNCTION(name)(float *z, const float *a, int64_t a_step, const float *b, \
                                      int64_t b_step, int64_t n) {                              \
    if (n <= 0) return;                                                                         \
    if (a_step && b_step) {                                                                     \
      for (int64_t i = 0; i < n; i++) {                                                         \
        float x = a[i], y = b[i];                                                               \
        z[i] = expression;                                                                      \
      }                                                                                         \
    } else if (a_step) {                                                                        \
      float y = *b;                                                                             \
      for (int64_t i = 0; i < n; i++) {                                                         \
        float x = a[i];                                                                         \
        z[i] = expression;                                                                      \
      }                                                                                         \
    } else if (b_step) {                                                                        \
      float x = *a;                                                                             \
      for (int64_t i = 0; i < n; i++) {                                                         \
        float y = b[i];                                                                         \
        z[i] = expression;                                                                      \
      }                                                                                         \
    } else {                                                                                    \
      float x = *a, y = *b, value = expression;                                                 \
      for (int64_t i = 0; i < n; i++) z[i] = value;                                             \
    }                                                                                           \
  }

ROW_BINARY(add, x + y)
ROW_BINARY(mul, x *y)

static void add_scaled_row(float *z, const float *a, const float *b, float factor, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = ROW_FMA(b[i], factor, a[i]);
}

/* ---- reductions: 16 partial results in vectors of the widest kind that the level has ---- */

#if defined(__AVX__)
enum { ROW_WIDTH = 8 };
#else
enum { ROW_WIDTH = 4 };
#endif
typedef float row_vec __attribute__((vector_size(4 * ROW_WIDTH)));
typedef int32_t row_mask __attribute__((vector_size(4 * ROW_WIDTH)));
enum { ROW_VECTORS = 16 / ROW_WIDTH };

static inline row_vec row_load(const float *p) {
  row_vec v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline row_vec row_pick(row_mask mask, row_vec a, row_vec b) {
  return (row_vec)((mask & (row_mask)a) | (~mask & (row_mask)b));
}
static inline row_vec row_splat(float f) { return f - (row_vec){0}; }
static inline row_vec row_vabs(row_vec v) { return (row_vec)((row_mask)v & (0x7fffffff - (row_mask){0})); }

/* Element i of the result is element i + by of v, for the elements that are left to join. */
#ifdef __clang__
#define ROW_TURN_4(v, by) __builtin_shufflevector(v, v, (by), (by) | 1, (by) | 2, 3)
#define ROW_TURN_8(v, by) __builtin_shufflevector(v, v, (by), (by) | 1, (by) | 2, (by) | 3, 4, 5, 6, 7)
#else
#define ROW_TURN_4(v, by) __builtin_shuffle(v, (row_mask){(by), (by) | 1, (by) | 2, 3})
#define ROW_TURN_8(v, by) __builtin_shuffle(v, (row_mask){(by), (by) | 1, (by) | 2, (by) | 3, 4, 5, 6, 7})
#endif

/* Joins 16 partial results pairwise: i and i + 8, then i and i + 4, and so on. */
#if defined(__AVX__)
#define ROW_TREE(acc, join)                       \
  do {                                            \
    acc[0] = join(acc[0], acc[1]);                \
    acc[0] = join(acc[0], ROW_TURN_8(acc[0], 4)); \
    acc[0] = join(acc[0], ROW_TURN_8(acc[0], 2)); \
    acc[0] = join(acc[0], ROW_TURN_8(acc[0], 1)); \
  } while (0)
#else
#define ROW_TREE(acc, join)                       \
  do {                                            \
    acc[0] = join(acc[0], acc[2]);                \
    acc[1] = join(acc[1], acc[3]);                \
    acc[0] = join(acc[0], acc[1]);                \
    acc[0] = join(acc[0], ROW_TURN_4(acc[0], 2)); \
    acc[0] = join(acc[0], ROW_TURN_4(acc[0], 1)); \
  } while (0)
#endif

/* `step` takes a vector v into the accumulator a, `element` prepares one value v of the tail, `join` combines a and b, vectors or numbers. */
#define ROW_REDUCE(name, start, step, element, join, join_one)                                             \
  static inline row_vec name##_step(row_vec a, row_vec v) { return step; }                                 \
  static inline row_vec name##_join(row_vec a, row_vec b) { return join; }                                 \
  static inline float name##_element(float v) { return element; }                                          \
  ROW_LINKAGE float ROW_FUNCTION(name)(const float *x, int64_t n) {                                        \
    row_vec acc[ROW_VECTORS];                                                                              \
    for (int k = 0; k < ROW_VECTORS; k++) acc[k] = row_splat(start);                                       \
    int64_t i = 0;                                                                                         \
    for (; i + 16 <= n; i += 16)                                                                           \
      for (int k = 0; k < ROW_VECTORS; k++) acc[k] = name##_step(acc[k], row_load(x + i + k * ROW_WIDTH)); \
    if (i < n) {                                                                                           \
      float lane[16];                                                                                      \
      memcpy(lane, acc, sizeof lane);                                                                      \
      for (int j = 0; i + j < n; j++) {                                                                    \
        float a = lane[j], b = name##_element(x[i + j]);                                                   \
        lane[j] = join_one;                                                                                \
      }                                                                                                    \
      memcpy(acc, lane, sizeof lane);                                                                      \
    }                                                                                                      \
    ROW_TREE(acc, name##_join);                                                                            \
    return acc[0][0];                                                                                      \
  }

ROW_REDUCE(row_sum, 0.0f, a + v, v, a + b, a + b)
ROW_REDUCE(row_sumsq, 0.0f, a + v * v, v *v, a + b, a + b)
ROW_REDUCE(row_max, -INFINITY, row_pick((v > a) | (v != v), v, a), v, row_pick((b > a) | (b != b), b, a),
           b > a || b != b ? b : a)
ROW_REDUCE(row_high, -INFINITY, row_pick(v > a, v, a), v, row_pick(b > a, b, a), b > a ? b : a)
ROW_REDUCE(row_low, INFINITY, row_pick(v < a, v, a), v, row_pick(b < a, b, a), b < a ? b : a)

static void minmax_row(const float *x, int64_t n, float *low, float *high) {
  *low = row_low_row(x, n);
  *high = row_high_row(x, n);
}

/* Sum of (x - mean)^2. */
static float centred_sumsq(const float *x, int64_t n, float mean) {
  row_vec acc[ROW_VECTORS] = {{0}}, m = row_splat(mean);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int k = 0; k < ROW_VECTORS; k++) {
      row_vec d = row_load(x + i + k * ROW_WIDTH) - m;
      acc[k] = acc[k] + d * d;
    }
  if (i < n) {
    float lane[16];
    memcpy(lane, acc, sizeof lane);
    for (int j = 0; i + j < n; j++) lane[j] += (x[i + j] - mean) * (x[i + j] - mean);
    memcpy(acc, lane, sizeof lane);
  }
  ROW_TREE(acc, row_sum_join);
  return acc[0][0];
}

/* ---- softmax and norms ---- */

/* Below e^-60 nothing is left beside the largest, which is 1; denormals would make every product with them slow. */
static void exp_shifted_row(float *z, const float *x, int64_t n, float shift) {
  for (int64_t i = 0; i < n; i++) {
    float d = x[i] - shift, e = row_exp(d);
    z[i] = d < -60.0f ? 0.0f : e;
  }
}

static void softmax_row(float *z, const float *x, int64_t n) {
  if (n <= 0) return;
  exp_shifted_row(z, x, n, row_max_row(x, n));
  float inverse = 1.0f / row_sum_row(z, n);
  mul_row(z, z, 1, &inverse, 0, n);
}

static void moments_row(const float *x, int64_t n, float *mean, float *variance) {
  *mean = row_sum_row(x, n) / (float)n;
  *variance = centred_sumsq(x, n, *mean) / (float)n;
}

static void layer_norm_row(float *z, const float *x, int64_t n, const vlm_row_norm *p) {
  const float *scale = p->scale, *bias = p->bias;
  float m, variance;
  moments_row(x, n, &m, &variance);
  float r = 1.0f / __builtin_sqrtf(variance + p->eps);
  if (p->mean) *p->mean = m;
  if (p->inverse) *p->inverse = r;
  if (bias)
    for (int64_t i = 0; i < n; i++) z[i] = ROW_FMA((x[i] - m) * r, scale[i], bias[i]);
  else
    for (int64_t i = 0; i < n; i++) z[i] = (x[i] - m) * r * scale[i];
}

static void rms_norm_row(float *z, const float *x, int64_t n, const vlm_row_norm *p) {
  const float *scale = p->scale;
  float r = 1.0f / __builtin_sqrtf(row_sumsq_row(x, n) / (float)n + p->eps);
  if (p->inverse) *p->inverse = r;
  for (int64_t i = 0; i < n; i++) z[i] = x[i] * r * scale[i];
}

/* ---- quantization ---- */

/* The bounds are integers, so clamping before rounding gives what clamping after it would. */
static inline int32_t row_quantize(float x, float scale, float low, float high) {
  float q = x / scale;
  q = q > low ? q : low;
  q = q < high ? q : high;
  return (int32_t)__builtin_rintf(q);
}

static void quantize_u8_row(uint8_t *q, const float *x, int64_t n, float scale, int32_t zero) {
  float low = (float)-zero, high = (float)(255 - zero);
  for (int64_t i = 0; i < n; i++) q[i] = (uint8_t)(row_quantize(x[i], scale, low, high) + zero);
}

/* ---- rare ones ---- */

#ifdef VLM_ROW_RARE_LEVEL
#define ROW_RARE_LEVEL VLM_ROW_RARE_LEVEL
#else
#define ROW_RARE_LEVEL VLM_ROW_LEVEL
#endif
#define ROW_RARE(name) ROW_JOIN(vlm_row_##name##_, ROW_RARE_LEVEL)
#define VLM_ROW_RARE_UNARY(name) vlm_row_unary ROW_RARE(name);
#define VLM_ROW_RARE_ACTIVATION(name) VLM_ROW_RARE_UNARY(name)
#define VLM_ROW_RARE_BINARY(name) vlm_row_binary ROW_RARE(name);
#define VLM_ROW_RARE_REDUCE(name) vlm_row_reduce ROW_RARE(row_##name);
#define VLM_ROW_RARE_FUSED(name, parameters) void ROW_RARE(name) parameters;
#include "runtime/kernels/rowops.def"

#ifndef VLM_ROW_RARE_LEVEL
#undef ROW_FUNCTION
#undef ROW_LINKAGE
#define ROW_FUNCTION(name) ROW_RARE(name)
#define ROW_LINKAGE

ROW_UNARY_P1(leaky_relu, x < 0.0f ? p0 * x : x)
ROW_UNARY_P2(clip, (x < p0 ? p0 : x) > p1 ? p1 : (x < p0 ? p0 : x))
ROW_HEAVY(exp, 0, row_exp(x))
ROW_HEAVY(log, 0, row_log(x))
ROW_HEAVY(erf, 0, row_erf(x))
ROW_HEAVY(tanh, 0, row_tanh(x))
ROW_HEAVY(softplus, 0, row_softplus(x))
ROW_HEAVY(mish, 0, row_mish(x))
ROW_HEAVY(elu, 1, x < 0.0f ? p[0] * row_expm1(x) : x)
ROW_HEAVY(celu, 1, x < 0.0f ? p[0] * row_expm1(x / p[0]) : x)
ROW_HEAVY(selu, 2, p[1] * (x < 0.0f ? p[0] * row_expm1(x) : x))
ROW_UNARY(softsign, x / (1.0f + row_abs(x)))
ROW_UNARY(sqrt, __builtin_sqrtf(x))
ROW_UNARY(reciprocal, 1.0f / x)
ROW_UNARY(neg, -x)
ROW_UNARY(abs, row_abs(x))
ROW_UNARY(floor, __builtin_floorf(x))
ROW_UNARY(ceil, __builtin_ceilf(x))
ROW_UNARY(round, __builtin_rintf(x))
ROW_BINARY(sub, x - y)
ROW_BINARY(div, x / y)
ROW_BINARY(min, row_min(x, y))
ROW_BINARY(max, row_max(x, y))
ROW_REDUCE(row_min, INFINITY, row_pick((v < a) | (v != v), v, a), v, row_pick((b < a) | (b != b), b, a),
           b < a || b != b ? b : a)
ROW_REDUCE(row_absmax, 0.0f, row_pick(row_vabs(v) > a, row_vabs(v), a), row_abs(v), row_pick(b > a, b, a),
           b > a ? b : a)
ROW_REDUCE(row_sumabs, 0.0f, a + row_vabs(v), row_abs(v), a + b, a + b)
ROW_REDUCE(row_prod, 1.0f, a *v, v, a *b, a *b)

/* The exponentials go through a fixed buffer in blocks of a multiple of 16, which keeps the order of the partial sums. */
void ROW_FUNCTION(log_softmax)(float *z, const float *x, int64_t n) {
  if (n <= 0) return;
  float max = row_max_row(x, n), lane[16] = {0}, block[256];
  for (int64_t i = 0; i < n; i += 256) {
    int64_t m = n - i < 256 ? n - i : 256;
    exp_shifted_row(block, x + i, m, max);
    for (int64_t j = 0; j < m; j++) lane[j & 15] += block[j];
  }
  row_vec acc[ROW_VECTORS];
  memcpy(acc, lane, sizeof lane);
  ROW_TREE(acc, row_sum_join);
  float log_sum = row_log(acc[0][0]);
  for (int64_t i = 0; i < n; i++) z[i] = (x[i] - max) - log_sum;
}

void ROW_FUNCTION(f32_to_f16)(uint16_t *z, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = row_to_f16(x[i]);
}

void ROW_FUNCTION(bf16_to_f32)(float *z, const uint16_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = row_from_bits((uint32_t)x[i] << 16);
}

void ROW_FUNCTION(f32_to_bf16)(uint16_t *z, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = row_to_bf16(x[i]);
}

void ROW_FUNCTION(affine)(float *z, const float *x, int64_t n, const vlm_row_map *map) {
  const vlm_row_map p = *map;
  for (int64_t i = 0; i < n; i++) z[i] = ROW_FMA(x[i] - p.shift, p.factor, p.offset);
}

void ROW_FUNCTION(max_u8)(uint8_t *z, const uint8_t *a, const uint8_t *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = a[i] > b[i] ? a[i] : b[i];
}

void ROW_FUNCTION(quantize_s8)(int8_t *q, const float *x, int64_t n, float scale, int32_t zero) {
  float low = (float)(-128 - zero), high = (float)(127 - zero);
  for (int64_t i = 0; i < n; i++) q[i] = (int8_t)(row_quantize(x[i], scale, low, high) + zero);
}

void ROW_FUNCTION(dequantize_u8)(float *x, const uint8_t *q, int64_t n, float scale, int32_t zero) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)((int32_t)q[i] - zero) * scale;
}

void ROW_FUNCTION(dequantize_s8)(float *x, const int8_t *q, int64_t n, float scale, int32_t zero) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)((int32_t)q[i] - zero) * scale;
}

void ROW_FUNCTION(f16_to_f32)(float *z, const uint16_t *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) z[i] = row_from_f16(x[i]);
}
#endif

extern const vlm_rowops ROW_JOIN(vlm_rowops_, VLM_ROW_LEVEL);
const vlm_rowops ROW_JOIN(vlm_rowops_, VLM_ROW_LEVEL) = {
#define ROW_TEXT2(x) #x
#define ROW_TEXT(x) ROW_TEXT2(x)
    .name = ROW_TEXT(VLM_ROW_LEVEL),
#define VLM_ROW_UNARY(name) .name = name##_row,
#define VLM_ROW_BINARY(name) .name = name##_row,
#define VLM_ROW_REDUCE(name) .row_##name = row_##name##_row,
#define VLM_ROW_FUSED(name, parameters) .name = name##_row,
#define VLM_ROW_RARE_UNARY(name) .name = ROW_RARE(name),
#define VLM_ROW_RARE_ACTIVATION(name) VLM_ROW_RARE_UNARY(name)
#define VLM_ROW_RARE_BINARY(name) .name = ROW_RARE(name),
#define VLM_ROW_RARE_REDUCE(name) .row_##name = ROW_RARE(row_##name),
#define VLM_ROW_RARE_FUSED(name, parameters) .name = ROW_RARE(name),
#include "runtime/kernels/rowops.def"
};
