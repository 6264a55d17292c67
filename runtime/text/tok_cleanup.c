#include "runtime/text/tok_cleanup.h"

static const struct cleanup_row {
  const char *what, *with;
  bool token_only;
} rules[] = {
    {" .", ".", false},   {" ?", "?", false},     {" !", "!", false},     {" ,", ",", false},
    {" ' ", "'", false},  {" n't", "n't", false}, {" 'm", "'m", false},   {" do not", " don't", true},
    {" 's", "'s", false}, {" 've", "'ve", false}, {" 're", "'re", false},
};

static vlm_status apply(vlm_arena *arena, vlm_slice *text, bool token, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    if (rules[i].token_only && !token) continue;
    VLM_TRY(
        vlm_slice_replace(arena, text, *text, vlm_slice_of(rules[i].what), vlm_slice_of(rules[i].with), err));
  }
out:
  return st;
}

vlm_status vlm_tok_cleanup_token(vlm_arena *arena, vlm_slice *text, vlm_error *err) {
  return apply(arena, text, true, err);
}
vlm_status vlm_tok_cleanup_text(vlm_arena *arena, vlm_slice *text, vlm_error *err) {
  return apply(arena, text, false, err);
}
