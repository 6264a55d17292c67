/* Private to help, manuals and completion: what they say of a row. */
#ifndef VLM_CLI_HELP_TEXT_H
#define VLM_CLI_HELP_TEXT_H

#include "cli/option_row.h"

#define VLM_EXIT_CODES                                                                            \
  "0 fine, 1 usage, 2 bad input, 3 quality below budget, 4 slower, 5 integrity, 70 our bug, 130 " \
  "interrupted."

/* "--threads N", "-h, --help", "--json[=FILE]", "--images PATH...". */
void vlm_option_synopsis(char *out, size_t size, const vlm_option_row *row);
/* Values, bounds and default: "(1 to 19; default: 19)"; "" when there is nothing to say. */
void vlm_option_facts(char *out, size_t size, const vlm_option_row *row);

/* Columns that the text takes on a terminal. */
int vlm_columns(const char *text, size_t bytes);
/* The next word of *at, blanks inside double quotes included; false at the end or at a line break. */
bool vlm_next_word_of_shell(const char **at, vlm_slice *word);
/* The next line of *at, without its end. */
bool vlm_next_line(const char **at, vlm_slice *line);

#endif
