/* Image processors against the classes of the transformers library, to 1e-6 (tests/oracles/make_processors.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/processor.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/hub/data/processors/"
#define PICTURES 8

typedef struct named_picture {
  char name[32];
  vlm_image image;
} named_picture;

typedef struct wanted {
  char name[64], picture[32], shape[64];
  long long grid[3], size[2], mask;
  double sum, absolute;
  size_t step;
} wanted;

/* As the oracle makes it. */
static void draw(vlm_image *image, uint32_t number) {
  for (uint32_t y = 0; y < (uint32_t)image->height; y++)
    for (uint32_t x = 0; x < (uint32_t)image->width; x++)
      for (uint32_t c = 0; c < 3; c++) {
        uint32_t noise = (x * 2654435761u + y * 40503u + number * 97 + c * 193) >> 7;
        uint32_t ramp = x * (3 + c) + y * (5 - c) + number * 31;
        bool noisy = (x / 5 + y / 3) % 4 == c;
        image->data[(y * (uint32_t)image->width + x) * 3 + c] = (uint8_t)(noisy ? noise : ramp);
      }
}

static void add_picture(named_picture *pictures, int at, const char *line) {
  int width, height, number;
  assert_true(at < PICTURES);
  assert_int_equal(sscanf(line, "picture %31s %d %d %d", pictures[at].name, &width, &height, &number), 4);
  FINE(vlm_image_create(&pictures[at].image, width, height, &error));
  draw(&pictures[at].image, (uint32_t)number);
}

static const vlm_image *find_picture(const named_picture *pictures, const char *name) {
  for (int i = 0; i < PICTURES; i++)
    if (strcmp(pictures[i].name, name) == 0) return &pictures[i].image;
  fail_msg("no picture %s", name);
  return NULL;
}

/* The steps of a configuration, through their text form. */
static void load_steps(vlm_preprocess *out, const char *name) {
  char path[512], *text = NULL;
  vlm_preprocess steps;
  vlm_json_doc *doc = NULL;
  snprintf(path, sizeof path, DATA "%s.json", name);
  FINE(vlm_json_load(&doc, path, 0, &error));
  FINE(vlm_processor_steps(&steps, vlm_json_root(doc), (vlm_json){0}, &error));
  FINE(vlm_preprocess_format(&text, &steps, &error));
  FINE(vlm_preprocess_parse(out, text, name, &error));
  vlm_free(text);
  vlm_json_free(doc);
}

static void check_shape(const wanted *w, const vlm_pixels *p) {
  char got[64] = "";
  for (int d = 0; d < p->values.rank; d++)
    snprintf(got + strlen(got), sizeof got - strlen(got), "%s%lld", d ? "x" : "",
             (long long)p->values.dims[d]);
  if (strcmp(got, w->shape) != 0) fail_msg("%s, %s: %s, wanted %s", w->name, w->picture, got, w->shape);
  for (int i = 0; i < 3; i++) assert_int_equal(p->grid[i], w->grid[i]);
  for (int i = 0; i < 2 && w->size[0]; i++) assert_int_equal(p->size[i], w->size[i]);
  int64_t mask = p->mask.data ? 0 : -1;
  for (int64_t i = 0; p->mask.data && i < vlm_tensor_count(&p->mask); i++)
    mask += ((const uint8_t *)p->mask.data)[i];
  assert_int_equal(mask, w->mask);
}

static void check_values(const wanted *w, const vlm_pixels *p, const char *line) {
  const float *got = p->values.data;
  size_t count = (size_t)vlm_tensor_count(&p->values), checked = 0;
  double sum = 0, absolute = 0;
  for (size_t i = 0; i < count; i++) {
    sum += (double)got[i];
    absolute += fabs((double)got[i]);
  }
  const double slack = 1e-6 * absolute + 1e-6;
  if (fabs(sum - w->sum) > slack || fabs(absolute - w->absolute) > slack)
    fail_msg("%s, %s: sums %.9g and %.9g, wanted %.9g and %.9g", w->name, w->picture, sum, absolute, w->sum,
             w->absolute);
  line += strlen("values");
  for (size_t i = 0; i < count; i += w->step, checked++) {
    char *end = NULL;
    double want = strtod(line, &end);
    assert_true(end != line);
    line = end;
    if (!(fabs((double)got[i] - want) <= 1e-6 * (1 + fabs(want))))
      fail_msg("%s, %s: value %zu is %.9g, wanted %.9g", w->name, w->picture, i, (double)got[i], want);
  }
  assert_true(checked > 0);
}

