/* Florence-2 prompts and answers. Expected boxes are those of the transformers and transformers.js test suites for the same texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "runtime/decode/tasks.h"
#include "tests/fine.h"

/* ---- prompts ---- */

static void prompts_are_built(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"<CAPTION>", "What does the image describe?"},
      {"<DETAILED_CAPTION>", "Describe in detail what is shown in the image."},
      {"<MORE_DETAILED_CAPTION>", "Describe with a paragraph what is shown in the image."},
      {"<OCR>", "What is the text in the image?"},
      {"<OCR_WITH_REGION>", "What is the text in the image, with regions?"},
      {"<OD>", "Locate the objects with category name in the image."},
      {"<DENSE_REGION_CAPTION>", "Locate the objects in the image, with their descriptions."},
      {"<REGION_PROPOSAL>", "Locate the region proposals in the image."},
      {"<CAPTION_TO_PHRASE_GROUNDING>A green car.", "Locate the phrases in the caption: A green car."},
      {"<REFERRING_EXPRESSION_SEGMENTATION>a car", "Locate a car in the image with mask"},
      {"<REGION_TO_SEGMENTATION><loc_1><loc_2><loc_3><loc_4>",
       "What is the polygon mask of region <loc_1><loc_2><loc_3><loc_4>"},
      {"<OPEN_VOCABULARY_DETECTION> wheels ", "Locate wheels in the image."},
      {"<REGION_TO_CATEGORY><loc_5>", "What is the region <loc_5>?"},
      {"<REGION_TO_DESCRIPTION><loc_5>", "What does the region <loc_5> describe?"},
      {"<REGION_TO_OCR><loc_5>", "What text is in the region <loc_5>?"},
      {"describe", "describe"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vlm_text text = {0};
    FINE(vlm_task_prompt(&text, cases[i][0], &error));
    assert_string_equal(vlm_text_get(&text), cases[i][1]);
    vlm_text_free(&text);
  }
  vlm_text text = {0};
  FAILS(VLM_USAGE, vlm_task_prompt(&text, "<OD> cars", &error));
  vlm_text_free(&text);
  size_t count;
  vlm_task_table(&count);
  assert_int_equal(count, 15);
  assert_string_equal(vlm_task_find("<OCR_WITH_REGION>")->name, "<OCR_WITH_REGION>");
}

static void regions_are_quantized(void **state) {
  (void)state;
  vlm_text text = {0};
  const double box[4] = {34.24, 160.08, 1000, -5};
  FINE(vlm_task_region(&text, box, 640, 480, &error));
  assert_string_equal(vlm_text_get(&text), "<loc_53><loc_333><loc_999><loc_0>");
  vlm_text_free(&text);
}

/* ---- answers ---- */

typedef struct expected {
  const char *label;
  vlm_shape shape;
  int instance;
  size_t n;
  double values[8];
} expected;

static void parses_to(const char *task, const char *answer, int64_t width, int64_t height,
                      const expected *want, size_t n) {
  vlm_objects got;
  FINE(vlm_task_parse(&got, vlm_task_find(task)->kind, answer, width, height, &error));
  assert_int_equal(got.count, n);
  for (size_t i = 0; i < n; i++) {
    assert_string_equal(got.items[i].label, want[i].label);
    assert_int_equal(got.items[i].shape, want[i].shape);
    assert_int_equal(got.items[i].instance, want[i].instance);
    assert_int_equal(got.items[i].n_values, want[i].n);
    for (size_t k = 0; k < want[i].n; k++)
      assert_true(fabs(got.items[i].values[k] - want[i].values[k]) < 1e-3);
  }
  vlm_objects_free(&got);
}
#define PARSES(task, answer, w, h, ...)                              \
  do {                                                               \
    const expected want[] = {__VA_ARGS__};                           \
    parses_to(task, answer, w, h, want, sizeof want / sizeof *want); \
  } while (0)
#define NOTHING(task, answer) parses_to(task, answer, 640, 480, NULL, 0)
#define BOX(label, i, ...)                      \
  {                                             \
    label, VLM_SHAPE_BOX, i, 4, { __VA_ARGS__ } \
  }
#define QUAD(label, i, ...)                      \
  {                                              \
    label, VLM_SHAPE_QUAD, i, 8, { __VA_ARGS__ } \
  }

static void text_is_stripped(void **state) {
  (void)state;
  vlm_objects got;
  FINE(vlm_task_parse(&got, VLM_ANSWER_TEXT,
                      "</s><s> A green car parked in front of a yellow building.</s><pad><pad>", 1, 1,
                      &error));
  assert_string_equal(got.text, "A green car parked in front of a yellow building.");
  assert_int_equal(got.count, 0);
  vlm_objects_free(&got);
  FINE(vlm_task_parse(&got, VLM_ANSWER_TEXT, "</s><s>car<loc_52><loc_332><loc_932><loc_774></s>", 1, 1,
                      &error));
  assert_string_equal(got.text, "car<loc_52><loc_332><loc_932><loc_774>");
  vlm_objects_free(&got);
  FINE(vlm_task_parse(&got, VLM_ANSWER_TEXT, "", 1, 1, &error));
  assert_string_equal(got.text, "");
  vlm_objects_free(&got);
}

