#include "cli/help_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vlm_option_synopsis(char *out, size_t size, const vlm_option_row *row) {
  bool before = row->also && strlen(row->also) < strlen(row->name);
  const char *first = before ? row->also : row->name, *second = before ? row->name : row->also;
  const char *value = row->value ? row->value : "", *dots = row->type == VLM_TYPE_paths ? "..." : "";
  int n = snprintf(out, size, "%s%s%s", first, second ? ", " : "", second ? second : "");
  if (n < 0 || (size_t)n >= size) return;
  if (row->type == VLM_TYPE_json_out) snprintf(out + n, size - (size_t)n, "[=%s]", value);
  else if (*value) snprintf(out + n, size - (size_t)n, " %s%s", value, dots);
}

/* Appends; "; " goes between the facts. */
static void add_fact(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add_fact(char *out, size_t size, const char *format, ...) {
  size_t used = strlen(out);
  va_list list;
  used += (size_t)snprintf(out + used, size - used, "%s", used ? "; " : "(");
  if (used >= size) return;
  va_start(list, format);
  vsnprintf(out + used, size - used, format, list);
  va_end(list);
}

/* "zstd or raw". */
static void list_choices(char *out, size_t size, const char *choices) {
  vlm_slice word, next;
  size_t used = 0;
  bool more = vlm_next_word(&choices, &word);
  for (bool first = true; more && used < size; first = false) {
    more = vlm_next_word(&choices, &next);
    used += (size_t)snprintf(out + used, size - used, "%s%.*s",
                             first  ? ""
                             : more ? ", "
                                    : " or ",
                             (int)word.bytes, word.data);
    word = next;
  }
}

void vlm_option_facts(char *out, size_t size, const vlm_option_row *row) {
  char choices[192] = "";
  const char *standard = row->standard ? row->standard : row->otherwise;
  *out = 0;
  if (row->choices) list_choices(choices, sizeof choices, row->choices);
  if (*choices) add_fact(out, size, "%s", choices);
  if (row->high && row->high < INT32_MAX && row->type == VLM_TYPE_integer)
    add_fact(out, size, "%lld to %lld", (long long)row->low, (long long)row->high);
  if (standard) add_fact(out, size, "default: %s", standard);
  size_t used = strlen(out);
  if (used) snprintf(out + used, size - used, ")");
}

int vlm_columns(const char *text, size_t bytes) {
  int columns = 0;
  for (size_t i = 0; i < bytes; i++) columns += ((unsigned char)text[i] & 0xC0) != 0x80;
  return columns;
}

bool vlm_next_word_of_shell(const char **at, vlm_slice *word) {
  bool quoted = false;
  const char *end;
  while (**at == ' ') ++*at;
  for (end = *at; *end && *end != '\n' && (quoted || *end != ' '); end++) quoted ^= *end == '"';
  *word = (vlm_slice){*at, (size_t)(end - *at)};
  *at = end;
  return word->bytes > 0;
}

bool vlm_next_line(const char **at, vlm_slice *line) {
  *line = (vlm_slice){*at, strcspn(*at, "\n")};
  *at += line->bytes + ((*at)[line->bytes] == '\n');
  return line->bytes > 0;
}
