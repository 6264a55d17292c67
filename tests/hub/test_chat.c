/* What goes around a prompt, from the chat templates of models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/resolve.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

typedef struct source {
  vlm_bundle_text text;
  const char *content;
} source;

/* chat.json of a decoder-only model with these files. */
static char *chat_of(const source *sources, size_t count) {
  vlm_bundle *bundle = NULL;
  char *chat = NULL;
  FINE(vlm_bundle_create(&bundle, "folder", &error));
  bundle->family = VLM_FAMILY_DECODER_ONLY;
  for (size_t i = 0; i < count; i++)
    FINE(vlm_strdup(&bundle->texts[sources[i].text], sources[i].content, &error));
  FINE(vlm_hub_resolve(bundle, &error));
  if (bundle->texts[VLM_TEXT_CHAT]) FINE(vlm_strdup(&chat, bundle->texts[VLM_TEXT_CHAT], &error));
  vlm_bundle_free(bundle);
  return chat;
}
#define CHAT(...) \
  chat_of((const source[]){__VA_ARGS__}, sizeof((const source[]){__VA_ARGS__}) / sizeof(source))

static void check_and_free(char *chat, const char *expected) {
  assert_non_null(chat);
  assert_string_equal(chat, expected);
  vlm_free(chat);
}

static const char PARTS[] =
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>\n{% for c in m.content %}{% if c.type == 'image' %}"
    "<start_of_image>{% else %}{{ c.text | trim }}{% endif %}{% endfor %}</>\n{% endfor %}"
    "{% if add_generation_prompt %}<model>\n{% endif %}";

static void parts_and_places(void **state) {
  (void)state;
  check_and_free(
      CHAT({VLM_TEXT_CHAT_TEMPLATE, PARTS}, {VLM_TEXT_CONFIG, "{\"model_type\": \"gemma3\"}"},
           {VLM_TEXT_TOKENIZER_CONFIG,
            "{\"bos_token\": {\"content\": \"<bos>\"}, \"chat_template\": \"not this\"}"}),
      "{\"with_image\": [\"<bos><user>\\n\\n\\n<start_of_image><image_soft_token><end_of_image>\\n\\n\", "
      "\"</>\\n<model>\\n\"], \"without_image\": [\"<bos><user>\\n\", \"</>\\n<model>\\n\"], \"trim\": "
      "true}");
}

/* One text instead of parts, as Phi-3-vision wants it. */
static void texts(void **state) {
  (void)state;
  check_and_free(
      CHAT(
          {VLM_TEXT_TOKENIZER_CONFIG,
           "{\"chat_template\": \"{% for m in messages %}{{ '<|' + m['role'] + '|>' + '\\n' + m['content'] + "
           "'<|end|>' }}{% endfor %}\"}"},
          {VLM_TEXT_CONFIG, "{\"model_type\": \"phi3_v\"}"}),
      "{\"with_image\": [\"<|user|>\\n{image}\\n\", \"<|end|>\"], \"without_image\": [\"<|user|>\\n\", "
      "\"<|end|>\"], "
      "\"trim\": false}");
}

static void every_file_is_looked_at(void **state) {
  static const char SAYS[] =
      "{\"with_image\": [\"A \", \" B\"], \"without_image\": [\"A \", \" B\"], \"trim\": false}";
  static const char TEMPLATE[] = "A {{ messages[0].content[-1].text }} B";
  (void)state;
  check_and_free(CHAT({VLM_TEXT_CHAT_TEMPLATE, TEMPLATE}), SAYS);
  check_and_free(
      CHAT({VLM_TEXT_CHAT_WRAPPED, "{\"chat_template\": \"A {{ messages[0].content[-1].text }} B\"}"}), SAYS);
  check_and_free(
      CHAT({VLM_TEXT_PROCESSOR, "{\"chat_template\": \"A {{ messages[0].content[-1].text }} B\"}"}), SAYS);
  check_and_free(
      CHAT({VLM_TEXT_TOKENIZER_CONFIG,
            "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"}, {\"name\": \"default\", "
            "\"template\": \"A {{ messages[0].content[-1].text }} B\"}]}"}),
      SAYS);
  assert_null(CHAT({VLM_TEXT_TOKENIZER_CONFIG, "{}"}));
}

/* A template of no use is told when a prompt is asked, not before. */
static void reasons_are_kept(void **state) {
  static const struct {
    const char *text, *reason;
  } cases[] = {{"{% macro a() %}{% endmacro %}", "line 1: {% macro %} is not supported"},
               {"nothing", "says the prompt nowhere"},
               {"{% for m in messages %}\n{{ m.content | frob }}{% endfor %}", "line 2: the filter frob"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *chat = CHAT({VLM_TEXT_CHAT_TEMPLATE, cases[i].text});
    assert_non_null(chat);
    if (strncmp(chat, "{\"error\": \"chat_template.jinja: ", 32) != 0 || !strstr(chat, cases[i].reason))
      fail_msg("%s: %s", cases[i].text, chat);
    vlm_free(chat);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_and_places),
      cmocka_unit_test(texts),
      cmocka_unit_test(every_file_is_looked_at),
      cmocka_unit_test(reasons_are_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
