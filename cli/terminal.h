/* The edge between this program and a terminal: text that comes from files (names, captions, paths) must not steer it. */
#ifndef VLM_CLI_TERMINAL_H
#define VLM_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* From now on everything written to stdout and stderr is cleaned: control characters other than newline and tab, and characters that turn the
 * direction of text, come out as "\u001b". JSON stays JSON. When a stream cannot be wrapped it stays as it is. */
void vlm_clean_streams(void);

/* Columns for text on standard output: of COLUMNS when it is set, of the terminal, else 80; from 40 to 200. */
int vlm_terminal_width(void);

/* Cleans `bytes` of text into `out`, which has room for 6 * bytes; returns the length. *used gets how much of the text was taken: all but a
 * sequence that the end cuts in two. */
size_t vlm_clean_text(char *out, const char *text, size_t bytes, size_t *used);

#endif
