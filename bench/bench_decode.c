/* bench_decode MODEL IMAGE [TOKENS [THREADS [BEAMS]]]
 * Time of a decode step by the length of its past: forced tokens, so that every model runs as long as wanted; the median of each 32 steps.
 * The attention over the cache grows with the past, nothing else may. Ends with the plans and system allocations of the second run: 0.
 * With BEAMS the same for a step of as many rows, against a step of one, alternating. */
#include <stdio.h>
#include <stdlib.h>

#include "calib/image.h"
#include "flow/open.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/decode/answer.h"

enum { GROUP = 32, MOST = 4096 };

typedef struct {
  double at[MOST + 1]; /* seconds, when the logits of step i were there */
  int count;
} step_clock;

static vlm_status tick(void *user, int64_t step, const float *logits, int64_t vocab, vlm_error *err) {
  step_clock *c = user;
  (void)step, (void)logits, (void)vocab, (void)err;
  if (c->count <= MOST) c->at[c->count++] = vlm_clock_ms() * 1e-3;
  return VLM_OK;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const step_clock *c, int first, int count) {
  double span[GROUP];
  for (int i = 0; i < count; i++) span[i] = c->at[first + i] - c->at[first + i - 1];
  qsort(span, (size_t)count, sizeof *span, by_size);
  return span[count / 2];
}

static void print_steps(const step_clock *c) {
  double base = 0;
  printf("%-14s %12s %8s\n", "past", "ms per token", "ratio");
  for (int first = 1; first + GROUP <= c->count; first += GROUP) {
    double seconds = median(c, first, GROUP);
    if (base == 0) base = seconds;
    printf("%5d to %-5d %12.3f %7.2fx\n", first, first + GROUP - 1, seconds * 1e3, seconds / base);
  }
}

/* Two runs: the first makes the plans, the second is timed. */
static vlm_status measure(vlm_model *model, const vlm_image *image, int tokens, step_clock *c,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t forced[MOST];
  vlm_answer answer = {0};
  vlm_session_stats before = {0}, after;
  for (int i = 0; i < tokens; i++) forced[i] = 4 + i * 7 % 1000;
  const vlm_answer_opts opts = {
      .beams = 1, .forced = forced, .n_forced = (size_t)tokens, .on_logits = tick, .user = c};
  for (int run = 0; run < 2; run++) {
    c->count = 0;
    vlm_answer_free(&answer);
    before = vlm_session_get_stats(vlm_model_session(model, VLM_ROLE_DECODER_STEP));
    VLM_TRY(vlm_model_answer(model, image, "<CAPTION>", &opts, &answer, err));
  }
  after = vlm_session_get_stats(vlm_model_session(model, VLM_ROLE_DECODER_STEP));
  print_steps(c);
  printf("%d steps: %lld plans, %lld system allocations\n", c->count - 1,
         (long long)(after.plans - before.plans), (long long)(after.allocations - before.allocations));
out:
  vlm_answer_free(&answer);
  return st;
}

/* Milliseconds of a step, over an answer of up to `tokens`. */
static vlm_status step_ms(vlm_model *model, const vlm_image *image, int tokens, int beams, double *ms,
                          vlm_error *err) {
  vlm_answer answer = {0};
  const vlm_answer_opts opts = {.beams = beams, .max_new_tokens = tokens};
  const vlm_status st = vlm_model_answer(model, image, "<CAPTION>", &opts, &answer, err);
  *ms = answer.steps ? answer.stage_ms[VLM_STAGE_STEP] / (double)answer.steps : 0;
  vlm_answer_free(&answer);
  return st;
}

static vlm_status measure_beams(vlm_model *model, const vlm_image *image, int tokens, int beams,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  enum { ROUNDS = 7 };
  double one[ROUNDS], all[ROUNDS];
  for (int i = -1; i < ROUNDS; i++) { /* the first round makes the plans */
    VLM_TRY(step_ms(model, image, tokens, 1, &one[i < 0 ? 0 : i], err));
    VLM_TRY(step_ms(model, image, tokens, beams, &all[i < 0 ? 0 : i], err));
  }
  qsort(one, ROUNDS, sizeof *one, by_size);
  qsort(all, ROUNDS, sizeof *all, by_size);
  printf("1 row %.3f ms, %d rows %.3f ms: %.2fx\n", one[ROUNDS / 2], beams, all[ROUNDS / 2],
         all[ROUNDS / 2] / one[ROUNDS / 2]);
out:
  return st;
}

int main(int argc, char **argv) {
  vlm_status st = VLM_OK;
  static step_clock clock_of_steps;
  static const vlm_flow_open_opts ready = {.lower = true};
  vlm_error error = {0}, *err = &error;
  vlm_context *context = NULL;
  vlm_bundle *bundle = NULL;
  vlm_model *model = NULL;
  vlm_image image = {0};
  int tokens = argc > 3 ? atoi(argv[3]) : 2 * GROUP;
  const vlm_context_opts opts = {.threads = argc > 4 ? atoi(argv[4]) : 0};
  VLM_CHECK(argc >= 3 && tokens > 0 && tokens <= MOST, err, VLM_USAGE,
            "usage: bench_decode MODEL IMAGE [TOKENS [THREADS [BEAMS]]], TOKENS up to %d", MOST);
  VLM_TRY(vlm_context_create(&context, &opts, err));
  VLM_TRY(vlm_flow_open(&bundle, argv[1], &ready, err));
  VLM_TRY(vlm_model_create(&model, context, bundle, NULL, err));
  VLM_TRY(vlm_image_read(&image, argv[2], NULL, err));
  if (argc > 5) VLM_TRY(measure_beams(model, &image, tokens, atoi(argv[5]), err));
  else VLM_TRY(measure(model, &image, tokens, &clock_of_steps, err));
out:
  if (st != VLM_OK) fprintf(stderr, "bench_decode: %s\n", error.text);
  vlm_image_free(&image);
  vlm_model_free(model);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
  return st == VLM_OK ? 0 : 1;
}
