/* The command line: one table of options (options.def) for all programs, parsing, help. */
#ifndef VLM_CLI_OPTIONS_H
#define VLM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/status.h"

typedef enum vlm_option_id {
#define X(id, name, kind, programs, value, help) VLM_OPT_##id,
#include "cli/options.def"
#undef X
  VLM_OPT_COUNT
} vlm_option_id;

typedef struct vlm_option_values {
  const char **items; /* pointers into argv */
  int count;
  bool given;
} vlm_option_values;

typedef struct vlm_args {
  vlm_option_values options[VLM_OPT_COUNT];
  vlm_option_values positional;
} vlm_args;

struct vlm_program;
/* Fills args; VLM_USAGE names the option, what was wrong and where the help is. Free with vlm_args_free. */
vlm_status vlm_args_parse(vlm_args *args, const struct vlm_program *program, int argc, char **argv, vlm_error *err);
void vlm_args_free(vlm_args *args);

bool vlm_args_has(const vlm_args *args, vlm_option_id id);
/* Last value, or fallback. */
const char *vlm_args_text(const vlm_args *args, vlm_option_id id, const char *fallback);
/* Value within [low, high], or fallback when the option was not given. */
vlm_status vlm_args_int(int64_t *out, const vlm_args *args, vlm_option_id id, int64_t fallback, int64_t low, int64_t high, vlm_error *err);
/* A finite number; a trailing "%" is accepted where the help shows one. */
vlm_status vlm_args_number(double *out, const vlm_args *args, vlm_option_id id, double fallback, vlm_error *err);
const char *vlm_option_name(vlm_option_id id);
/* VLM_USAGE "OPTION does not go with WHAT" when one of the ids was given; VLM_OPT_COUNT ends the list. So no option is ignored. */
vlm_status vlm_args_refuse(const vlm_args *args, const vlm_option_id *ids, const char *what, vlm_error *err);

void vlm_print_help(FILE *file, const struct vlm_program *program);

#endif
