/* Numbers, names and lists for people. */
#include <math.h>
#include <string.h>

#include "cli/inspect.h"

enum { COLUMNS = 100 };

bool vlm_says_text(const vlm_cli *cli) {
  bool json = VLM_OPTION_GIVEN(cli->args, json) && !cli->args->json;
  return !json && !cli->quiet;
}

int32_t vlm_rows_shown(const vlm_cli *cli, int32_t rows, int32_t usual) {
  int32_t most = cli->verbose ? rows : usual;
  return rows < most ? rows : most;
}

static vlm_show scaled(double n, const char *const units[5]) {
  vlm_show s;
  int u = 0;
  while (fabs(n) >= 999.95 && u < 4) {
    n /= 1000;
    u++;
  }
  snprintf(s.text, sizeof s.text, u ? "%.1f %s" : "%.0f%s%s", n,
           u           ? units[u]
           : *units[0] ? " "
                       : "",
           u ? "" : units[0]);
  return s;
}

vlm_show vlm_show_count(int64_t n) {
  static const char *const UNITS[5] = {"", "K", "M", "G", "T"};
  return n == INT64_MAX ? (vlm_show){"too many"} : scaled((double)n, UNITS);
}

vlm_show vlm_show_bytes(double bytes) {
  static const char *const UNITS[5] = {"B", "KB", "MB", "GB", "TB"};
  return scaled(bytes, UNITS);
}

vlm_show vlm_show_share(double share) {
  vlm_show s = {"0"};
  if (share > 0 && share < 1e-4) snprintf(s.text, sizeof s.text, "< 0.01 %%");
  else if (share > 0) snprintf(s.text, sizeof s.text, share < 0.1 ? "%.2f %%" : "%.1f %%", 100 * share);
  return s;
}

/* ---- names ---- */

static bool starts_character(char c) { return ((unsigned char)c & 0xC0) != 0x80; }

static int width_of(const char *text) {
  int n = 0;
  for (; *text; text++) n += starts_character(*text);
  return n;
}

const char *vlm_show_clean(char *out, size_t size, const char *text) {
  size_t n = strlen(text);
  if (n >= size) {
    n = size - 1;
    while (n && !starts_character(text[n])) n--;
  }
  for (size_t i = 0; i < n; i++) out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
  out[n] = 0;
  return out;
}

/* Bytes of the first `characters` characters. */
static size_t prefix_bytes(const char *text, int characters) {
  size_t n = 0;
  for (; text[n]; n++)
    if (starts_character(text[n]) && characters-- == 0) break;
  return n;
}

const char *vlm_show_cell(char *out, size_t size, const char *text, int width) {
  char clean[512];
  vlm_show_clean(clean, sizeof clean, text);
  bool fill = width > 0;
  int have = width_of(clean);
  if (!fill) width = -width;
  if (have <= width) {
    snprintf(out, size, "%s%*s", clean, fill ? width - have : 0, "");
    return out;
  }
  int head = (width - 1) / 4, tail = width - 1 - head; /* the end of a name tells more than its start */
  snprintf(out, size, "%.*s…%s", (int)prefix_bytes(clean, head), clean,
           clean + prefix_bytes(clean, have - tail));
  return out;
}

/* ---- lists ---- */

void vlm_show_begin(vlm_show_list *list, const char *label) {
  fputs(label, stdout);
  list->indent = list->column = width_of(label);
}

void vlm_show_word(vlm_show_list *list, const char *word) {
  char clean[512];
  vlm_show_clean(clean, sizeof clean, word);
  int width = width_of(clean);
  if (list->column > list->indent) {
    if (list->column + 2 + width > COLUMNS - 1) {
      printf(",\n%*s", list->indent, "");
      list->column = list->indent;
    } else {
      fputs(", ", stdout);
      list->column += 2;
    }
  }
  fputs(clean, stdout);
  list->column += width;
}

void vlm_show_end(vlm_show_list *list) {
  putchar('\n');
  list->column = list->indent;
}
