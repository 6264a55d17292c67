/* libFuzzer's entry: the target is named by VLMQ_FUZZ (default: graph). */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const fuzz_target *target;
  const char *name = getenv("VLMQ_FUZZ");
  if (!target) target = fuzz_target_find(name ? name : "graph");
  if (!target) {
    fprintf(stderr, "VLMQ_FUZZ: there is no target \"%s\"\n", name);
    exit(2);
  }
  target->run(data, size);
  return 0;
}
