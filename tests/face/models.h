/* Models for the tests of the public interface: the captioner packed, a single graph, a picture. */
#ifndef VLM_TESTS_FACE_MODELS_H
#define VLM_TESTS_FACE_MODELS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <vlmq/vlmq.h>

#include "onnx/bundle.h"
#include "pack/pack.h"
#include "tests/fine.h"

#define CAPTIONER VLMQ_SOURCE_DIR "/datasets/captioner/bundle"
#define GEMM VLMQ_SOURCE_DIR "/tests/onnx/data/gemm_rows.onnx" /* float32 x [8, 64] to y [8, 64] */
#define SCREEN VLMQ_SOURCE_DIR "/tests/face/data/screen.ppm"
#define CAPTION \
  "a light phone calendar with a green day in the fifth week, that day on the left and no events"
enum { SCREEN_WIDTH = 108, SCREEN_HEIGHT = 192, SCREEN_HEADER = 15 };

/* A packed file of the model at `path`, in /tmp; unlink it. */
static inline void pack_model(char file[64], const char *path, vlm_pack_codec codec) {
  vlm_bundle *bundle;
  strcpy(file, "/tmp/vlmq-face-XXXXXX");
  const int fd = mkstemp(file);
  if (fd < 0) fail_msg("no temporary file");
  close(fd);
  FINE(vlm_bundle_open(&bundle, path, NULL, &error));
  const vlm_pack_content content = {.bundle = bundle};
  FINE(vlm_pack_write(file, &content, &(vlm_pack_opts){.codec = codec, .level = 1}, NULL, &error));
  vlm_bundle_free(bundle);
}

/* The screen as a public picture; unmap the file. */
static inline vlm_picture screen(vlm_file *file) {
  vlm_picture picture = vlm_picture_init();
  FINE(vlm_file_map(file, SCREEN, &error));
  picture.data = file->data + SCREEN_HEADER;
  picture.bytes = file->bytes - SCREEN_HEADER;
  picture.width = SCREEN_WIDTH;
  picture.height = SCREEN_HEIGHT;
  return picture;
}

#endif
