/* Camera frames through the public interface: the answer is that of the picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/face/models.h"

enum { W = SCREEN_WIDTH, H = SCREEN_HEIGHT, CHROMA = W / 2 * (H / 2) };

static uint8_t clip(double v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5); }

/* The screen as NV21, turned a quarter counter-clockwise when `lies`: pixel (x, y) is at (y, W - 1 - x). */
static uint8_t *as_nv21(const uint8_t *rgb, bool lies) {
  uint8_t *out = malloc(W * H + 2 * CHROMA);
  const int row = lies ? H : W;
  double *sums = calloc(2 * CHROMA, sizeof *sums);
  for (int i = 0; i < W * H; i++) {
    const uint8_t *p = rgb + 3 * i;
    const int x = lies ? i / W : i % W, y = lies ? W - 1 - i % W : i / W;
    const int c = (y / 2 * (row / 2) + x / 2) * 2;
    out[y * row + x] = clip(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]);
    sums[c] += (0.5 * p[0] - 0.418688 * p[1] - 0.081312 * p[2]) / 4;
    sums[c + 1] += (-0.168736 * p[0] - 0.331264 * p[1] + 0.5 * p[2]) / 4;
  }
  for (int c = 0; c < 2 * CHROMA; c++) out[W * H + c] = clip(128 + sums[c]);
  free(sums);
  return out;
}

static vlm_yuv420 frame_of(const uint8_t *bytes, bool lies) {
  vlm_yuv420 f = vlm_yuv420_init();
  f.width = lies ? H : W;
  f.height = lies ? W : H;
  f.y = bytes, f.v = bytes + W * H, f.u = bytes + W * H + 1;
  f.y_bytes = W * H, f.v_bytes = 2 * CHROMA, f.u_bytes = 2 * CHROMA - 1;
  f.y_row = f.u_row = f.v_row = f.width;
  f.u_pixel = f.v_pixel = 2;
  f.rotation = lies ? 90 : 0;
  return f;
}

static void frames_are_answered(void **state) {
  char path[64];
  vlm_file file;
  vlm_runner *runner;
  (void)state;
  pack_model(path, CAPTIONER, VLM_PACK_RAW);
  FINE(vlm_runner_open(&runner, path, NULL, &error));
  const vlm_picture picture = screen(&file);
  for (int lies = 0; lies < 2; lies++) {
    vlm_prepared *prepared;
    vlm_reply *reply;
    vlm_array array = vlm_array_init();
    uint8_t *bytes = as_nv21(picture.data, lies);
    const vlm_yuv420 frame = frame_of(bytes, lies);
    FINE(vlm_image_from_yuv420(&prepared, runner, &frame, &error));
    free(bytes); /* the planes may go */
    FINE(vlm_prepared_array(prepared, &array, &error));
    assert_int_equal(array.rank, 4);
    assert_true(vlm_prepared_ms(prepared) > 0);
    FINE(vlm_runner_generate(&reply, runner, prepared, "What does the image describe?", NULL, &error));
    assert_string_equal(vlm_reply_text(reply), CAPTION);
    vlm_reply_free(reply);
    vlm_prepared_free(prepared);
  }
  vlm_file_unmap(&file);
  vlm_runner_free(runner);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(frames_are_answered)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
