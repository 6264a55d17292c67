#include "flow/prompt_check.h"

#include <ctype.h>
#include <string.h>

#include "runtime/base/near.h"
#include "runtime/bundle/bundle_texts.h"
#include "runtime/decode/tasks.h"

enum { LONGEST = 64 }; /* bytes of a name; more is a text */

typedef struct {
  const vlm_bundle *bundle;
  vlm_tokenizer *tokenizer; /* made when a text in <...> is met */
  vlm_json_doc *config;
} prompt_check;

/* Behind the '>' of the name that begins at `at` with '<'; NULL when it is none: a sign, a closing tag, words inside a longer text. */
static const char *end_of_name(const char *at, bool first) {
  const char *end = at + strcspn(at + 1, "<>") + 1;
  const size_t length = (size_t)(end - at) + 1;
  if (*end != '>' || length < 3 || length > LONGEST || !(isalnum((unsigned char)at[1]) || at[1] == '_'))
    return NULL;
  if (!first && memchr(at, ' ', length)) return NULL;
  return end + 1;
}

static vlm_status open_model(prompt_check *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *json = c->bundle->texts[VLM_TEXT_TOKENIZER],
             *config = c->bundle->texts[VLM_TEXT_TOKENIZER_CONFIG];
  if (c->tokenizer || !json) return VLM_OK;
  const vlm_slice text = {json, strlen(json)}, extra = {config, config ? strlen(config) : 0};
  VLM_TRY(vlm_tokenizer_create(&c->tokenizer, text, extra, vlm_text_file(VLM_TEXT_TOKENIZER), err));
  VLM_TRY(vlm_bundle_json(&c->config, c->bundle, VLM_TEXT_CONFIG, err));
out:
  return st;
}

static vlm_json own_tasks(const prompt_check *c) {
  return c->config ? vlm_json_member(vlm_json_root(c->config), "task_prompts") : (vlm_json){0};
}

/* A task, a token, or a place of a region. */
static bool is_known(const prompt_check *c, const char *name) {
  size_t count;
  const vlm_task *tasks = vlm_task_table(&count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(tasks[i].name, name) == 0) return true;
  const char *digits = name + strlen("<loc_");
  if (strncmp(name, "<loc_", 5) == 0 && *digits != '>' && digits[strspn(digits, "0123456789")] == '>')
    return true;
  return (c->tokenizer && vlm_tokenizer_id(c->tokenizer, name) >= 0) ||
         !vlm_json_is_null(vlm_json_member(own_tasks(c), name));
}

/* ---- the nearest ---- */

typedef struct {
  char letters[VLM_NEAR_LONGEST + 1]; /* of the wrong name, in capitals */
  const char *best;
  int least;
} nearest;

static void consider(nearest *n, const char *task) {
  size_t length = strlen(task);
  if (length > VLM_NEAR_LONGEST) length = VLM_NEAR_LONGEST;
  const int apart = vlm_name_distance(n->letters, strlen(n->letters), task, length);
  if (n->best && apart >= n->least) return;
  n->least = apart;
  n->best = task;
}

static const char *nearest_task(const prompt_check *c, const char *name) {
  nearest n = {.best = NULL};
  size_t count;
  const vlm_task *tasks = vlm_task_table(&count);
  for (size_t i = 0; name[i] && i < VLM_NEAR_LONGEST; i++)
    n.letters[i] = strchr(" -", name[i]) ? '_' : (char)toupper((unsigned char)name[i]);
  for (size_t i = 0; i < count; i++) consider(&n, tasks[i].name);
  for (vlm_json_iter it = {0}; vlm_json_next(own_tasks(c), &it);) consider(&n, it.key);
  return n.best;
}

/* ---- */

static vlm_status check(prompt_check *c, const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  char name[LONGEST + 1];
  for (const char *at = prompt; (at = strchr(at, '<')) != NULL;) {
    const char *end = end_of_name(at, at == prompt);
    if (!end) {
      at++;
      continue;
    }
    memcpy(name, at, (size_t)(end - at));
    name[end - at] = 0;
    VLM_TRY(open_model(c, err));
    VLM_CHECK(
        is_known(c, name), err, VLM_INPUT,
        "prompt \"%.200s\": %s is no task of %s; the nearest is %s (--raw-prompt sends the text as it is)",
        prompt, name, c->bundle->source, nearest_task(c, name));
    at = end;
  }
out:
  return st;
}

vlm_status vlm_prompts_check(const vlm_bundle *bundle, const vlm_dataset *set, const char *const *prompts,
                             int32_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  prompt_check c = {.bundle = bundle};
  for (int32_t i = 0; i < count; i++) VLM_TRY(check(&c, prompts[i], err));
  for (size_t i = 0; set && i < vlm_dataset_count(set); i++)
    if (vlm_dataset_get(set, i)->prompt) VLM_TRY(check(&c, vlm_dataset_get(set, i)->prompt, err));
out:
  vlm_tokenizer_free(c.tokenizer);
  vlm_json_free(c.config);
  return st;
}
