#define _DEFAULT_SOURCE /* madvise, MAP_ANONYMOUS */
#include "runtime/base/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/memory.h"

static vlm_status take(void **out, size_t bytes, int access, vlm_error *err) {
  *out = NULL;
  if (bytes == 0) return vlm_alloc(out, 0, 1, err);
  if (vlm_memory_fails()) return vlm_fail(err, VLM_MEMORY, "out of memory: %zu bytes wanted", bytes);
  void *data = mmap(NULL, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return vlm_fail(err, VLM_MEMORY, "out of memory: %zu bytes wanted", bytes);
  *out = data;
  return VLM_OK;
}

vlm_status vlm_pages_take(void **out, size_t bytes, vlm_error *err) {
  return take(out, bytes, PROT_READ | PROT_WRITE, err);
}
vlm_status vlm_pages_reserve(void **out, size_t bytes, vlm_error *err) {
  return take(out, bytes, PROT_NONE, err);
}

vlm_status vlm_pages_open(void *data, size_t bytes, vlm_error *err) {
  if (vlm_memory_fails() || mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0)
    return vlm_fail(err, VLM_MEMORY, "out of memory: %zu bytes wanted", bytes);
  return VLM_OK;
}

void vlm_pages_close(void *data, size_t bytes) {
  madvise(data, bytes, MADV_DONTNEED);
  mprotect(data, bytes, PROT_NONE);
}

size_t vlm_page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void vlm_pages_free(void *data, size_t bytes) {
  if (bytes == 0) vlm_free(data);
  else if (data) munmap(data, bytes);
}

enum { LARGE_PAGE = 2 << 20 };

void vlm_pages_all_used(void *data, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const uintptr_t begin = ((uintptr_t)data + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  const uintptr_t end = ((uintptr_t)data + bytes) / LARGE_PAGE * LARGE_PAGE;
  if (bytes >= 2 * LARGE_PAGE) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

void vlm_pages_drop(const void *data, size_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)data + page - 1) / page * page;
  const uintptr_t end = ((uintptr_t)data + bytes) / page * page;
  if (end > begin) madvise((void *)begin, end - begin, MADV_DONTNEED);
}
