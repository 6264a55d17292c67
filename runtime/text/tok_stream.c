/* Streaming: a window of ids is decoded with and without its newest part; the difference is new text. The window keeps the ids of the
 * previous output, since blanks at the start of a text depend on there being none before. */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/text/tok_private.h"

struct vlm_token_stream {
  const vlm_tokenizer *tokenizer;
  vlm_tok_decode_opts opts;
  vlm_ids window;
  size_t known;         /* ids of the window whose text is out */
  vlm_text before, all; /* text of the known ids, and of all of them */
};

vlm_status vlm_token_stream_create(vlm_token_stream **out, const vlm_tokenizer *tokenizer, bool skip_special,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  *out = NULL;
  VLM_TRY(vlm_alloc(&memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->tokenizer = tokenizer;
  (*out)->opts = (vlm_tok_decode_opts){.skip_special = skip_special, .raw = true};
out:
  return st;
}

void vlm_token_stream_free(vlm_token_stream *stream) {
  if (!stream) return;
  vlm_ids_free(&stream->window);
  vlm_text_free(&stream->before);
  vlm_text_free(&stream->all);
  vlm_free(stream);
}

static bool ends_open(const vlm_text *text) {
  return text->bytes >= 3 && memcmp(text->data + text->bytes - 3, "\xEF\xBF\xBD", 3) == 0;
}

/* Bytes that `before` and `all` begin with alike. */
static size_t common(const vlm_text *a, const vlm_text *b) {
  size_t n = 0;
  while (n < a->bytes && n < b->bytes && a->data[n] == b->data[n]) n++;
  return n;
}

static vlm_status emit(vlm_token_stream *s, bool final, vlm_text *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text_clear(&s->before);
  vlm_text_clear(&s->all);
  VLM_TRY(vlm_tok_decode(s->tokenizer, s->window.data, s->known, &s->opts, &s->before, err));
  VLM_TRY(vlm_tok_decode(s->tokenizer, s->window.data, s->window.count, &s->opts, &s->all, err));
  if (s->all.bytes <= s->before.bytes || (!final && ends_open(&s->all))) goto out;
  const size_t from = common(&s->before, &s->all);
  VLM_TRY(vlm_text_append(text, s->all.data + from, s->all.bytes - from, err));
  s->window.count -= s->known;
  memmove(s->window.data, s->window.data + s->known, s->window.count * sizeof *s->window.data);
  s->known = s->window.count;
out:
  return st;
}

vlm_status vlm_token_stream_push(vlm_token_stream *stream, int32_t id, vlm_text *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_ids_append(&stream->window, &id, 1, err));
  VLM_TRY(emit(stream, false, text, err));
out:
  return st;
}

vlm_status vlm_token_stream_finish(vlm_token_stream *stream, vlm_text *text, vlm_error *err) {
  const vlm_status st = emit(stream, true, text, err);
  stream->window.count = 0;
  stream->known = 0;
  return st;
}
