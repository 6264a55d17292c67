#include "runtime/ops/nd_copy.h"

#include <string.h>

#define TILE 16     /* side of a transposed block: whole cache lines on both sides for 4-byte elements */
#define NARROW 4    /* a transpose with fewer columns goes column by column */
#define STRIP 64    /* rows handled as one piece of work */
#define GRAIN 65536 /* bytes worth one piece of parallel work */

/* A plan on the memory of one copy. */
typedef struct nd_job {
  const vlm_nd_plan *p;
  char *dst;
  const char *src;
} nd_job;

void vlm_nd_push(vlm_nd *nd, int64_t dim, int64_t dst_stride, int64_t src_stride) {
  nd->dims[nd->rank] = dim;
  nd->dst[nd->rank] = dst_stride;
  nd->src[nd->rank] = src_stride;
  nd->rank++;
}

size_t vlm_item_size(const vlm_tensor *t) { return (size_t)vlm_dtype_bits(t->dtype) / 8; }

void vlm_byte_strides(const vlm_tensor *t, int64_t *strides) {
  int64_t s = (int64_t)vlm_item_size(t);
  for (int i = t->rank - 1; i >= 0; i--) {
    strides[i] = s;
    if (__builtin_mul_overflow(s, t->dims[i], &s))
      s = 0; /* only where another dim is 0: nothing is addressed */
  }
}

/* Drops unit dims and joins neighbours that are one run on both sides. */
static void collapse(vlm_nd *out, const vlm_nd *in) {
  out->rank = 0;
  for (int i = 0; i < in->rank; i++) {
    if (in->dims[i] == 1) continue;
    int k = out->rank - 1;
    if (k >= 0 && out->dst[k] == in->dst[i] * in->dims[i] && out->src[k] == in->src[i] * in->dims[i]) {
      out->dims[k] *= in->dims[i];
      out->dst[k] = in->dst[i];
      out->src[k] = in->src[i];
    } else {
      vlm_nd_push(out, in->dims[i], in->dst[i], in->src[i]);
    }
  }
}

#define STRIDED(type)                                                                         \
  static void strided_##type(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n) { \
    for (int64_t i = 0; i < n; i++)                                                           \
      *(type *)(void *)(dst + i * ds) = *(const type *)(const void *)(src + i * ss);          \
  }
STRIDED(uint8_t)
STRIDED(uint16_t)
STRIDED(uint32_t)
STRIDED(uint64_t)

static void move_strided(size_t item, char *dst, int64_t ds, const char *src, int64_t ss, int64_t n) {
  switch (item) {
    case 1: strided_uint8_t(dst, ds, src, ss, n); break;
    case 2: strided_uint16_t(dst, ds, src, ss, n); break;
    case 4: strided_uint32_t(dst, ds, src, ss, n); break;
    default: strided_uint64_t(dst, ds, src, ss, n); break;
  }
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
typedef uint32_t u32x4 __attribute__((vector_size(16), aligned(4), may_alias));

/* dst[r][c] = src[c][r] for a 4x4 block of 4-byte elements. */
static inline void transpose_4x4(char *dst, int64_t ds, const char *src, int64_t ss) {
  u32x4 a = *(const u32x4 *)(const void *)src, b = *(const u32x4 *)(const void *)(src + ss);
  u32x4 c = *(const u32x4 *)(const void *)(src + 2 * ss), d = *(const u32x4 *)(const void *)(src + 3 * ss);
  u32x4 ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  u32x4 cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(u32x4 *)(void *)dst = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
  *(u32x4 *)(void *)(dst + ds) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
  *(u32x4 *)(void *)(dst + 2 * ds) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
  *(u32x4 *)(void *)(dst + 3 * ds) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
}
#endif
#endif

/* dst rows `ds` apart and dense; src columns dense, rows `ss` apart: dst[r][c] = src[c][r]. */
typedef struct {
  size_t item;
  int64_t ds, ss;
} transposed;

static void transpose_tile(const transposed *t, char *dst, const char *src, int64_t rows, int64_t cols) {
  const size_t item = t->item;
  const int64_t ds = t->ds, ss = t->ss;
#ifdef HAVE_SHUFFLE
  if (item == 4 && rows == TILE && cols == TILE) {
    for (int r = 0; r < TILE; r += 4)
      for (int c = 0; c < TILE; c += 4) transpose_4x4(dst + r * ds + c * 4, ds, src + c * ss + r * 4, ss);
    return;
  }
#endif
  for (int64_t r = 0; r < rows; r++)
    move_strided(item, dst + r * ds, (int64_t)item, src + r * (int64_t)item, ss, cols);
}

static void transpose_2d(const transposed *t, char *dst, const char *src, int64_t rows, int64_t cols) {
  const int64_t size = (int64_t)t->item, ds = t->ds, ss = t->ss;
  if (cols < NARROW) {
    for (int64_t c = 0; c < cols; c++) move_strided(t->item, dst + c * size, ds, src + c * ss, size, rows);
    return;
  }
  for (int64_t c = 0; c < cols; c += TILE) {
    int64_t nc = cols - c < TILE ? cols - c : TILE;
    for (int64_t r = 0; r < rows; r += TILE) {
      int64_t nr = rows - r < TILE ? rows - r : TILE;
      transpose_tile(t, dst + r * ds + c * size, src + c * ss + r * size, nr, nc);
    }
  }
}

/* Rows of the last dim, each one run or element by element. */
static void move_rows(const vlm_nd_plan *p, char *dst, const char *src, int64_t rows) {
  const vlm_nd *nd = &p->nd;
  int last = nd->rank - 1;
  int64_t size = (int64_t)p->item, n = nd->dims[last], ds = p->rows < 0 ? 0 : nd->dst[p->rows],
          ss = p->rows < 0 ? 0 : nd->src[p->rows];
  bool dense = nd->dst[last] == size && nd->src[last] == size;
  for (int64_t r = 0; r < rows; r++) {
    if (dense) memcpy(dst + r * ds, src + r * ss, (size_t)(n * size));
    else move_strided(p->item, dst + r * ds, nd->dst[last], src + r * ss, nd->src[last], n);
  }
}

static void run_piece(const nd_job *job, int64_t index) {
  const vlm_nd_plan *p = job->p;
  const vlm_nd *nd = &p->nd;
  int last = nd->rank - 1;
  char *dst = job->dst;
  const char *src = job->src;
  int64_t rows = 1;
  if (p->rows >= 0) {
    int64_t strip = index % p->strips * STRIP;
    index /= p->strips;
    rows = nd->dims[p->rows] - strip < STRIP ? nd->dims[p->rows] - strip : STRIP;
    dst += strip * nd->dst[p->rows];
    src += strip * nd->src[p->rows];
  }
  for (int i = last - 1; i >= 0; i--) {
    if (i == p->rows) continue;
    int64_t k = index % nd->dims[i];
    index /= nd->dims[i];
    dst += k * nd->dst[i];
    src += k * nd->src[i];
  }
  if (p->transposed)
    transpose_2d(&(transposed){p->item, nd->dst[p->rows], nd->src[last]}, dst, src, rows, nd->dims[last]);
  else move_rows(p, dst, src, rows);
}

static void run_range(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t i = begin; i < end; i++) run_piece(user, i);
}

