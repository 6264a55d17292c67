#include "tests/fuzz/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[128];

static void remove_file(void) { unlink(path); }

const char *fuzz_file(const char *suffix, const uint8_t *data, size_t size) {
  if (!path[0]) atexit(remove_file);
  else unlink(path);
  snprintf(path, sizeof path, "/tmp/vlmq-fuzz-%ld%s", (long)getpid(), suffix);
  FILE *file = fopen(path, "wb");
  if (!file) return NULL;
  const size_t written = fwrite(data, 1, size, file);
  return fclose(file) == 0 && written == size ? path : NULL;
}

char *fuzz_text(const uint8_t **data, size_t *size) {
  const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
  const size_t n = end ? (size_t)(end - *data) : *size, used = end ? n + 1 : n;
  char *text = malloc(n + 1);
  if (n) memcpy(text, *data, n);
  text[n] = 0;
  *data += used;
  *size -= used;
  return text;
}
