/* The micro-kernels: their kinds (kinds.def), the rows of each kind (kernels.def), and the bundle chosen for
 * a set of CPU levels.
 *
 * A micro-kernel computes one register tile, or a row. Tile shape, weight layout and function belong
 * together, so they are one row. Drivers (gemm_f32.h, gemm_q8.h, gemm_w8.h, conv_f32.h, conv_q8.h) split the
 * work into tiles. Every row of a kind gives the same bytes as the C row of that kind: float tiles walk k
 * upwards with one fused multiply-add accumulator per output, integer tiles are exact.
 *
 * A kernel takes one argument struct (gemm_args.h, row_args.h, transpose_args.h), which it only reads. What
 * the pointers name belongs to the caller and is not kept; outputs overlap no input. A kernel reads and
 * writes exactly the elements that its contract names: nothing behind the last row, nothing between rows.
 * Pointers are aligned to their element type where nothing else is said. Callers name the fields that they
 * set: one that a struct gains later is 0 for them, and 0 means as before.
 *
 * Layout of packed float panels:   [N / nr][K][nr] float, zero padded to nr columns.
 * Layout of packed integer panels: [N / nr][K / kr][nr][kr] int8, zero padded to nr columns and kr steps. */
#ifndef VLM_KERNELS_KERNELS_H
#define VLM_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cpu.h"
#include "runtime/base/status.h"

#define VLM_GEMV_PANELS 4 /* panels that a gemv kernel takes at once */
#define VLM_W8_COLUMNS 64 /* columns of a weight-only panel, on every level */
#define VLM_W8_ROWS 4     /* rows of a weight-only tile, on every level */
#define VLM_TILE_MAX_ROWS 16
#define VLM_TILE_MAX_COLUMNS 64

typedef enum vlm_kernel_kind {
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) VLM_KERNEL_##kind,
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  VLM_KERNEL_KINDS
} vlm_kernel_kind;

#define VLM_KIND(kind, mr, nr, kr, a_bytes, work)     \
  typedef struct vlm_##kind##_args vlm_##kind##_args; \
  typedef void vlm_##kind##_fn(const vlm_##kind##_args *args);
#include "runtime/kernels/kinds.def"
#undef VLM_KIND

typedef struct vlm_kernel {
  vlm_kernel_kind kind;
  vlm_cpu_level level;
  const char *name; /* of the function */
  int mr, nr, kr; /* tile rows, columns, k steps that the layout keeps together (1 where it has no meaning) */
  int a_bytes;    /* bytes per activation element */
  union {
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) vlm_##kind##_fn *kind;
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  } fn;
} vlm_kernel;

/* All rows that are compiled in: the C rows in the order of kinds.def, then kernels.def. */
const vlm_kernel *vlm_kernel_table(int *count);
const char *vlm_kernel_kind_name(vlm_kernel_kind kind);

struct vlm_rowops; /* rowops.h */

/* The bundle: for each kind the best row that the CPU mask allows. */
typedef struct vlm_kernels {
  uint32_t cpu_mask;
#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) const vlm_kernel *kind;
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
  const struct vlm_rowops *rowops;
} vlm_kernels;

/* cpu_mask comes from vlm_cpu_select. */
vlm_status vlm_kernels_select(vlm_kernels *out, uint32_t cpu_mask, vlm_error *err);

#define VLM_KIND(kind, mr, nr, kr, a_bytes, work) vlm_##kind##_fn vlm_##kind##_c;
#include "runtime/kernels/kinds.def"
#undef VLM_KIND
#define X(kind, level, mr, nr, kr, a_bytes, function) vlm_##kind##_fn function;
#include "runtime/kernels/kernels.def"
#undef X

#endif
