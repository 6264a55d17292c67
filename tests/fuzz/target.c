#include "tests/fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_TARGET(name) fuzz_run fuzz_on_##name;
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET

const fuzz_target FUZZ_TARGETS[] = {
#define FUZZ_TARGET(name) {#name, fuzz_on_##name},
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET
    {NULL, NULL},
};

const fuzz_target *fuzz_target_find(const char *name) {
  for (const fuzz_target *t = FUZZ_TARGETS; t->name; t++)
    if (strcmp(t->name, name) == 0) return t;
  return NULL;
}

void fuzz_found(const char *what) {
  fprintf(stderr, "found: %s\n", what);
  abort();
}
