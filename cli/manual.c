/* Manual pages in the man macros, from the tables. */
#include <string.h>

#include "cli/help.h"
#include "cli/help_text.h"
#include "runtime/base/utf8.h"

/* Text in which nothing means something to roff: hyphens as typed, no request at the begin of a line. */
static void put_text(FILE *file, const char *text, size_t bytes) {
  uint32_t code;
  if (bytes && (*text == '.' || *text == '\'')) fputs("\\&", file);
  for (size_t at = 0; at < bytes;) {
    at += vlm_utf8_next(text + at, bytes - at, &code);
    if (code == '\\') fputs("\\e", file);
    else if (code == '-') fputs("\\-", file);
    else if (code == '\'') fputs("\\(aq", file);
    else if (code < 0x80) fputc((int)code, file);
    else fprintf(file, "\\[u%04X]", (unsigned)code);
  }
}

static void put_line(FILE *file, const char *text) {
  put_text(file, text, strlen(text));
  fputc('\n', file);
}

/* "--threads" in bold, the value in italics: FONTS of the parts of "-h, --help" and "--json[=FILE]". */
static void put_synopsis(FILE *file, const vlm_option_row *row) {
  char text[96];
  vlm_option_synopsis(text, sizeof text, row);
  size_t name = strcspn(text, "[ "), length = strlen(text);
  if (text[name] == ' ' && text[name + 1] == '-')
    name += 1 + strcspn(text + name + 1, "[ "); /* a second name */
  fputs("\\fB", file);
  put_text(file, text, name);
  fputs("\\fR\\fI", file);
  put_text(file, text + name, length - name);
  fputs("\\fR\n", file);
}

static void put_conditions(FILE *file, const char *what, const char *conditions) {
  vlm_slice word;
  bool any = false;
  while (vlm_next_word(&conditions, &word)) {
    if (word.data[word.bytes - 1] == '=') word.bytes--;
    fprintf(file, "%s ", any ? "," : what);
    fputs("\\fB", file);
    for (const char *bar; (bar = memchr(word.data, '|', word.bytes)) != NULL;) {
      const size_t length = (size_t)(bar - word.data);
      put_text(file, word.data, length);
      fputs("\\fR or \\fB", file);
      word = (vlm_slice){bar + 1, word.bytes - length - 1};
    }
    put_text(file, word.data, word.bytes);
    fputs("\\fR", file);
    any = true;
  }
  if (any) fputs(".\n", file);
}

static void put_option(FILE *file, const vlm_option_row *row) {
  char facts[320];
  vlm_option_facts(facts, sizeof facts, row);
  fputs(".TP\n", file);
  put_synopsis(file, row);
  put_text(file, row->help, strlen(row->help));
  if (*facts) fputc(' ', file);
  put_text(file, facts, strlen(facts));
  fputs(".\n", file);
  put_conditions(file, "Needs", row->needs);
  put_conditions(file, "Does not go with", row->excludes);
}

static void put_group(FILE *file, const vlm_program *program, vlm_option_group group, const char *title) {
  bool any = false;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (row->group != group || !vlm_option_in(row, program->letter)) continue;
    if (!any) fprintf(file, ".SS %s\n", title);
    any = true;
    put_option(file, row);
  }
}

/* Lines that go on further in. */
static void put_usage(FILE *file, const char *usage) {
  vlm_slice line;
  while (vlm_next_line(&usage, &line)) {
    fputs(".HP 4\n", file);
    put_text(file, line.data, line.bytes);
    fputc('\n', file);
  }
}

/* Lines as they are; "# " in front of one explains the next. */
static void put_calls(FILE *file, const char *calls) {
  vlm_slice line;
  fputs(".nf\n", file);
  while (vlm_next_line(&calls, &line)) {
    put_text(file, line.data, line.bytes);
    fputc('\n', file);
  }
  fputs(".fi\n", file);
}

static void put_exit_codes(FILE *file) {
  static const struct {
    const char *code, *meaning;
  } CODES[] = {{"0", "fine"},
               {"1", "the command line is wrong"},
               {"2", "an input is wrong, or a file cannot be read or written"},
               {"3", "quality below the budget"},
               {"4", "slower than the budget"},
               {"5", "a packed file is damaged or does not compute what it did"},
               {"6", "out of memory, or a thread cannot be started"},
               {"70", "a bug of this program"},
               {"130", "interrupted"}};
  fputs(".SH EXIT STATUS\n", file);
  for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
    fprintf(file, ".TP\n%s\n%s.\n", CODES[i].code, CODES[i].meaning);
}

static void put_others(FILE *file, const vlm_program *program) {
  bool any = false;
  fputs(".SH SEE ALSO\n", file);
  for (int i = 0; i < VLM_PROGRAM_COUNT; i++) {
    if (&vlm_programs[i] == program) continue;
    fputs(any ? ",\n" : "", file);
    fputs(".BR ", file);
    put_text(file, vlm_programs[i].name, strlen(vlm_programs[i].name));
    fputs(" (1)", file);
    any = true;
  }
  fputc('\n', file);
}

void vlm_print_manual(FILE *file, const vlm_program *program) {
  static const char *const TITLES[] = {
#define X(name, title) title,
      VLM_OPTION_GROUPS(X)
#undef X
  };
  fprintf(file, ".TH %s 1 \"\" \"vlmq %s\" \"vlmq\"\n.nh\n.ad l\n.SH NAME\n", program->name, VLM_VERSION);
  put_text(file, program->name, strlen(program->name));
  fputs(" \\- ", file);
  put_line(file, program->summary);
  fputs(".SH SYNOPSIS\n", file);
  put_usage(file, program->usage);
  fputs(".SH DESCRIPTION\n", file);
  put_line(file, program->about);
  fputs(".SH OPTIONS\n", file);
  for (int g = 0; g < VLM_GROUP_COUNT; g++) put_group(file, program, (vlm_option_group)g, TITLES[g]);
  fputs(".SH EXAMPLES\n", file);
  put_calls(file, program->examples);
  put_exit_codes(file);
  put_others(file, program);
}
