#include "runtime/ops/sort.h"

#include <string.h>

/* The sorted lists a and, behind it, b. */
static void merge(int64_t *out, const int64_t *a, int64_t na, int64_t nb, vlm_sort_after *after,
                  const void *user) {
  const int64_t *b = a + na;
  int64_t i = 0, j = 0, k = 0;
  while (i < na && j < nb) out[k++] = after(user, a[i], b[j]) ? b[j++] : a[i++];
  while (i < na) out[k++] = a[i++];
  while (j < nb) out[k++] = b[j++];
}

void vlm_sort(int64_t *index, int64_t *spare, int64_t n, vlm_sort_after *after, const void *user) {
  int64_t *from = index, *to = spare;
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t i = 0; i < n; i += 2 * width) {
      int64_t na = n - i < width ? n - i : width, nb = n - i - na < width ? n - i - na : width;
      merge(to + i, from + i, na, nb, after, user);
    }
    int64_t *t = from;
    from = to;
    to = t;
  }
  if (from != index) memcpy(index, from, (size_t)n * sizeof *index);
}