/* The dim to transpose against the last one, when the source is not dense along the last; -1 = none. */
static int find_swap(const vlm_nd *nd, size_t item) {
  int last = nd->rank - 1;
  if (nd->dst[last] != (int64_t)item || nd->src[last] == (int64_t)item) return -1;
  for (int i = last - 1; i >= 0; i--)
    if (nd->src[i] == (int64_t)item && nd->dims[i] >= NARROW) return i;
  return -1;
}

typedef struct bytes_job {
  char *dst;
  const char *src;
} bytes_job;

static void run_bytes(void *user, int64_t begin, int64_t end, int worker) {
  bytes_job *job = user;
  (void)worker;
  memcpy(job->dst + begin, job->src + begin, (size_t)(end - begin));
}

void vlm_copy_bytes(vlm_threads *threads, void *dst, const void *src, size_t bytes) {
  bytes_job job = {dst, src};
  if (bytes == 0) return;
  if (bytes < 4 * GRAIN) run_bytes(&job, 0, (int64_t)bytes, 0);
  else vlm_threads_range(threads, (int64_t)bytes, 2 * GRAIN, run_bytes, &job);
}

void vlm_nd_plan_make(vlm_nd_plan *p, const vlm_nd *nd, size_t item) {
  *p = (vlm_nd_plan){.item = item, .strips = 1, .rows = -1};
  for (int i = 0; i < nd->rank; i++)
    if (nd->dims[i] == 0) return;
  collapse(&p->nd, nd);
  if (p->nd.rank == 0) vlm_nd_push(&p->nd, 1, (int64_t)item, (int64_t)item);
  int last = p->nd.rank - 1;
  p->one_run = last == 0 && p->nd.dst[0] == (int64_t)item && p->nd.src[0] == (int64_t)item;
  p->pieces = 1;
  if (p->one_run) return;
  p->rows = find_swap(&p->nd, item);
  p->transposed = p->rows >= 0;
  if (!p->transposed) p->rows = last - 1;
  int64_t piece_bytes = p->nd.dims[last] * (int64_t)item;
  for (int i = 0; i < last; i++)
    if (i != p->rows) p->pieces *= p->nd.dims[i];
  if (p->rows >= 0) {
    p->strips = (p->nd.dims[p->rows] + STRIP - 1) / STRIP;
    p->pieces *= p->strips;
    piece_bytes *= p->nd.dims[p->rows] < STRIP ? p->nd.dims[p->rows] : STRIP;
  }
  p->grain = GRAIN / (piece_bytes > 0 ? piece_bytes : 1) + 1;
}

void vlm_nd_plan_run(const vlm_nd_plan *p, vlm_threads *threads, void *dst, const void *src) {
  nd_job job = {p, dst, src};
  if (p->pieces == 0) return;
  if (p->one_run) vlm_copy_bytes(threads, dst, src, (size_t)p->nd.dims[0] * p->item);
  else if (p->pieces <= p->grain) run_range(&job, 0, p->pieces, 0);
  else vlm_threads_range(threads, p->pieces, p->grain, run_range, &job);
}

void vlm_nd_copy(vlm_threads *threads, const vlm_nd *nd, size_t item, void *dst, const void *src) {
  vlm_nd_plan p;
  vlm_nd_plan_make(&p, nd, item);
  vlm_nd_plan_run(&p, threads, dst, src);
}
