/* The one user of PCRE2. */
#include "runtime/text/tok_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

enum { MATCH_STEPS = 20 << 20, NESTING = 100 };
#define MAX_PATTERN ((size_t)1 << 16)

struct vlm_regex {
  pcre2_code *code;
};

/* PCRE2 takes its memory from an arena, which gives everything back at once. */
static void *take(PCRE2_SIZE bytes, void *arena) {
  void *memory;
  return vlm_arena_alloc(arena, &memory, bytes, 1, NULL) == VLM_OK ? memory : NULL;
}
static void give(void *memory, void *arena) {
  (void)memory;
  (void)arena;
}

/* ---- dialect ---- */

/* Word characters; the superscripts and fractions of Latin-1 are a peculiarity of Oniguruma. */
#define WORD_SET "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

/* Escapes whose meaning differs: outside brackets and as members of a set. NULL = cannot be said. */
static const struct escape {
  char letter;
  const char *outside, *inside;
} escapes[] = {
    {'s', "\\p{White_Space}", "\\p{White_Space}"},
    {'S', "\\P{White_Space}", "\\P{White_Space}"},
    {'h', "[0-9A-Fa-f]", "0-9A-Fa-f"},
    {'H', "[^0-9A-Fa-f]", NULL},
    {'w', "[" WORD_SET "]", WORD_SET},
    {'W', "[^" WORD_SET "]", NULL},
};

static const char *translate_escape(char letter, bool in_set) {
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    if (escapes[i].letter == letter) return in_set ? escapes[i].inside : escapes[i].outside;
  }
  return NULL;
}

static pcre2_code *compile(vlm_slice p, pcre2_compile_context *context, int *code, size_t *at) {
  return pcre2_compile((PCRE2_SPTR)p.data, p.bytes,
                       PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, code, at, context);
}

/* A script name in \p{…} means the script alone, not the scripts a character is also used in. `at` is that of the p. Returns how many bytes
 * of the pattern were replaced, 0 when it is no script. */
static size_t translate_script(vlm_builder *b, vlm_slice p, size_t at, pcre2_compile_context *context) {
  char text[48];
  int code = 0;
  size_t position;
  const char *close = memchr(p.data + at, '}', p.bytes - at);
  const int name = close ? (int)(close - (p.data + at + 2)) : 0;
  if (at + 1 >= p.bytes || p.data[at + 1] != '{' || name < 3 || name > 32) return 0;
  const int bytes = snprintf(text, sizeof text, "\\%c{sc:%.*s}", p.data[at], name, p.data + at + 2);
  if (!compile((vlm_slice){text, (size_t)bytes}, context, &code, &position)) {
    if (code == PCRE2_ERROR_HEAP_FAILED)
      b->status = vlm_fail(b->err, VLM_MEMORY, "out of memory for a regular expression");
    return 0;
  }
  vlm_builder_add(b, (vlm_slice){text, (size_t)bytes});
  return (size_t)name + 3;
}

/* A `[` within a set: a union member, whose brackets may go, unless it is [:name:] or negated. */
static bool opens_union(vlm_slice p, size_t i) {
  return i + 1 < p.bytes && p.data[i + 1] != ':' && p.data[i + 1] != '^';
}

static vlm_status translate(vlm_arena *arena, vlm_slice *out, vlm_slice p, pcre2_compile_context *context,
                            vlm_error *err) {
  vlm_builder b = vlm_builder_start(arena, err);
  size_t depth = 0, set_start = 0;
  for (size_t i = 0; i < p.bytes; i++) {
    const char c = p.data[i];
    const char *text = NULL;
    if (c == '\\' && i + 1 < p.bytes) {
      const char letter = p.data[++i];
      const size_t script = letter == 'p' || letter == 'P' ? translate_script(&b, p, i, context) : 0;
      text = translate_escape(letter, depth > 0);
      if (script) i += script - 1;
      else if (text) vlm_builder_add(&b, vlm_slice_of(text));
      else vlm_builder_add(&b, vlm_slice_part(p, i - 1, i + 1));
      continue;
    }
    if (c == '[' && depth == 0) {
      depth = 1;
      set_start = i + (i + 1 < p.bytes && p.data[i + 1] == '^');
    } else if (c == '[' && opens_union(p, i)) {
      depth++;
      continue;
    } else if (c == ']' && depth > 0 && i > set_start + 1 && --depth > 0) {
      continue;
    }
    vlm_builder_add(&b, vlm_slice_part(p, i, i + 1));
  }
  return vlm_builder_done(&b, out);
}

