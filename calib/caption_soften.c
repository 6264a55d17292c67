#include <string.h>

#include "calib/caption_read.h"
#include "runtime/base/buffer.h"

enum { DIGITS = 18 }; /* always fit 64 bits */

/* How many characters at `at` are a word that JSON has not; minus sign included. */
static size_t odd_word(const char *at, const char *end) {
  static const char *const WORDS[] = {"NaN", "Infinity", "-Infinity", "-NaN"};
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
    const size_t n = strlen(WORDS[i]);
    if ((size_t)(end - at) >= n && memcmp(at, WORDS[i], n) == 0) return n;
  }
  return 0;
}

/* How many characters at `at`, where a number begins, are a whole number that is too large; 0 = something else. */
static size_t large_number(const char *at, const char *end) {
  const char *c = at + (*at == '-');
  while (c < end && *c >= '0' && *c <= '9') c++;
  if (c - at <= DIGITS || (c < end && strchr(".eE", *c))) return 0;
  return (size_t)(c - at);
}

/* Behind the text that begins at `at`. */
static const char *skip_text(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++) at += *at == '\\' && at + 1 < end;
  return at < end ? at + 1 : end;
}

static const char *skip_number(const char *at, const char *end) {
  while (at < end && strchr("+-.0123456789eE", *at) && *at) at++;
  return at;
}

vlm_status vlm_caption_soften(char **out, size_t *out_bytes, const char *text, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text made = {0};
  const char *end = text + bytes, *done = text;
  *out = NULL;
  for (const char *at = text; at < end;) {
    const bool number = *at == '-' || (*at >= '0' && *at <= '9');
    const size_t odd = *at == 'N' || *at == 'I' || *at == '-' ? odd_word(at, end) : 0,
                 large = number && !odd ? large_number(at, end) : 0;
    if (odd || large) {
      VLM_TRY(vlm_text_append(&made, done, (size_t)(at - done), err));
      VLM_TRY(vlm_text_print(&made, err, odd ? "[]" : "\"%.*s\"", (int)large, at));
      done = at += odd + large;
    } else {
      at = *at == '"' ? skip_text(at, end) : number ? skip_number(at, end) : at + 1;
    }
  }
  if (done == text) goto out;
  VLM_TRY(vlm_text_append(&made, done, (size_t)(end - done), err));
  *out_bytes = made.bytes;
  VLM_TRY(vlm_strdup(out, vlm_text_get(&made), err));
out:
  vlm_text_free(&made);
  return st;
}
