#include <stdio.h>

#include "eval/evaluate.h"

vlm_memory_use vlm_memory_now(void) {
  vlm_memory_use use = {0};
  char line[256];
  long kib;
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "Private_Dirty: %ld", &kib) == 1) use.private_dirty_mib = (double)kib / 1024;
    if (sscanf(line, "Private_Clean: %ld", &kib) == 1) use.private_clean_mib = (double)kib / 1024;
  }
  if (file) fclose(file);
  return use;
}