static void boxes_with_labels(void **state) {
  (void)state;
  PARSES("<OD>",
         "</"
         "s><s><s><s>car<loc_53><loc_333><loc_933><loc_774>door<loc_712><loc_203><loc_906><loc_545>wheel<loc_"
         "704><loc_576><loc_866><loc_772>"
         "<loc_149><loc_584><loc_310><loc_773></s>",
         640, 480, BOX("car", 0, 34.24, 160.08, 597.44, 371.76), BOX("door", 1, 456.0, 97.68, 580.16, 261.84),
         BOX("wheel", 2, 450.88, 276.72, 554.56, 370.8), BOX("wheel", 3, 95.68, 280.56, 198.72, 371.28));
  PARSES("<DENSE_REGION_CAPTION>",
         "</s><s>turquoise Volkswagen "
         "Beetle<loc_52><loc_333><loc_932><loc_774>wheel<loc_704><loc_576><loc_864><loc_772></s>",
         640, 480, BOX("turquoise Volkswagen Beetle", 0, 33.6, 160.08, 596.8, 371.76),
         BOX("wheel", 1, 450.88, 276.72, 553.28, 370.8));
  /* Fewer than four locations, left-over locations, locations without a label, letters beyond ASCII, bad numbers. */
  NOTHING("<OD>", "car<loc_1><loc_2><loc_3>");
  NOTHING("<OD>", "<loc_1><loc_2><loc_3><loc_4><loc_5>");
  NOTHING("<OD>", "car<loc_1><loc_2><loc_x><loc_4>");
  NOTHING("<OD>", "");
  PARSES("<OD>", "caf\xC3\xA9<loc_0><loc_0><loc_999><loc_999><loc_5><loc_6>", 1000, 2000,
         BOX("caf", 0, 0.5, 1, 999.5, 1999));
  PARSES("<OD>", "a < b<loc_1><loc_1><loc_2>x<loc_3><loc_3><loc_4><loc_4>", 1000, 1000,
         BOX("x", 0, 3.5, 3.5, 4.5, 4.5));
}

static void boxes_without_labels(void **state) {
  (void)state;
  PARSES("<REGION_PROPOSAL>",
         "</s><s><s><s><loc_52><loc_333><loc_932><loc_774><loc_711><loc_203><loc_905><loc_545><loc_704></s>",
         640, 480, BOX("", 0, 33.6, 160.08, 596.8, 371.76), BOX("", 1, 455.36, 97.68, 579.52, 261.84));
  NOTHING("<REGION_PROPOSAL>", "<loc_52><loc_333><loc_932>");
}

static void phrases_are_grounded(void **state) {
  (void)state;
  PARSES("<CAPTION_TO_PHRASE_GROUNDING>x",
         "</s><s><s><s>A green car<loc_54><loc_330><loc_911><loc_780>it<loc_1><loc_1><loc_2><loc_2>a yellow "
         "building<loc_0><loc_8><loc_998><loc_635></s>",
         640, 480, BOX("A green car", 0, 34.88, 158.64, 583.36, 374.64),
         BOX("a yellow building", 1, 0.32, 4.08, 639.04, 305.04));
}

static void ocr_gives_quads(void **state) {
  (void)state;
  PARSES("<OCR_WITH_REGION>",
         "</s><s><s><s>CUDA<loc_414><loc_100><loc_932><loc_100><loc_932><loc_229><loc_414><loc_229>FOR "
         "ENGINEERS<loc_359><loc_241><loc_932><loc_241><loc_932>"
         "<loc_298><loc_359><loc_298></s>",
         403, 500, QUAD("CUDA", 0, 167.0435, 50.25, 375.7975, 50.25, 375.7975, 114.75, 167.0435, 114.75),
         QUAD("FOR ENGINEERS", 1, 144.8785, 120.75, 375.7975, 120.75, 375.7975, 149.25, 144.8785, 149.25));
  PARSES("<OCR_WITH_REGION>",
         "noise\n\xE4\xBA\xBA<loc_1><loc_1><loc_2><loc_1><loc_2><loc_2><loc_1><loc_2>lost<loc_1><loc_2>b<loc_"
         "1><loc_1><loc_2><loc_1><loc_2>"
         "<loc_2><loc_1><loc_2>",
         1000, 1000, QUAD("\xE4\xBA\xBA", 0, 1.5, 1.5, 2.5, 1.5, 2.5, 2.5, 1.5, 2.5),
         QUAD("b", 1, 1.5, 1.5, 2.5, 1.5, 2.5, 2.5, 1.5, 2.5));
}

