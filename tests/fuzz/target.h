/* Fuzz targets: functions that take any bytes. A defect shows as a report of a sanitizer, an abort or a time limit. */
#ifndef VLM_TESTS_FUZZ_TARGET_H
#define VLM_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

typedef void fuzz_run(const uint8_t *data, size_t size);

typedef struct fuzz_target {
  const char *name;
  fuzz_run *run;
} fuzz_target;

/* NULL-terminated name; all rows of targets.def. */
extern const fuzz_target FUZZ_TARGETS[];
const fuzz_target *fuzz_target_find(const char *name);
/* Prints what is wrong and what it is about, and aborts. */
_Noreturn void fuzz_found(const char *what);

#endif
