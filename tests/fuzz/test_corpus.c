/* Every committed input of every fuzz target, once: what was found stays mended. With names of files: these alone.
 *
 *   test_corpus TARGET FILE...     */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fuzz/target.h"

enum { MOST = 1 << 20 };

static void replay(const fuzz_target *target, const char *path) {
  static char room[MOST];
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s cannot be read", path);
  const size_t size = fread(room, 1, sizeof room, file);
  fclose(file);
  /* A block of its size, so that a sanitizer sees reading beyond. */
  uint8_t *data = malloc(size ? size : 1);
  memcpy(data, room, size);
  fprintf(stderr, "%s\n", path);
  target->run(data, size);
  free(data);
}

static int replay_folder(const fuzz_target *target) {
  char path[1024];
  int n = 0;
  struct dirent *entry;
  snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", VLMQ_SOURCE_DIR, target->name);
  DIR *folder = opendir(path);
  if (!folder) fail_msg("%s is not there", path);
  while ((entry = readdir(folder)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s/%s", VLMQ_SOURCE_DIR, target->name, entry->d_name);
    replay(target, path);
    n++;
  }
  closedir(folder);
  return n;
}

static void test_corpora(void **state) {
  (void)state;
  for (const fuzz_target *t = FUZZ_TARGETS; t->name; t++) assert_true(replay_folder(t) > 0);
}

int main(int argc, char **argv) {
  const fuzz_target *target = argc > 2 ? fuzz_target_find(argv[1]) : NULL;
  for (int i = 2; target && i < argc; i++) replay(target, argv[i]);
  if (target) return 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpora)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
