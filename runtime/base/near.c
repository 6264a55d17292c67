#include "runtime/base/near.h"

#include <string.h>

int vlm_name_distance(const char *a, size_t n, const char *b, size_t m) {
  if (n > VLM_NEAR_LONGEST) n = VLM_NEAR_LONGEST;
  if (m > VLM_NEAR_LONGEST) m = VLM_NEAR_LONGEST;
  int rows[3][VLM_NEAR_LONGEST + 1];
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

int vlm_name_tolerance(size_t letters) { return letters < 3 ? 0 : letters < 5 ? 1 : letters < 9 ? 2 : 3; }

const char *vlm_name_near(const char *name, const char *const *names, size_t count) {
  const char *best = NULL;
  size_t n = strlen(name);
  int least = vlm_name_tolerance(n) + 1;
  for (size_t i = 0; i < count; i++) {
    int far = vlm_name_distance(name, n, names[i], strlen(names[i]));
    if (far < least) least = far, best = names[i];
  }
  return best;
}
