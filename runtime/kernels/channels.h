/* Between channels first ([batch][channels][positions]) and channels last ([batch][positions][channels]). */
#ifndef VLM_KERNELS_CHANNELS_H
#define VLM_KERNELS_CHANNELS_H

#include "runtime/base/threads.h"
#include "runtime/kernels/kernels.h"

/* y[b][j][i] = x[b][i][j], i < rows, j < columns; elements of 1 or 4 bytes. */
typedef struct vlm_turn {
  void *y;
  const void *x;
  int64_t batch, rows, columns;
  int bytes;
} vlm_turn;
void vlm_turn_run(const vlm_turn *turn, const vlm_kernels *kernels, vlm_threads *threads);

#endif
