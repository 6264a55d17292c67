/* Products: rows 1 to mr of a tile, one panel of the row under test (for the C row as many smaller ones as
 * make its columns). */
#include "runtime/kernels/gemm_args.h"
#include "tests/kernels/cases.h"

typedef struct {
  size_t m, n, k;
} sizes;

static sizes sizes_of(const kernel_case *c) {
  return (sizes){(size_t)c->problem.rows, (size_t)c->problem.columns, (size_t)c->problem.depth};
}

static int at_most(size_t rest, int limit) { return rest < (size_t)limit ? (int)rest : limit; }

static const float *float_rows(kernel_case *c, size_t rows, size_t k) {
  float *a = case_input(c, CASE_F32, rows, k, 3);
  for (size_t i = 0; i < rows; i++) case_floats(c, a + i * case_stride(c), k);
  return a;
}

/* Rows of a that go on in two more places; layout 0 has them all in one. */
typedef struct {
  const float *a[3];
  size_t lda, segments;
} float_segments;

static float_segments segments_of(kernel_case *c, size_t m, size_t k) {
  float_segments s = {.segments = c->problem.layout == 0 ? 1 : 3};
  float *a = case_input(c, CASE_F32, m, s.segments * k, 3);
  s.lda = case_stride(c);
  for (size_t i = 0; i < m; i++) case_floats(c, a + i * s.lda, s.segments * k);
  for (size_t q = 0; q < s.segments; q++) s.a[q] = a + q * k;
  return s;
}

/* Columns of the tile that count: all but in layout 2, where they end in any quarter of it. */
static size_t columns_used(const kernel_case *c, size_t n) {
  const size_t cuts[] = {5, n / 4, n / 4 + 3, n / 2, n / 2 + 1, n - 1, n - n / 4 + 2};
  return c->problem.layout == 2 ? n - cuts[(size_t)c->problem.depth % (sizeof cuts / sizeof cuts[0])] : n;
}

/* A matrix of floats in place: its columns are the panels. The last panel may lack columns, which it may read but not
 * write. */
void kernel_case_gemm_f32(kernel_case *c) {
  sizes s = sizes_of(c);
  size_t used = columns_used(c, s.n), nr = (size_t)c->row->nr;
  vlm_gemm_f32_args t = {.k = s.k};
  float *out = case_output(c, CASE_F32, s.m, used, 7), *b, *bias = NULL;
  t.ldc = case_stride(c);
  float_segments a = segments_of(c, s.m, s.k);
  t.lda = a.lda;
  t.n_more = a.segments - 1;
  b = case_input(c, CASE_F32, a.segments * s.k, s.n, 5);
  t.b_stride = case_stride(c);
  for (size_t p = 0; p < a.segments * s.k; p++) case_floats(c, b + p * t.b_stride, s.n);
  if (c->problem.layout > 0) bias = case_input(c, CASE_F32, 1, used, 0);
  if (bias) case_floats(c, bias, used);
  const float **more = case_input(c, CASE_U8, 1, 2 * CASE_CALLS * sizeof *more, 0);
  for (size_t i = 0; i < s.m; i += (size_t)c->row->mr) {
    for (size_t j = 0; j < used; j += nr, more += 2) {
      for (size_t q = 0; q < t.n_more; q++) more[q] = a.a[q + 1] + i * a.lda;
      t.a_more = more;
      t.c = out + i * t.ldc + j;
      t.a = a.a[0] + i * a.lda;
      t.b = b + j;
      t.bias = bias ? bias + j : NULL;
      t.columns = used - j < nr ? at_most(used - j, c->row->nr) : 0;
      t.rows = at_most(s.m - i, c->row->mr);
      case_call(c, &t, sizeof t);
    }
  }
  c->work = 2.0 * (double)(s.m * used * s.k * a.segments);
}

/* Element (p, j) of panels of the row's width. */
static size_t float_panel_at(const kernel_case *c, size_t panel, size_t p, size_t j) {
  size_t nr = (size_t)c->row->nr;
  return j / nr * panel + p * nr + j % nr;
}

void kernel_case_gemv_f32(kernel_case *c) {
  size_t n = (size_t)c->problem.columns * VLM_GEMV_PANELS, k = (size_t)c->problem.depth,
         nr = (size_t)c->row->nr;
  float *out = case_output(c, CASE_F32, 1, n, 0), *b;
  const float *a = float_rows(c, 1, k);
  b = case_input(c, CASE_F32, n / nr, nr * k, 9);
  size_t panel = case_stride(c);
  for (size_t p = 0; p < k; p++)
    for (size_t j = 0; j < n; j++) b[float_panel_at(c, panel, p, j)] = case_float(c);
  for (size_t j = 0; j < n; j += nr * VLM_GEMV_PANELS) {
    vlm_gemv_f32_args v = {
        .c = out + j, .a = a, .b = b + j / nr * panel, .b_stride = nr, .panel_stride = panel, .k = k};
    case_call(c, &v, sizeof v);
  }
  c->work = 2.0 * (double)(n * k);
}

/* Where an integer weight lies: panels of [groups][nr][kr]. */
static size_t panel_at(const vlm_kernel *row, size_t groups, size_t p, size_t j) {
  size_t nr = (size_t)row->nr, kr = (size_t)row->kr;
  return j / nr * groups * nr * kr + (p / kr * nr + j % nr) * kr + p % kr;
}

static size_t groups_of(const kernel_case *c) {
  return ((size_t)c->problem.depth + (size_t)c->row->kr - 1) / (size_t)c->row->kr;
}