static void check_case(const named_picture *pictures, const char *line, const char *values) {
  wanted w;
  vlm_preprocess steps;
  vlm_pixels pixels;
  assert_int_equal(sscanf(line, "case %63s %31s %63s %lld,%lld,%lld %lld,%lld %lld %lf %lf %zu", w.name,
                          w.picture, w.shape, &w.grid[0], &w.grid[1], &w.grid[2], &w.size[0], &w.size[1],
                          &w.mask, &w.sum, &w.absolute, &w.step),
                   12);
  load_steps(&steps, w.name);
  vlm_status st = vlm_preprocess_run(&pixels, &steps, find_picture(pictures, w.picture), NULL, &error);
  if (st != VLM_OK) fail_msg("%s, %s: %s", w.name, w.picture, error.text);
  check_shape(&w, &pixels);
  check_values(&w, &pixels, values);
  vlm_pixels_free(&pixels);
}

static void test_equal_the_classes(void **state) {
  char *text = NULL, *rest = NULL, *open = NULL;
  named_picture pictures[PICTURES] = {0};
  int cases = 0, known = 0;
  (void)state;
  FINE(vlm_file_read_text(&text, DATA "cases.txt", &error));
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (!strncmp(line, "picture", 7)) add_picture(pictures, known++, line);
    if (!strncmp(line, "case", 4)) open = line;
    if (strncmp(line, "values", 6) != 0) continue;
    check_case(pictures, open, line);
    cases++;
  }
  assert_true(cases >= 80);
  for (int i = 0; i < known; i++) vlm_image_free(&pictures[i].image);
  vlm_free(text);
}

static vlm_status steps_of(const char *text, vlm_preprocess *steps) {
  vlm_json_doc *doc = NULL;
  FINE(vlm_json_parse(&doc, text, strlen(text), "preprocessor_config.json", &error));
  vlm_status st = vlm_processor_steps(steps, vlm_json_root(doc), (vlm_json){0}, &error);
  vlm_json_free(doc);
  return st;
}

/* An empty file of every known class is what the class has. */
static void test_defaults_stand_alone(void **state) {
  static const char *const NAMES[] = {
#define X(name, geometry, bare, defaults) name,
#include "hub/processors.def"
#undef X
  };
  (void)state;
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
    char text[128];
    vlm_preprocess steps;
    snprintf(text, sizeof text, "{\"image_processor_type\": \"%sImageProcessorFast\"}", NAMES[i]);
    if (steps_of(text, &steps) != VLM_OK) fail_msg("%s: %s", NAMES[i], error.text);
    assert_true(steps.count >= 2);
  }
}

/* What no file and no class says is not guessed. */
static void test_refusals(void **state) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"{\"image_processor_type\": \"LlavaNextImageProcessor\", \"image_grid_pinpoints\": 7}",
       "image_grid_pinpoints"},
      {"{\"image_processor_type\": \"LlavaNextImageProcessor\", \"image_grid_pinpoints\": [[24, 0]]}",
       "is 0 pixels"},
      {"{\"image_processor_type\": \"PixtralImageProcessor\", \"patch_size\": {\"height\": 16, \"width\": "
       "14}}",
       "squares are supported"},
      {"{\"image_processor_type\": \"Qwen2VLImageProcessor\", \"min_pixels\": 0}", "min_pixels"},
      {"{\"image_processor_type\": \"Qwen2VLImageProcessor\", \"min_pixels\": 9000, \"max_pixels\": 100}",
       "least 9000"},
      {"{\"image_processor_type\": \"Gemma3ImageProcessor\", \"size\": {\"shortest_edge\": 3}, "
       "\"do_resize\": \"yes\"}",
       "do_resize"},
      {"{\"image_processor_type\": \"Fuyu2ImageProcessor\"}", "\"Fuyu2ImageProcessor\" is not known"},
      {"{\"do_resize\": true}", "size is missing"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    vlm_preprocess steps;
    assert_int_not_equal(steps_of(cases[i].text, &steps), VLM_OK);
    if (!strstr(error.text, cases[i].message)) fail_msg("%s: %s", cases[i].text, error.text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equal_the_classes),
      cmocka_unit_test(test_defaults_stand_alone),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
