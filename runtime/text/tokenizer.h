/* Text to token ids and back, as the `tokenizer.json` of the Hugging Face tokenizers library defines it.
 *
 * Models: BPE (byte-level and SentencePiece form), WordPiece, WordLevel, Unigram, with their normalizers, pre-tokenizers, added
 * tokens, post-processors and decoders. What a file asks for and this reader lacks is VLM_UNSUPPORTED with the name of it; nothing is
 * ignored except "truncation" and "padding", which belong to batches.
 * From `tokenizer_config.json`: clean_up_tokenization_spaces (default false), add_prefix_space (overrides a byte-level pre-tokenizer),
 * and the named tokens (bos_token, …), which count as special.
 * A tokenizer is immutable after creation; calls on one tokenizer may run in parallel. */
#ifndef VLM_TEXT_TOKENIZER_H
#define VLM_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/buffer.h"

typedef struct vlm_tokenizer vlm_tokenizer;

/* JSON text in memory; nothing of it is kept. config.data NULL = no tokenizer_config. `source` names the text in messages. */
vlm_status vlm_tokenizer_create(vlm_tokenizer **out, vlm_slice json, vlm_slice config, const char *source,
                                vlm_error *err);
/* From files; config_path NULL = none. */
vlm_status vlm_tokenizer_load(vlm_tokenizer **out, const char *path, const char *config_path, vlm_error *err);
void vlm_tokenizer_free(vlm_tokenizer *tokenizer);

/* Appends the ids of `text` (UTF-8, `bytes` bytes; ill-formed parts count as U+FFFD). add_special puts the post-processor's ids
 * around it. */
vlm_status vlm_tokenizer_encode(const vlm_tokenizer *tokenizer, const char *text, size_t bytes,
                                bool add_special, vlm_ids *ids, vlm_error *err);
/* Appends the text of `n` ids; unknown ids are left out. skip_special leaves out special tokens, such as <s>. */
vlm_status vlm_tokenizer_decode(const vlm_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                bool skip_special, vlm_text *text, vlm_error *err);

/* Id of a token by its text, or -1. */
int32_t vlm_tokenizer_id(const vlm_tokenizer *tokenizer, const char *token);
/* Text of a token as it stands in the vocabulary ("Ġthe", "▁the", "##ing"), zero-terminated, or NULL. */
const char *vlm_tokenizer_token(const vlm_tokenizer *tokenizer, int32_t id);
/* Left out by skip_special. */
bool vlm_tokenizer_is_special(const vlm_tokenizer *tokenizer, int32_t id);
/* Largest id + 1, added tokens included. */
int32_t vlm_tokenizer_size(const vlm_tokenizer *tokenizer);

/* Text of a growing sequence of ids: each push appends what became certain, never half a character.
 * All pieces together are the text that vlm_tokenizer_decode gives for all ids, without clean_up_tokenization_spaces. (Byte tokens that
 * go wrong after a character was complete may give fewer U+FFFD than decoding all at once, since the character is out already.) */
typedef struct vlm_token_stream vlm_token_stream;
/* The tokenizer must outlive the stream. */
vlm_status vlm_token_stream_create(vlm_token_stream **out, const vlm_tokenizer *tokenizer, bool skip_special,
                                   vlm_error *err);
void vlm_token_stream_free(vlm_token_stream *stream);
vlm_status vlm_token_stream_push(vlm_token_stream *stream, int32_t id, vlm_text *text, vlm_error *err);
/* Appends what is still held back (U+FFFD for an unfinished character) and makes the stream ready for a new sequence. */
vlm_status vlm_token_stream_finish(vlm_token_stream *stream, vlm_text *text, vlm_error *err);

#endif
