/* Chat templates: the part of the Jinja language that models use, as the transformers library sets it up (trim_blocks, lstrip_blocks).
 *
 * Statements: for (with else, if, break, continue), if, set (also as a block and of a namespace), generation. Values: text, whole numbers,
 * lists, objects. What is left out is named: macros, includes, fractions.
 *
 * Templates come from strangers: steps, nesting, memory and output are bounded. Messages say the line. */
#ifndef VLM_HUB_JINJA_H
#define VLM_HUB_JINJA_H

#include "runtime/base/json.h"
#include "runtime/base/memory.h"

typedef enum vlm_jinja_kind {
  VLM_JINJA_UNDEFINED,
  VLM_JINJA_NONE,
  VLM_JINJA_BOOL,
  VLM_JINJA_INT,
  VLM_JINJA_TEXT,
  VLM_JINJA_LIST,
  VLM_JINJA_DICT
} vlm_jinja_kind;

/* Read-only once it is made, but for namespaces, which are objects that a template may write to. */
typedef struct vlm_jinja_value {
  vlm_jinja_kind kind;
  bool is_namespace;
  int64_t number;                       /* BOOL, INT */
  const char *text;                     /* TEXT; of an UNDEFINED: what was looked for */
  const struct vlm_jinja_value **items; /* LIST, DICT */
  const char **keys;                    /* DICT */
  size_t count, room;
} vlm_jinja_value;

/* A JSON value as a template sees it. */
vlm_status vlm_jinja_from_json(const vlm_jinja_value **out, vlm_arena *arena, vlm_json json, vlm_error *err);

/* Appends what the template says; variables is an object. `name` begins messages, "chat_template.jinja: line 3: ...". A template that calls
 * raise_exception ends with VLM_INPUT and its text. The arena holds what is made on the way. */
vlm_status vlm_jinja_render(char **out, const char *source, const char *name,
                            const vlm_jinja_value *variables, vlm_arena *arena, vlm_error *err);

#endif
