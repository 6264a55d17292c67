#define _GNU_SOURCE /* fopencookie */
#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

/* Characters that move the cursor, colour, retitle, or turn the direction of what follows. */
static bool steers(uint32_t code) {
  if (code == '\n' || code == '\t') return false;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

size_t vlm_clean_text(char *out, const char *text, size_t bytes, size_t *used) {
  size_t n = 0, at = 0;
  while (at < bytes) {
    uint32_t code;
    size_t size = vlm_utf8_next_partial(text + at, bytes - at, &code);
    if (code == VLM_UTF8_PARTIAL) break;
    if (code == VLM_UTF8_BAD && size == 1)
      code = (unsigned char)text[at]; /* 8-bit control characters of old terminals */
    if (steers(code)) n += (size_t)snprintf(out + n, 7, "\\u%04x", (unsigned)code);
    else memcpy(out + n, text + at, size), n += size;
    at += size;
  }
  *used = at;
  return n;
}

/* ---- streams ---- */

typedef struct {
  int fd;
  char held[4]; /* the begin of a character whose end has not been written yet */
  size_t n_held;
} edge;

static bool write_all(int fd, const char *data, size_t bytes) {
  while (bytes) {
    ssize_t n = write(fd, data, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    bytes -= (size_t)n;
  }
  return true;
}

/* As fopencookie wants it: 0 says that writing failed. */
static ssize_t write_clean(void *cookie, const char *data, size_t bytes) {
  enum { PIECE = 4096 };
  edge *e = cookie;
  char text[PIECE], clean[6 * PIECE];
  for (size_t done = 0; done < bytes;) {
    size_t n = e->n_held, used;
    memcpy(text, e->held, n);
    size_t more = bytes - done < PIECE - n ? bytes - done : PIECE - n;
    memcpy(text + n, data + done, more);
    size_t length = vlm_clean_text(clean, text, n + more, &used);
    e->n_held = n + more - used;
    memcpy(e->held, text + used, e->n_held);
    if (!write_all(e->fd, clean, length)) return 0;
    done += more;
  }
  return (ssize_t)bytes;
}

static FILE *wrapped(edge *e, FILE *plain) {
  FILE *file = fopencookie(e, "w", (cookie_io_functions_t){.write = write_clean});
  if (!file) return plain;
  setvbuf(file, NULL, e->fd == STDERR_FILENO || isatty(e->fd) ? _IOLBF : _IOFBF, BUFSIZ);
  return file;
}

void vlm_clean_streams(void) {
  static edge out = {.fd = STDOUT_FILENO}, err = {.fd = STDERR_FILENO};
  stdout = wrapped(&out, stdout);
  stderr = wrapped(&err, stderr);
}

int vlm_terminal_width(void) {
  struct winsize size = {.ws_col = 0};
  const char *columns = getenv("COLUMNS");
  int width = columns ? atoi(columns) : 0;
  if (width <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width = size.ws_col;
  if (width <= 0) width = 80;
  return width < 40 ? 40 : width > 200 ? 200 : width;
}
