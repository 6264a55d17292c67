#include "face/sized.h"

#include <string.h>

/* More than any struct will ever have: beyond it `size` was not set. */
enum { LARGEST = 4096 };

/* `size` is the first member of all of them. */
static vlm_status read_size(size_t *out, const void *theirs, const char *what, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(theirs, err, VLM_USAGE, "%s: the pointer is NULL", what);
  memcpy(out, theirs, sizeof *out);
  VLM_CHECK(*out >= sizeof *out && *out <= LARGEST, err, VLM_USAGE, "%s: size is %zu; make it with %s_init()",
            what, *out, what);
out:
  return st;
}

vlm_status vlm_sized_take(void *ours, size_t bytes, const void *theirs, const char *what, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t size = 0;
  const unsigned char *from = theirs;
  VLM_TRY(read_size(&size, theirs, what, err));
  for (size_t i = bytes; i < size; i++)
    VLM_CHECK(from[i] == 0, err, VLM_UNSUPPORTED,
              "%s: byte %zu is set, this library knows %zu; it is older than the program", what, i, bytes);
  memset(ours, 0, bytes);
  memcpy(ours, theirs, size < bytes ? size : bytes);
out:
  return st;
}

vlm_status vlm_sized_give(void *theirs, const void *ours, size_t bytes, const char *what, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t size = 0;
  VLM_TRY(read_size(&size, theirs, what, err));
  memset((char *)theirs + sizeof size, 0, size - sizeof size);
  memcpy((char *)theirs + sizeof size, (const char *)ours + sizeof size,
         (size < bytes ? size : bytes) - sizeof size);
out:
  return st;
}
