/* The first tile of a board: its float values made small by a cubic filter without antialiasing, as PyTorch's interpolate has it. */
#include <math.h>

#include "runtime/image/preprocess_store.h"

static float cubic(float at) {
  const float a = -0.75f, x = fabsf(at);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

typedef struct taps {
  int64_t at[4];
  float weight[4];
} taps;

/* Halves of pixels are aligned, and what lies outside is the border. */
static taps find_taps(size_t i, int64_t from, size_t to) {
  taps t;
  const float scale = (float)from / (float)to, center = ((float)i + 0.5f) * scale - 0.5f;
  const float first = floorf(center);
  for (int k = 0; k < 4; k++) {
    const int64_t at = (int64_t)first + k - 1;
    t.at[k] = at < 0 ? 0 : at >= from ? from - 1 : at;
    t.weight[k] = cubic(center - first - (float)(k - 1));
  }
  return t;
}

static float shrunk(const vlm_tile_store *s, const taps *across, const taps *down, size_t c) {
  const vlm_image *from = &s->from->board;
  float sum = 0;
  for (int j = 0; j < 4; j++) {
    const uint8_t *row = from->data + (size_t)down->at[j] * (size_t)from->width * 3 + c;
    float part = 0;
    for (int k = 0; k < 4; k++) part += across->weight[k] * s->table[c][row[across->at[k] * 3]];
    sum += down->weight[j] * part;
  }
  return sum;
}

void vlm_store_board(const vlm_tile_store *s) {
  const vlm_image *from = &s->from->board;
  const bool nhwc = s->layout && s->layout->nhwc;
  const size_t plane = s->width * s->height;
  for (size_t y = 0; y < s->height; y++) {
    const taps down = find_taps(y, from->height, s->height);
    for (size_t x = 0; x < s->width; x++) {
      const taps across = find_taps(x, from->width, s->width);
      const size_t at = y * s->width + x;
      for (size_t c = 0; c < 3; c++) s->to[nhwc ? at * 3 + c : c * plane + at] = shrunk(s, &across, &down, c);
    }
  }
}
