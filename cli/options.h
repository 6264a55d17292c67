/* The command line: one table of options (options.def) for all programs; what was given lands in one struct.
 */
#ifndef VLM_CLI_OPTIONS_H
#define VLM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buffer.h"
#include "runtime/base/status.h"

typedef struct vlm_option_values {
  const char **items; /* pointers into argv */
  int count;
} vlm_option_values;

/* The types of options.def and what each leaves in its field. Values are checked when they are read. */
typedef bool vlm_option_flag;
typedef int64_t vlm_option_integer;  /* within the bounds of the row */
typedef double vlm_option_number;    /* finite; a unit may follow the digits */
typedef double vlm_option_percent;   /* "5%" and "5" are 5 */
typedef int vlm_option_choice;       /* index into the choices of the row */
typedef const char *vlm_option_text; /* NULL = not given; one of the choices of the row when it has some */
typedef vlm_option_values vlm_option_texts; /* repeatable, one value each */
typedef const char *vlm_option_file_in;     /* can be read */
typedef vlm_option_values
    vlm_option_paths; /* values up to the next option: files and folders that can be read */
typedef const char *vlm_option_file_out; /* can be written, and is none of what the command reads */
typedef const char *vlm_option_folder_out;
typedef const char
    *vlm_option_json_out; /* --name or --name=FILE: NULL is standard output when the option was given */

/* Sections of the help: X(NAME, title), in their order. */
#define VLM_OPTION_GROUPS(X)              \
  X(SAMPLES, "Samples and prompts")       \
  X(MEASURE, "Statistics")                \
  X(RECIPE, "What is quantized, and how") \
  X(ANSWERS, "Answers")                   \
  X(BUDGETS, "Budgets and scores")        \
  X(GRAPHS, "Single graphs")              \
  X(LOOK, "What to look at")              \
  X(FILES, "Output")                      \
  X(MACHINE, "Machine and model")         \
  X(GENERAL, "General")

typedef enum vlm_option_id {
#define X(field, ...) VLM_OPT_##field,
#include "cli/options.def"
#undef X
  VLM_OPT_COUNT
} vlm_option_id;

/* What the command line says. A field that was not given has the default of its row, or is 0. */
typedef struct vlm_args {
#define X(field, type, ...) vlm_option_##type field;
#include "cli/options.def"
#undef X
  bool given[VLM_OPT_COUNT];
  vlm_option_values positional;
  struct vlm_json_doc *config_document; /* owns the texts that --config gave */
} vlm_args;

#define VLM_OPTION_GIVEN(args, field) ((args)->given[VLM_OPT_##field])

struct vlm_program;
/* Reads and checks the whole line. VLM_USAGE names every option that is wrong, what was wrong and what to
 * type instead; nothing on disk is looked at. --help and --version end the checks. Free with vlm_args_free,
 * on failure too. */
vlm_status vlm_args_parse(vlm_args *args, const struct vlm_program *program, int argc, char **argv,
                          vlm_error *err);
void vlm_args_free(vlm_args *args);

/* VLM_USAGE when an option was given that does not go with such a thing, so that none is ignored. uses: words
 * of `fits` in options.def, such as "graph"; what: how the message calls it, such as "a single graph". */
vlm_status vlm_args_fit(const vlm_args *args, const char *uses, const char *what, vlm_error *err);

/* The options that shape the result and differ from their defaults, as they would be typed, in the order of
 * the table: the same text for the same recipe. Nothing is appended when all are defaults. */
vlm_status vlm_args_record(vlm_text *out, const vlm_args *args, vlm_error *err);
/* The same of the options that change what a sample's run measures. */
vlm_status vlm_args_measured(vlm_text *out, const vlm_args *args, vlm_error *err);

#endif
