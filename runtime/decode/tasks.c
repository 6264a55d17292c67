#include "runtime/decode/tasks.h"

#include <stdio.h>
#include <string.h>

enum { BINS = 1000 };

static const vlm_task tasks[] = {
#define X(name, prompt, kind) {name, prompt, VLM_ANSWER_##kind},
#include "runtime/decode/tasks.def"
#undef X
};

const vlm_task *vlm_task_table(size_t *count) {
  *count = sizeof tasks / sizeof *tasks;
  return tasks;
}

const vlm_task *vlm_task_find(const char *prompt) {
  for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
    if (strstr(prompt, tasks[i].name)) return &tasks[i];
  }
  return NULL;
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static vlm_slice strip(vlm_slice text) {
  while (text.bytes && is_blank(text.data[0])) text = (vlm_slice){text.data + 1, text.bytes - 1};
  while (text.bytes && is_blank(text.data[text.bytes - 1])) text.bytes--;
  return text;
}

/* The prompt without the name of its task. */
static vlm_status read_input(vlm_text *input, const char *prompt, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *at = prompt, *hit;
  while ((hit = strstr(at, name)) != NULL) {
    VLM_TRY(vlm_text_append(input, at, (size_t)(hit - at), err));
    at = hit + strlen(name);
  }
  VLM_TRY(vlm_text_append(input, at, strlen(at), err));
out:
  return st;
}

vlm_status vlm_task_prompt(vlm_text *text, const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text input = {0};
  const vlm_task *task = vlm_task_find(prompt);
  if (!task) return vlm_text_append(text, prompt, strlen(prompt), err);
  const char *hole = strstr(task->prompt, "{input}");
  if (!hole) {
    VLM_CHECK(strcmp(prompt, task->name) == 0, err, VLM_USAGE,
              "got prompt \"%.200s\": task %s takes no input, write it alone", prompt, task->name);
    return vlm_text_append(text, task->prompt, strlen(task->prompt), err);
  }
  VLM_TRY(read_input(&input, prompt, task->name, err));
  const vlm_slice stripped = strip((vlm_slice){vlm_text_get(&input), input.bytes});
  VLM_TRY(vlm_text_append(text, task->prompt, (size_t)(hole - task->prompt), err));
  VLM_TRY(vlm_text_append(text, stripped.data, stripped.bytes, err));
  hole += strlen("{input}");
  VLM_TRY(vlm_text_append(text, hole, strlen(hole), err));
out:
  vlm_text_free(&input);
  return st;
}

static int bin_of(double value, int64_t size) {
  const double bin = value / ((double)size / BINS);
  if (!(bin > 0)) return 0;
  return bin >= BINS - 1 ? BINS - 1 : (int)bin;
}

vlm_status vlm_task_region(vlm_text *text, const double box[4], int64_t width, int64_t height,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  char token[24];
  VLM_CHECK(width > 0 && height > 0, err, VLM_INPUT, "image of %lld x %lld pixels", (long long)width,
            (long long)height);
  for (int i = 0; i < 4; i++) {
    const int bytes = snprintf(token, sizeof token, "<loc_%d>", bin_of(box[i], i % 2 ? height : width));
    VLM_TRY(vlm_text_append(text, token, (size_t)bytes, err));
  }
out:
  return st;
}