#define POLYGON(label, i, n, ...)                   \
  {                                                 \
    label, VLM_SHAPE_POLYGON, i, n, { __VA_ARGS__ } \
  }
static void polygons_are_found(void **state) {
  (void)state;
  PARSES("<REFERRING_EXPRESSION_SEGMENTATION>x",
         "</s><s><loc_279><loc_378><loc_282><loc_376><loc_285><loc_376></s>", 640, 480,
         POLYGON("", 0, 6, 178.88, 181.68, 180.8, 180.72, 182.72, 180.72));
  /* Two polygons of one thing; an odd coordinate goes. */
  PARSES("<REGION_TO_SEGMENTATION>x", "<loc_0><loc_0><loc_1><loc_1><sep><loc_2><loc_2><loc_3><loc_3><loc_9>",
         1000, 1000, POLYGON("", 0, 4, 0.5, 0.5, 1.5, 1.5), POLYGON("", 0, 4, 2.5, 2.5, 3.5, 3.5));
  PARSES(
      "<REFERRING_EXPRESSION_SEGMENTATION>x",
      "<poly><loc_0><loc_0><loc_1><loc_1></poly><poly><loc_2><loc_2><loc_3><loc_3><sep><loc_4><loc_4></poly>",
      1000, 1000, POLYGON("", 0, 4, 0.5, 0.5, 1.5, 1.5), POLYGON("", 1, 4, 2.5, 2.5, 3.5, 3.5),
      POLYGON("", 1, 2, 4.5, 4.5));
  PARSES("<OPEN_VOCABULARY_DETECTION>x", "a car<poly><loc_0><loc_0><loc_1><loc_1></poly>", 1000, 1000,
         POLYGON("a car", 0, 4, 0.5, 0.5, 1.5, 1.5));
  PARSES("<OPEN_VOCABULARY_DETECTION>x", "</s><s><s>a green car<loc_53><loc_330><loc_910><loc_779></s>", 640,
         480, BOX("a green car", 0, 34.24, 158.64, 582.72, 374.16));
}

static void boxes_of_known_models(void **state) {
  (void)state;
  /* Whole-pixel boxes known from the published model: ours cut to integers. */
  static const char answer[] =
      "car<loc_53><loc_333><loc_933><loc_774>door "
      "handle<loc_425><loc_503><loc_474><loc_515>wheel<loc_709><loc_576><loc_865><loc_772>"
      "<loc_150><loc_584><loc_309><loc_773>";
  static const int want[4][4] = {
      {34, 160, 597, 371}, {272, 241, 303, 247}, {454, 276, 553, 370}, {96, 280, 198, 371}};
  vlm_objects got;
  FINE(vlm_task_parse(&got, VLM_ANSWER_DESCRIBED_BOXES, answer, 640, 480, &error));
  assert_int_equal(got.count, 4);
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 4; k++) assert_int_equal((int)got.items[i].values[k], want[i][k]);
  }
  vlm_objects_free(&got);
}

static void any_bytes_are_survived(void **state) {
  (void)state;
  static const char *const atoms[] = {
      "<loc_1>", "<loc_999>", "<loc_", "<sep>", "<poly>", "</poly>",       "a", " ",
      "<",       ">",         "\n",    "\xFF",  "<s>",    "<loc_1234567>", "</"};
  uint64_t random = 1;
  for (int n = 0; n < 4000; n++) {
    char text[512] = "";
    vlm_objects got;
    size_t used = 0;
    for (int k = 0; k < 40; k++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      const char *atom = atoms[(random >> 33) % (sizeof atoms / sizeof *atoms)];
      if ((random >> 60) < 9) atom = atoms[0];
      memcpy(text + used, atom, strlen(atom) + 1);
      used += strlen(atom);
      if (used > 480) break;
    }
    for (int kind = VLM_ANSWER_TEXT; kind <= VLM_ANSWER_BOXES_OR_POLYGONS; kind++) {
      FINE(vlm_task_parse(&got, (vlm_answer_kind)kind, text, 100, 100, &error));
      for (size_t i = 0; i < got.count; i++) {
        assert_null(strstr(got.items[i].label, "<loc_1>"));
        for (size_t k = 0; k < got.items[i].n_values; k++)
          assert_true(got.items[i].values[k] > 0 && got.items[i].values[k] < 100);
      }
      vlm_objects_free(&got);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prompts_are_built),     cmocka_unit_test(regions_are_quantized),
      cmocka_unit_test(text_is_stripped),      cmocka_unit_test(boxes_with_labels),
      cmocka_unit_test(boxes_without_labels),  cmocka_unit_test(phrases_are_grounded),
      cmocka_unit_test(ocr_gives_quads),       cmocka_unit_test(polygons_are_found),
      cmocka_unit_test(boxes_of_known_models), cmocka_unit_test(any_bytes_are_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
