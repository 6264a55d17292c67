/* Private to the files that read the table of options: what a row says. */
#ifndef VLM_CLI_OPTION_ROW_H
#define VLM_CLI_OPTION_ROW_H

#include "cli/options.h"
#include "cli/program.h"

typedef enum vlm_option_type {
  VLM_TYPE_flag,
  VLM_TYPE_integer,
  VLM_TYPE_number,
  VLM_TYPE_percent,
  VLM_TYPE_choice,
  VLM_TYPE_text,
  VLM_TYPE_texts,
  VLM_TYPE_file_in,
  VLM_TYPE_paths,
  VLM_TYPE_file_out,
  VLM_TYPE_folder_out,
  VLM_TYPE_json_out,
} vlm_option_type;

typedef enum vlm_option_group {
#define X(name, title) VLM_GROUP_##name,
  VLM_OPTION_GROUPS(X)
#undef X
      VLM_GROUP_COUNT
} vlm_option_group;

/* Lists are words with blanks between them. A condition is "--name" (given), "--name=VALUE" (with that
 * value), "--name=" (without one) or, in capitals, an argument of the program. */
typedef struct vlm_option_row {
  size_t target; /* offset in vlm_args */
  vlm_option_type type;
  const char *name, *programs;
  vlm_option_group group;
  const char *value, *help;
  const char *also;      /* a second name */
  const char *known_as;  /* what others call it: suggested, not taken */
  int64_t low, high;     /* of integers, numbers and percents; both 0 = any */
  const char *unit;      /* may follow a number */
  const char *choices;   /* all values; "name[:P]" takes a parameter */
  const char *standard;  /* the default, read like a value */
  const char *otherwise; /* the default in words, for the help */
  const char *fits; /* what it goes with: pipeline, graph, packed, statistics, or the option that replaces the
                       arguments; NULL = all */
  const char *only; /* what it takes instead of the program's arguments */
  const char *idle; /* with `only`: what does not happen then */
  const char *needs, *excludes; /* conditions; of "A|B" one is enough */
  const char *needs_in;         /* `needs` holds in these of its programs; NULL = all */
  const char *missing;          /* must be given, and why ... */
  const char *missing_in;       /* ... in these of its programs; NULL = all */
  const char *unless;           /* ... unless one of these conditions holds */
  bool named;                   /* values are NAME=PATH */
  bool recorded;                /* shapes the result: vlm_args_record */
  bool measured;                /* changes what is measured: vlm_args_measured */
  vlm_status (*check)(const char *text, vlm_error *err); /* of a text's form */
} vlm_option_row;

extern const vlm_option_row vlm_option_rows[VLM_OPT_COUNT];

/* ---- the table (options.c) ---- */

/* Takes a value, takes several, may be given again. */
bool vlm_option_takes_value(const vlm_option_row *row);
bool vlm_option_is_list(const vlm_option_row *row);
bool vlm_option_in(const vlm_option_row *row, char program);      /* is there and built */
bool vlm_option_planned(const vlm_option_row *row, char program); /* is there, built or not */
/* The row with that name, of any program; NULL when there is none. */
const vlm_option_row *vlm_option_find(const char *name, size_t length);
vlm_option_id vlm_option_id_of(const vlm_option_row *row);
/* The next word of *at, which moves on; false at the end. */
bool vlm_next_word(const char **at, vlm_slice *word);
bool vlm_has_word(const char *words, const char *word, size_t length);

/* Texts and paths that were given: none, one or several. The slot of a single value is `one`. */
vlm_option_values vlm_option_given_values(const vlm_args *args, const vlm_option_row *row, const char **one);

/* ---- values (option_values.c) ---- */

/* Reads the text into the field. VLM_USAGE says what was wanted. */
vlm_status vlm_option_read(vlm_args *args, const vlm_option_row *row, const char *text, vlm_error *err);
/* The value as it would be typed: "19", "zstd". For types with one value. */
void vlm_option_show(char *out, size_t size, const vlm_args *args, const vlm_option_row *row);

/* ---- relations (option_check.c) ---- */

vlm_status vlm_args_check(const vlm_args *args, const vlm_program *program, vlm_error *err);

/* ---- nearest names (option_near.c) ---- */

/* The option of the program that was probably meant; NULL when nothing is near. */
const vlm_option_row *vlm_option_near(const char *name, size_t length, char program);

/* ---- forms (option_forms.c): VLM_USAGE when the text has not the form ---- */

vlm_status vlm_form_shard(const char *text, vlm_error *err);
vlm_status vlm_form_range(const char *text, vlm_error *err);
vlm_status vlm_form_keep(const char *text, vlm_error *err);
vlm_status vlm_form_yuv(const char *text, vlm_error *err);
vlm_status vlm_form_shape(const char *text, vlm_error *err);
vlm_status vlm_form_freeze(const char *text, vlm_error *err);
vlm_status vlm_form_records(const char *text, vlm_error *err); /* eval_records.c */

/* ---- several mistakes, one message ---- */

typedef struct vlm_mistakes {
  vlm_status status; /* of the first */
  int count;
  bool wants_help; /* closes with "see PROGRAM --help" */
  char text[700];
} vlm_mistakes;
/* Adds what went wrong. */
void vlm_mistake(vlm_mistakes *all, vlm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* VLM_OK when there was none. */
vlm_status vlm_mistakes_end(const vlm_mistakes *all, const vlm_program *program, vlm_error *err);

#endif