/* ---- compile and match ---- */

vlm_status vlm_regex_create(vlm_regex **out, vlm_arena *arena, vlm_slice pattern, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_slice p;
  int code = 0;
  size_t at = 0;
  PCRE2_UCHAR message[160] = "";
  VLM_CHECK(pattern.bytes <= MAX_PATTERN, err, VLM_LIMIT,
            "regular expression of %zu bytes, at most %zu are accepted", pattern.bytes, MAX_PATTERN);
  VLM_TRY(vlm_arena_alloc(arena, &memory, 1, sizeof **out, err));
  *out = memory;
  pcre2_general_context *general = pcre2_general_context_create(take, give, arena);
  pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
  VLM_CHECK(context, err, VLM_MEMORY, "out of memory for a regular expression");
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context, NESTING);
  VLM_TRY(translate(arena, &p, pattern, context, err));
  (*out)->code = compile(p, context, &code, &at);
  VLM_CHECK((*out)->code || code != PCRE2_ERROR_HEAP_FAILED, err, VLM_MEMORY,
            "out of memory for a regular expression");
  if (!(*out)->code) pcre2_get_error_message(code, message, sizeof message);
  VLM_CHECK((*out)->code, err, VLM_INPUT, "regular expression \"%.*s\" cannot be used: %s (near byte %zu)",
            (int)(pattern.bytes < 200 ? pattern.bytes : 200), pattern.data, (const char *)message, at);
out:
  return st;
}

static vlm_status add_range(vlm_arena *arena, vlm_text_range **ranges, size_t *count, size_t *room,
                            vlm_text_range range, vlm_error *err) {
  void *memory = *ranges;
  const vlm_status st = vlm_tok_grow(arena, &memory, *count, room, *count + 1, sizeof range, err);
  *ranges = memory;
  if (st == VLM_OK) (*ranges)[(*count)++] = range;
  return st;
}

vlm_status vlm_regex_find_all(const vlm_regex *regex, vlm_arena *arena, vlm_slice text,
                              vlm_text_range **ranges, size_t *count, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t room = 0, at = 0;
  *ranges = NULL;
  *count = 0;
  pcre2_general_context *general = pcre2_general_context_create(take, give, arena);
  pcre2_match_context *context = general ? pcre2_match_context_create(general) : NULL;
  pcre2_match_data *data = general ? pcre2_match_data_create(1, general) : NULL;
  VLM_CHECK(context && data, err, VLM_MEMORY, "out of memory for matching a regular expression");
  pcre2_set_match_limit(context, MATCH_STEPS);
  while (at <= text.bytes) {
    /* The text is checked once: matching what is no UTF-8 reads outside. */
    const int rc = pcre2_match(regex->code, (PCRE2_SPTR)text.data, text.bytes, at,
                               at ? PCRE2_NO_UTF_CHECK : 0, data, context);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    VLM_CHECK(rc != PCRE2_ERROR_NOMEMORY, err, VLM_MEMORY, "out of memory for matching a regular expression");
    VLM_CHECK(rc >= 0, err, VLM_LIMIT,
              "matching a regular expression gave up (PCRE2 code %d) on a text of %zu bytes", rc, text.bytes);
    const size_t *range = pcre2_get_ovector_pointer(data);
    VLM_CHECK(range[0] <= range[1] && range[1] <= text.bytes, err, VLM_UNSUPPORTED,
              "a regular expression matched backwards (\\K in a look-around)");
    VLM_TRY(add_range(arena, ranges, count, &room, (vlm_text_range){range[0], range[1]}, err));
    at = range[1];
    if (range[0] == range[1]) { /* an empty match: the search goes on one character later */
      uint32_t code;
      at += at < text.bytes ? vlm_slice_code(vlm_slice_part(text, at, text.bytes), &code) : 1;
    }
  }
out:
  return st;
}
