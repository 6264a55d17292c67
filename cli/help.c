/* --help in the width of the terminal. */
#include "cli/help.h"

#include <string.h>

#include "cli/help_text.h"

/* ---- lines ---- */

typedef struct {
  FILE *file;
  int width, indent, column;
} text_lines;

static void pad_to(text_lines *t, int column) {
  for (; t->column < column; t->column++) fputc(' ', t->file);
}

static void end_line(text_lines *t) {
  fputc('\n', t->file);
  t->column = 0;
}

/* A word that does not fit goes to the next line, at the indent; `joint` closes the line that it leaves. */
static void put_word(text_lines *t, const char *word, size_t bytes, const char *joint) {
  int columns = vlm_columns(word, bytes), blank = t->column > t->indent;
  if (blank && t->column + 1 + columns + (int)strlen(joint) > t->width) {
    fputs(joint, t->file);
    end_line(t);
    blank = 0;
  }
  pad_to(t, t->indent);
  if (blank) fputc(' ', t->file);
  fwrite(word, 1, bytes, t->file);
  t->column += blank + columns;
}

static void put_words(text_lines *t, const char *text, const char *joint) {
  vlm_slice word;
  while (vlm_next_word_of_shell(&text, &word)) put_word(t, word.data, word.bytes, joint);
}

/* ---- parts ---- */

/* Lines of programs.def: what does not fit goes on further in. joint: how a shell is told that the line goes
 * on. */
static void put_calls(text_lines *t, const char *calls, const char *joint) {
  vlm_slice line;
  while (vlm_next_line(&calls, &line)) {
    const char *at = line.data;
    vlm_slice word;
    t->indent = 2;
    while (at < line.data + line.bytes && vlm_next_word_of_shell(&at, &word)) {
      put_word(t, word.data, word.bytes, *line.data == '#' ? "" : joint);
      t->indent = *line.data == '#' ? 2 : 6;
    }
    end_line(t);
  }
}

static void put_option(text_lines *t, const vlm_option_row *row, int left) {
  char name[96], facts[320];
  vlm_option_synopsis(name, sizeof name, row);
  vlm_option_facts(facts, sizeof facts, row);
  t->indent = 2;
  put_word(t, name, strlen(name), "");
  if (t->column + 2 > left) end_line(t);
  t->indent = left;
  pad_to(t, left);
  put_words(t, row->help, "");
  put_words(t, facts, "");
  end_line(t);
}

static void put_group(text_lines *t, const vlm_program *program, vlm_option_group group, const char *title,
                      int left) {
  bool any = false;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (row->group != group || !vlm_option_in(row, program->letter)) continue;
    if (!any) fprintf(t->file, "\n%s:\n", title);
    any = true;
    put_option(t, row, left);
  }
}

void vlm_print_help(FILE *file, const vlm_program *program, int width) {
  static const char *const TITLES[] = {
#define X(name, title) title,
      VLM_OPTION_GROUPS(X)
#undef X
  };
  text_lines t = {.file = file, .width = width};
  fprintf(file, "%s:", program->name);
  t.column = (int)strlen(program->name) + 1;
  t.indent = 2;
  put_words(&t, program->summary, "");
  end_line(&t);
  fputs("\nUsage:\n", file);
  put_calls(&t, program->usage, "");
  for (int g = 0; g < VLM_GROUP_COUNT; g++)
    put_group(&t, program, (vlm_option_group)g, TITLES[g], width < 72 ? 12 : 28);
  fputs("\nExamples:\n", file);
  put_calls(&t, program->examples, " \\");
  fputc('\n', file);
  t.indent = 0;
  put_words(&t, "Exit codes: " VLM_EXIT_CODES, "");
  end_line(&t);
}
