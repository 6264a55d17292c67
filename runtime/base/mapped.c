#include "runtime/base/mapped.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Fixed slots, because a signal handler may not lock: a slot is taken, filled, and only then shows its address. */
enum { SLOTS = 64, PATH_BYTES = 1024 };
static struct {
  atomic_bool taken;
  _Atomic(const void *) data; /* NULL = nothing here */
  size_t bytes;
  char path[PATH_BYTES];
} slots[SLOTS];

void vlm_mapped_add(const void *data, size_t bytes, const char *path) {
  if (strlen(path) >= PATH_BYTES) return;
  for (int i = 0; i < SLOTS; i++) {
    if (atomic_exchange(&slots[i].taken, true)) continue;
    slots[i].bytes = bytes;
    strcpy(slots[i].path, path);
    atomic_store(&slots[i].data, data);
    return;
  }
}

void vlm_mapped_remove(const void *data) {
  for (int i = 0; i < SLOTS; i++) {
    if (atomic_load(&slots[i].data) != data) continue;
    atomic_store(&slots[i].data, NULL);
    atomic_store(&slots[i].taken, false);
    return;
  }
}

const char *vlm_mapped_path(const void *address) {
  for (int i = 0; i < SLOTS; i++) {
    const void *data = atomic_load(&slots[i].data);
    if (data && (uintptr_t)address >= (uintptr_t)data &&
        (uintptr_t)address - (uintptr_t)data < slots[i].bytes)
      return slots[i].path;
  }
  return NULL;
}
