/* Answers: a prepared picture and a prompt in, tokens and text out. */
#ifndef VLMQ_GENERATE_H
#define VLMQ_GENERATE_H

#include <vlmq/picture.h>

VLM_BEGIN_DECLS

/* Called on the thread of vlm_runner_generate with each token as it is chosen; with beams, where tokens
 * are sure only at the end, then for all of them. `text`: what became certain of the text (`bytes` bytes,
 * zero-terminated, whole characters, often "" for special tokens); a last call with id -1 brings what
 * waited for the end of a character that never came. Anything but 0 stops the answer there. It may call
 * vlm_runner_cancel, and nothing else that computes on the runner's engine (VLM_USAGE); it must come back
 * (no exception, no longjmp). */
typedef int vlm_token_callback(void *user, int32_t id, const char *text, size_t bytes);

typedef struct vlm_generate_opts {
  size_t size;            /* sizeof(vlm_generate_opts) */
  int64_t max_new_tokens; /* 0 = the model's */
  int64_t beams;          /* 1 = greedy, 64 at most; 0 = the model's */
  /* From the start of the call; 0 = none. Looked at between graphs and between tokens, so the call may
   * last one run of a graph longer; what is there by then is the reply. */
  double deadline_ms;
  vlm_token_callback *on_token; /* NULL = none */
  void *user;                   /* handed to on_token */
} vlm_generate_opts;

static inline vlm_generate_opts vlm_generate_opts_init(void) {
  vlm_generate_opts opts;
  memset(&opts, 0, sizeof opts);
  opts.size = sizeof opts;
  return opts;
}

/* Why an answer ended. */
typedef enum vlm_finish {
  VLM_FINISH_NONE = 0,      /* no reply */
  VLM_FINISH_END = 1,       /* the model said so */
  VLM_FINISH_LENGTH = 2,    /* as many tokens as allowed */
  VLM_FINISH_CANCELLED = 3, /* vlm_runner_cancel, or the callback */
  VLM_FINISH_DEADLINE = 4
} vlm_finish;

/* An answer. It owns what the functions below return and needs neither runner nor prepared picture. */
typedef struct vlm_reply vlm_reply;

/* Answers `prompt` about a picture that this runner prepared: the name of a task ("<CAPTION>") or plain
 * text; NULL = the model's default, "<CAPTION>" when it states none. opts NULL = defaults. An answer that
 * was stopped is VLM_OK: vlm_reply_finish tells, the tokens so far are there. VLM_INPUT: a single graph,
 * or a prompt that is too long. Free with vlm_reply_free. */
VLM_API vlm_status vlm_runner_generate(vlm_reply **out, vlm_runner *runner, const vlm_prepared *picture,
                                       const char *prompt, const vlm_generate_opts *opts, vlm_error *err);
/* Ends the answer under way, as a deadline does; when there is none, nothing happens. From any thread,
 * from the callback and from a signal handler. VLM_USAGE for NULL. */
VLM_API vlm_status vlm_runner_cancel(vlm_runner *runner);

VLM_API void vlm_reply_free(vlm_reply *reply);
/* The text without special tokens, trimmed. NULL for NULL. */
VLM_API const char *vlm_reply_text(const vlm_reply *reply);
/* The ids as generated: the last token of the start first, the end token last. *count (may be NULL) = how
 * many. */
VLM_API const int32_t *vlm_reply_ids(const vlm_reply *reply, size_t *count);
VLM_API vlm_finish vlm_reply_finish(const vlm_reply *reply);

/* Milliseconds of one vlm_runner_generate. */
typedef struct vlm_timing {
  size_t size; /* sizeof(vlm_timing) */
  double vision_ms, embed_ms, encoder_ms;
  double first_ms;       /* the decoder on what it starts from */
  double steps_ms;       /* the decoder on all further tokens */
  double first_token_ms; /* from the start of the call */
  double total_ms;
  int64_t steps; /* runs behind the first */
  int64_t image_tokens, prompt_tokens;
} vlm_timing;

static inline vlm_timing vlm_timing_init(void) {
  vlm_timing timing;
  memset(&timing, 0, sizeof timing);
  timing.size = sizeof timing;
  return timing;
}

VLM_API vlm_status vlm_reply_timing(const vlm_reply *reply, vlm_timing *out, vlm_error *err);

typedef enum vlm_outline { VLM_OUTLINE_BOX = 0, VLM_OUTLINE_QUAD = 1, VLM_OUTLINE_POLYGON = 2 } vlm_outline;

/* Something that the answer points at, in pixels of the picture as it was given to vlm_runner_prepare. */
typedef struct vlm_finding {
  size_t size;       /* sizeof(vlm_finding) */
  const char *label; /* "" = none */
  vlm_outline outline;
  int32_t instance;     /* polygons of one thing share it */
  size_t count;         /* of values: 4 for a box, 8 for a quadrilateral, 2 per point of a polygon */
  const double *values; /* box: left, top, right, bottom; others: x, y of each point */
} vlm_finding;

static inline vlm_finding vlm_finding_init(void) {
  vlm_finding finding;
  memset(&finding, 0, sizeof finding);
  finding.size = sizeof finding;
  return finding;
}

/* How many there are: 0 for tasks that answer with text alone, and for NULL. */
VLM_API size_t vlm_reply_findings(const vlm_reply *reply);
VLM_API vlm_status vlm_reply_finding(const vlm_reply *reply, size_t index, vlm_finding *out, vlm_error *err);

VLM_END_DECLS

#endif
