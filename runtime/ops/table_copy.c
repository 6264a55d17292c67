#include "runtime/ops/table_copy.h"

#include <string.h>

static void fill(char *dst, const void *value, size_t item, size_t bytes) {
  if (bytes == 0) return;
  memcpy(dst, value, item);
  for (size_t done = item; done < bytes; done *= 2)
    memcpy(dst + done, dst, done * 2 < bytes ? done : bytes - done);
}

/* The last axis: runs of consecutive indices move together; 4-byte elements that jump are picked one by one. */
static void copy_last(const vlm_table_copy *job, char *dst, const char *src) {
  int last = job->rank - 1;
  const int64_t *index = job->index[last];
  int64_t n = job->dims[last], stride = job->strides[last];
  for (int64_t i = 0; i < n;) {
    int64_t k = index[i], same = 1;
    if (k < 0) {
      while (i + same < n && index[i + same] < 0) same++;
      fill(dst + (size_t)i * job->run, job->constant, job->item, (size_t)same * job->run);
    } else {
      while (i + same < n && index[i + same] == k + same) same++;
      if (same == 1 && job->run == sizeof(uint32_t)) {
        for (same = 0; i + same < n && index[i + same] >= 0; same++)
          ((uint32_t *)(void *)dst)[i + same] =
              *(const uint32_t *)(const void *)(src + index[i + same] * stride);
      } else {
        memcpy(dst + (size_t)i * job->run, src + k * stride, (size_t)same * job->run);
      }
    }
    i += same;
  }
}

static void copy_row(const vlm_table_copy *job, int64_t row) {
  int last = job->rank - 1;
  size_t width = (size_t)job->dims[last] * job->run;
  char *dst = (char *)job->dst + (size_t)row * width;
  const char *src = job->src;
  for (int i = last - 1; i >= 0; i--) {
    int64_t k = job->index[i][row % job->dims[i]];
    row /= job->dims[i];
    if (k < 0) {
      fill(dst, job->constant, job->item, width);
      return;
    }
    src += k * job->strides[i];
  }
  copy_last(job, dst, src);
}

static void copy_rows(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t row = begin; row < end; row++) copy_row(user, row);
}

void vlm_table_copy_run(vlm_threads *threads, const vlm_table_copy *job) {
  int64_t rows = 1, width = job->dims[job->rank - 1] * (int64_t)job->run;
  for (int i = 0; i < job->rank - 1; i++) rows *= job->dims[i];
  if (rows == 0 || width == 0) return;
  vlm_threads_range(threads, rows, 65536 / width + 1, copy_rows, (void *)(uintptr_t)job);
}
