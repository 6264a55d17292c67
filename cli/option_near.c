/* What was probably meant by a name that no option has. */
#include <ctype.h>
#include <string.h>

#include "cli/option_row.h"

enum { LONGEST = 32 };

/* Lower case, "-" for "_", without the dashes in front. */
static size_t plain(char out[LONGEST], const char *name, size_t length) {
  size_t n = 0;
  while (length && (*name == '-' || *name == '_')) name++, length--;
  for (; n < length && n < LONGEST; n++)
    out[n] = name[n] == '_' ? '-' : (char)tolower((unsigned char)name[n]);
  return n;
}

/* How many letters are wrong, missing, too many or swapped with their neighbour. */
static int distance(const char *a, size_t n, const char *b, size_t m) {
  int rows[3][LONGEST + 1];
  for (size_t k = 0; k <= m; k++) rows[0][k] = (int)k;
  for (size_t i = 1; i <= n; i++) {
    int *now = rows[i % 3];
    const int *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    now[0] = (int)i;
    for (size_t k = 1; k <= m; k++) {
      int best = last[k - 1] + (a[i - 1] != b[k - 1]);
      if (last[k] + 1 < best) best = last[k] + 1;
      if (now[k - 1] + 1 < best) best = now[k - 1] + 1;
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && before[k - 2] + 1 < best)
        best = before[k - 2] + 1;
      now[k] = best;
    }
  }
  return rows[n % 3][m];
}

/* 0 is the same; a beginning of three letters or more counts as one wrong letter. */
static int how_far(const char *name, size_t length, const char *other, size_t other_length) {
  char a[LONGEST], b[LONGEST];
  size_t n = plain(a, name, length), m = plain(b, other, other_length);
  int far = distance(a, n, b, m);
  size_t shorter = n < m ? n : m;
  if (shorter >= 3 && memcmp(a, b, shorter) == 0 && far > 1) far = 1;
  return far;
}

static int how_far_row(const vlm_option_row *row, const char *name, size_t length) {
  int far = how_far(name, length, row->name, strlen(row->name));
  const char *others[] = {row->also, row->known_as};
  for (int i = 0; i < 2; i++) {
    vlm_slice word;
    for (const char *at = others[i]; vlm_next_word(&at, &word);) {
      int that = length == word.bytes && memcmp(word.data, name, length) == 0
                     ? 0
                     : how_far(name, length, word.data, word.bytes);
      if (that < far) far = that;
    }
  }
  return far;
}

const vlm_option_row *vlm_option_near(const char *name, size_t length, char program) {
  const vlm_option_row *best = NULL;
  char text[LONGEST];
  size_t letters = plain(text, name, length);
  int most = letters < 3 ? 0 : letters < 5 ? 1 : letters < 9 ? 2 : 3, least = most + 1;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    int far = vlm_option_in(row, program) ? how_far_row(row, name, length) : most + 1;
    if (far < least) least = far, best = row;
  }
  return best;
}