/* Layouts 1 and 2 have the rows in three segments; the weights of all follow one another. */
static size_t byte_segments(const kernel_case *c) { return c->problem.layout == 0 ? 1 : 3; }

static void fill_activations(kernel_case *c, void *a, size_t stride, const sizes *s, size_t segments) {
  size_t steps = groups_of(c) * (size_t)c->row->kr;
  for (size_t i = 0; i < s->m; i++) {
    for (size_t p = 0; p < s->k * segments; p++) {
      size_t at = i * stride + p / s->k * steps + p % s->k;
      if (c->row->a_bytes == 2) ((uint16_t *)a)[at] = case_u8(c);
      else ((uint8_t *)a)[at] = case_u8(c);
    }
  }
}

/* Activations; those behind the k of a segment stay poison. */
static const char *byte_rows(kernel_case *c, size_t *lda) {
  sizes s = sizes_of(c);
  size_t segments = byte_segments(c), steps = groups_of(c) * (size_t)c->row->kr;
  void *a = case_input(c, c->row->a_bytes == 2 ? CASE_U16 : CASE_U8, s.m, segments * steps, 4);
  *lda = case_stride(c);
  if (s.k) fill_activations(c, a, *lda, &s, segments);
  return a;
}

/* Weight (p, j) of segment q. */
static int8_t byte_weight(kernel_case *c, size_t p) { return p < (size_t)c->problem.depth ? case_s8(c) : 0; }

void kernel_case_gemm_u8s8(kernel_case *c) {
  sizes s = sizes_of(c);
  size_t groups = groups_of(c), mr = (size_t)c->row->mr, nr = (size_t)c->row->nr,
         bytes = (size_t)c->row->a_bytes;
  size_t segments = byte_segments(c), steps = groups * (size_t)c->row->kr;
  vlm_gemm_u8s8_args t = {.groups = groups, .n_more = segments - 1};
  int32_t *out = case_output(c, CASE_U32, s.m, s.n, 7);
  t.ldc = case_stride(c);
  const char *a = byte_rows(c, &t.lda);
  int8_t *b = case_input(c, CASE_U8, 1, segments * steps * s.n, 0);
  for (size_t p = 0; p < segments * steps; p++)
    for (size_t j = 0; j < s.n; j++)
      b[panel_at(c->row, segments * groups, p, j)] = byte_weight(c, steps ? p % steps : 0);
  const void **more = case_input(c, CASE_U8, 1, 2 * CASE_CALLS * sizeof *more, 0);
  for (size_t i = 0; i < s.m; i += mr) {
    for (size_t j = 0; j < s.n; j += nr, more += 2) {
      for (size_t q = 1; q < segments; q++) more[q - 1] = a + (i * t.lda + q * steps) * bytes;
      t.a_more = more;
      t.c = out + i * t.ldc + j;
      t.a = a + i * t.lda * bytes;
      t.b = b + panel_at(c->row, segments * groups, 0, j);
      t.rows = at_most(s.m - i, c->row->mr);
      case_call(c, &t, sizeof t);
    }
  }
  c->work = 2.0 * (double)(s.m * s.n * s.k * segments);
}

void kernel_case_gemm_u8s16(kernel_case *c) {
  sizes s = sizes_of(c);
  size_t groups = groups_of(c), mr = (size_t)c->row->mr, nr = (size_t)c->row->nr;
  size_t segments = byte_segments(c), steps = groups * (size_t)c->row->kr;
  vlm_gemm_u8s16_args t = {.groups = groups, .n_more = segments - 1};
  int32_t *out = case_output(c, CASE_U32, s.m, s.n, 7);
  t.ldc = case_stride(c);
  const uint16_t *a = (const uint16_t *)(const void *)byte_rows(c, &t.lda);
  int16_t *b = case_input(c, CASE_U16, 1, segments * steps * s.n, 0);
  for (size_t p = 0; p < segments * steps; p++)
    for (size_t j = 0; j < s.n; j++)
      b[panel_at(c->row, segments * groups, p, j)] = byte_weight(c, steps ? p % steps : 0);
  const void **more = case_input(c, CASE_U8, 1, 2 * CASE_CALLS * sizeof *more, 0);
  for (size_t i = 0; i < s.m; i += mr) {
    for (size_t j = 0; j < s.n; j += nr, more += 2) {
      for (size_t q = 1; q < segments; q++) more[q - 1] = a + i * t.lda + q * steps;
      t.a_more = more;
      t.c = out + i * t.ldc + j;
      t.a = a + i * t.lda;
      t.b = b + panel_at(c->row, segments * groups, 0, j);
      t.rows = at_most(s.m - i, c->row->mr);
      case_call(c, &t, sizeof t);
    }
  }
  c->work = 2.0 * (double)(s.m * s.n * s.k * segments);
}

void kernel_case_gemm_f32s8(kernel_case *c) {
  sizes s = sizes_of(c);
  vlm_gemm_f32s8_args t = {.k = s.k, .rows = (int)s.m};
  t.c = case_output(c, CASE_F32, s.m, VLM_W8_COLUMNS, 7);
  t.ldc = case_stride(c);
  t.a = float_rows(c, s.m, s.k);
  t.lda = case_stride(c);
  int8_t *b = case_input(c, CASE_U8, 1, s.k * VLM_W8_COLUMNS, 0);
  for (size_t i = 0; i < s.k * VLM_W8_COLUMNS; i++) b[i] = case_s8(c);
  t.b = b;
  case_call(c, &t, sizeof t);
  c->work = 2.0 * (double)(s.m * VLM_W8_COLUMNS * s.k);
}
