/* Tokenizers, and regular expressions as they have them. */
#include <stdlib.h>
#include <string.h>

#include "runtime/text/tok_regex.h"
#include "runtime/text/tokenizer.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_tokenizer, fuzz_on_regex;

static const char *const TEXTS[] = {"", " a  b\n", "Hello, World! 12.5%",
                                    "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82 \xff\xfe",
                                    "<s> </s> <image> n't A\xcc\x8a"};

static void use(const vlm_tokenizer *tokenizer) {
  for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
    vlm_error err;
    vlm_ids ids = {0};
    vlm_text text = {0};
    if (vlm_tokenizer_encode(tokenizer, TEXTS[i], strlen(TEXTS[i]), true, &ids, &err) == VLM_OK) {
      for (size_t k = 0; k < ids.count; k++)
        if (ids.data[k] < 0 || ids.data[k] >= vlm_tokenizer_size(tokenizer)) fuzz_found("an id outside");
      vlm_tokenizer_decode(tokenizer, ids.data, ids.count, i % 2, &text, &err);
    }
    vlm_ids_free(&ids);
    vlm_text_free(&text);
  }
  const int32_t odd[] = {0, -1, INT32_MAX, 1, 2, INT32_MIN};
  vlm_text text = {0};
  vlm_error err;
  vlm_tokenizer_decode(tokenizer, odd, 6, false, &text, &err);
  vlm_text_free(&text);
}

void fuzz_on_tokenizer(const uint8_t *data, size_t size) {
  vlm_error err = {0};
  vlm_tokenizer *tokenizer = NULL;
  char *json = fuzz_text(&data, &size);
  const vlm_slice text = {json, strlen(json)}, config = {size ? (const char *)data : NULL, size};
  if (vlm_tokenizer_create(&tokenizer, text, config, "fuzz.json", &err) == VLM_OK) use(tokenizer);
  else if (!err.text[0]) fuzz_found("refused without a message");
  vlm_tokenizer_free(tokenizer);
  free(json);
}

void fuzz_on_regex(const uint8_t *data, size_t size) {
  vlm_error err = {0};
  vlm_arena *arena = NULL;
  vlm_regex *regex;
  vlm_text_range *ranges;
  size_t count;
  char *pattern = fuzz_text(&data, &size);
  if (vlm_arena_create(&arena, &err) == VLM_OK &&
      vlm_regex_create(&regex, arena, (vlm_slice){pattern, strlen(pattern)}, &err) == VLM_OK &&
      vlm_regex_find_all(regex, arena, (vlm_slice){(const char *)data, size}, &ranges, &count, &err) ==
          VLM_OK)
    for (size_t i = 0; i < count; i++)
      if (ranges[i].from > ranges[i].to || ranges[i].to > size) fuzz_found("a match outside of the text");
  vlm_arena_free(arena);
  free(pattern);
}
