/* Says what is on a picture, token by token:   caption MODEL.vlmq PICTURE.ppm [PROMPT]
 * The picture is a binary PPM (P6, 255 levels), read by hand because libvlmq-runtime knows no image files. */
#include <stdio.h>
#include <stdlib.h>
#include <vlmq/vlmq.h>

/* The pixels (free them), or NULL. */
static unsigned char *read_ppm(vlm_picture *picture, const char *path) {
  unsigned char *pixels = NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  if (fscanf(file, "P6 %d %d 255", &picture->width, &picture->height) == 2 && fgetc(file) != EOF &&
      picture->width > 0 && picture->height > 0 && picture->width <= 16384 && picture->height <= 16384) {
    picture->bytes = (size_t)picture->width * (size_t)picture->height * 3;
    pixels = malloc(picture->bytes);
    if (pixels && fread(pixels, 1, picture->bytes, file) != picture->bytes) {
      free(pixels);
      pixels = NULL;
    }
  }
  fclose(file);
  picture->data = pixels;
  return pixels;
}

static int print_piece(void *user, int32_t id, const char *text, size_t bytes) {
  (void)id;
  fwrite(text, 1, bytes, user);
  fflush(user);
  return 0; /* anything else would stop the answer */
}

int main(int argc, char **argv) {
  vlm_error error = {VLM_OK, ""};
  vlm_runner *runner = NULL;
  vlm_prepared *prepared = NULL;
  vlm_reply *reply = NULL;
  vlm_picture picture = vlm_picture_init();
  vlm_generate_opts opts = vlm_generate_opts_init();
  opts.on_token = print_piece;
  opts.user = stdout;
  if (argc < 3) return fprintf(stderr, "usage: caption MODEL.vlmq PICTURE.ppm [PROMPT]\n"), 1;
  unsigned char *pixels = read_ppm(&picture, argv[2]);
  if (!pixels) return fprintf(stderr, "caption: %s: no binary PPM\n", argv[2]), 2;
  if (vlm_runner_open(&runner, argv[1], NULL, &error) == VLM_OK &&
      vlm_runner_prepare(&prepared, runner, &picture, &error) == VLM_OK)
    vlm_runner_generate(&reply, runner, prepared, argc > 3 ? argv[3] : NULL, &opts, &error);
  if (reply) puts("");
  else fprintf(stderr, "caption: %s\n", error.text);
  vlm_reply_free(reply);
  vlm_prepared_free(prepared);
  vlm_runner_free(runner);
  free(pixels);
  return error.status == VLM_OK ? 0 : 2;
}
