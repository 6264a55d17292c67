/* What was probably meant by a name that no option has. */
#include <ctype.h>
#include <string.h>

#include "cli/option_row.h"
#include "runtime/base/near.h"

enum { LONGEST = VLM_NEAR_LONGEST };

/* Lower case, "-" for "_", without the dashes in front. */
static size_t plain(char out[LONGEST], const char *name, size_t length) {
  size_t n = 0;
  while (length && (*name == '-' || *name == '_')) name++, length--;
  for (; n < length && n < LONGEST; n++)
    out[n] = name[n] == '_' ? '-' : (char)tolower((unsigned char)name[n]);
  return n;
}

/* 0 is the same; a beginning of three letters or more counts as one wrong letter. */
static int how_far(const char *name, size_t length, const char *other, size_t other_length) {
  char a[LONGEST], b[LONGEST];
  size_t n = plain(a, name, length), m = plain(b, other, other_length);
  int far = vlm_name_distance(a, n, b, m);
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
  int most = vlm_name_tolerance(letters), least = most + 1;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    int far = vlm_option_in(row, program) ? how_far_row(row, name, length) : most + 1;
    if (far < least) least = far, best = row;
  }
  return best;
}
