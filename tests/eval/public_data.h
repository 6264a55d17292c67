/* The public metric cases beside the checkout; tests that need them skip when they are not there. */
#ifndef VLM_TESTS_EVAL_PUBLIC_DATA_H
#define VLM_TESTS_EVAL_PUBLIC_DATA_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "tests/fine.h"

#define METRICS VLMQ_SOURCE_DIR "/../shared/data/metrics/"
#define SKIP_WITHOUT_DATA()                   \
  do {                                        \
    if (!vlm_file_is_folder(METRICS)) skip(); \
  } while (0)

static inline vlm_json_doc *load(const char *path) {
  vlm_json_doc *doc = NULL;
  FINE(vlm_json_load(&doc, path, 0, &error));
  return doc;
}

static inline double number(vlm_json object, const char *key) {
  double x = NAN;
  FINE(vlm_json_get_double(&x, object, key, VLM_JSON_REQUIRED, &error));
  return x;
}

static inline double number_at(vlm_json array, size_t i) {
  double x = NAN;
  FINE(vlm_json_as_double(&x, vlm_json_at(array, i), &error));
  return x;
}

/* Text with zero characters as blanks, in `room`. */
static inline const char *text_of(vlm_json value, char *room, size_t size) {
  const char *text = NULL;
  size_t bytes = 0;
  FINE(vlm_json_as_bytes(&text, &bytes, value, &error));
  assert_true(bytes < size);
  for (size_t i = 0; i < bytes; i++) room[i] = text[i] ? text[i] : ' ';
  room[bytes] = 0;
  return room;
}

static inline void near(double got, double want, double tolerance, const char *what) {
  if (!(fabs(got - want) <= tolerance)) fail_msg("%s: got %.17g, wanted %.17g", what, got, want);
}

#endif
