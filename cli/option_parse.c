/* Words of the command line into vlm_args. Every wrong option is told in one message. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/config.h"
#include "cli/option_row.h"
#include "runtime/base/memory.h"

/* ---- several mistakes, one message ---- */

enum { MOST_MISTAKES = 4 };

void vlm_mistake(vlm_mistakes *all, vlm_status status, const char *format, ...) {
  size_t used = strlen(all->text);
  if (all->count == 0) all->status = status;
  if (all->count++ >= MOST_MISTAKES) return;
  va_list list;
  va_start(list, format);
  if (used) used += (size_t)snprintf(all->text + used, sizeof all->text - used, "; ");
  if (used < sizeof all->text) vsnprintf(all->text + used, sizeof all->text - used, format, list);
  va_end(list);
}

vlm_status vlm_mistakes_end(const vlm_mistakes *all, const vlm_program *program, vlm_error *err) {
  char more[32] = "", help[64] = "";
  if (!all->count) return VLM_OK;
  if (all->count > MOST_MISTAKES) snprintf(more, sizeof more, "; and %d more", all->count - MOST_MISTAKES);
  if (all->wants_help) snprintf(help, sizeof help, "; see %s --help", program->name);
  return vlm_fail(err, all->status, "%s%s%s", all->text, more, help);
}

/* ---- the line ---- */

typedef struct {
  vlm_args *args;
  const vlm_program *program;
  char **words;
  int count, at;
  const vlm_option_row *bare; /* the last option of the kind of --json without "=", or NULL */
  int bare_before;            /* the argument right behind it */
  bool only_arguments;        /* "--" has been met */
  vlm_mistakes mistakes;
} command_line;

static bool is_option(const char *word) {
  return word[0] == '-' && word[1] && !isdigit((unsigned char)word[1]) && word[1] != '.';
}

/* Dashes that a text program made of hyphens: U+2010 to U+2015, and the minus sign. */
static bool is_typeset_dash(const char *word) {
  return (!strncmp(word, "\xe2\x80", 2) && (unsigned char)word[2] >= 0x90 &&
          (unsigned char)word[2] <= 0x95) ||
         !strncmp(word, "\xe2\x88\x92", 3);
}

static const vlm_program *program_with(const vlm_option_row *row) {
  for (int i = 0; i < VLM_PROGRAM_COUNT; i++)
    if (vlm_option_in(row, vlm_programs[i].letter)) return &vlm_programs[i];
  return NULL;
}

/* Every program that has the option: "vlm-calibrate and vlm-quantize". */
static void name_programs(char *out, size_t size, const vlm_option_row *row) {
  const char *names[VLM_PROGRAM_COUNT];
  int count = 0;
  size_t used = 0;
  for (int i = 0; i < VLM_PROGRAM_COUNT; i++)
    if (vlm_option_in(row, vlm_programs[i].letter)) names[count++] = vlm_programs[i].name;
  *out = 0;
  for (int i = 0; i < count && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%s",
                             i == 0           ? ""
                             : i + 1 == count ? " and "
                                              : ", ",
                             names[i]);
}

static void tell_unknown(command_line *line, const char *name, size_t length) {
  const vlm_option_row *near = vlm_option_near(name, length, line->program->letter);
  line->mistakes.wants_help = true;
  if (near)
    vlm_mistake(&line->mistakes, VLM_USAGE, "unknown option %.*s, did you mean %s?", (int)length, name,
                near->name);
  else vlm_mistake(&line->mistakes, VLM_USAGE, "unknown option %.*s", (int)length, name);
}

static void tell_foreign(command_line *line, const vlm_option_row *row) {
  char owners[128];
  if (vlm_option_planned(row, line->program->letter) || !program_with(row)) {
    vlm_mistake(&line->mistakes, VLM_USAGE, "%s is not built yet", row->name);
    return;
  }
  name_programs(owners, sizeof owners, row);
  line->mistakes.wants_help = true;
  vlm_mistake(&line->mistakes, VLM_USAGE, "%s does not belong to this program but to %s", row->name, owners);
}

static bool takes_one(const vlm_option_row *row) {
  return vlm_option_takes_value(row) && !vlm_option_is_list(row);
}

/* Two different values, of which one would be ignored. */
static bool is_second(const command_line *line, const vlm_option_row *row, const char *text, char *first,
                      size_t size) {
  if (!line->args->given[vlm_option_id_of(row)] || !takes_one(row)) return false;
  vlm_option_show(first, size, line->args, row);
  return strcmp(first, text) != 0;
}

static vlm_status take_value(command_line *line, const vlm_option_row *row, const char *text,
                             vlm_error *err) {
  vlm_error why = {0};
  char first[256];
  if (is_second(line, row, text, first, sizeof first)) {
    vlm_mistake(&line->mistakes, VLM_USAGE, "%s is given twice, %s and %s: give it once", row->name, first,
                text);
    return VLM_OK;
  }
  vlm_status st = vlm_option_read(line->args, row, text, &why);
  if (st == VLM_MEMORY) return vlm_fail(err, st, "%s", why.text);
  if (st != VLM_OK) vlm_mistake(&line->mistakes, st, "%s", why.text);
  line->args->given[vlm_option_id_of(row)] = true;
  return VLM_OK;
}

static void tell_no_value(command_line *line, const vlm_option_row *row) {
  const char *next = line->at + 1 < line->count ? line->words[line->at + 1] : NULL;
  bool text = row->type == VLM_TYPE_texts || row->type == VLM_TYPE_paths || row->type == VLM_TYPE_file_in;
  bool meant = text && next && strcmp(next, "--") != 0 && !vlm_option_find(next, strcspn(next, "=")) &&
               !vlm_option_near(next, strcspn(next, "="), line->program->letter);
  if (meant)
    vlm_mistake(&line->mistakes, VLM_USAGE, "%s wants a value: write %s=%s", row->name, row->name, next);
  else vlm_mistake(&line->mistakes, VLM_USAGE, "%s wants a value: %s %s", row->name, row->name, row->value);
  if (meant) line->at++;
}

/* The words behind the option: one, or for paths all up to the next option. */
static vlm_status take_values(command_line *line, const vlm_option_row *row, vlm_error *err) {
  vlm_status st = VLM_OK;
  int taken = 0;
  while (line->at + 1 < line->count && !is_option(line->words[line->at + 1]) &&
         (row->type == VLM_TYPE_paths || !taken)) {
    VLM_TRY(take_value(line, row, line->words[++line->at], err));
    taken++;
  }
  if (!taken) tell_no_value(line, row);
out:
  return st;
}

static vlm_status take_option(command_line *line, const char *word, vlm_error *err) {
  const char *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : strlen(word);
  const vlm_option_row *row = vlm_option_find(word, length);
  if (!row) {
    tell_unknown(line, word, length);
    return VLM_OK;
  }
  bool here = vlm_option_in(row, line->program->letter);
  if (!here) tell_foreign(line, row);
  else if (equals && row->type == VLM_TYPE_flag)
    vlm_mistake(&line->mistakes, VLM_USAGE, "%s takes no value", row->name);
  else if (equals) return take_value(line, row, equals + 1, err);
  else if (vlm_option_takes_value(row)) return take_values(line, row, err);
  if (!here) return VLM_OK;
  line->args->given[vlm_option_id_of(row)] = true;
  if (row->type == VLM_TYPE_json_out) {
    line->bare = row;
    line->bare_before = line->args->positional.count;
  }
  return row->type == VLM_TYPE_flag ? vlm_option_read(line->args, row, "", err) : VLM_OK;
}

static vlm_status take_argument(command_line *line, const char *word, vlm_error *err) {
  vlm_option_values *list = &line->args->positional;
  vlm_status st = VLM_OK;
  if (!line->only_arguments && is_typeset_dash(word)) {
    vlm_mistake(&line->mistakes, VLM_USAGE, "%s begins with a typeset dash: type --%s", word,
                word + 3 + strspn(word + 3, "-"));
    return VLM_OK;
  }
  VLM_TRY(vlm_more(&list->items, list->count, list->count + 1, err));
  list->items[list->count++] = word;
out:
  return st;
}

/* "--json out.json": the file would be taken for an argument. */
static void check_json(command_line *line) {
  const vlm_option_values *list = &line->args->positional;
  int k = line->bare_before;
  if (!line->bare || k >= list->count) return;
  const char *dot = strrchr(list->items[k], '.');
  bool named = dot && (!strcmp(dot, ".json") || !strcmp(dot, ".jsonl"));
  if (named || list->count > line->program->most)
    vlm_mistake(&line->mistakes, VLM_USAGE, "%s takes its file behind \"=\": type %s=%s", line->bare->name,
                line->bare->name, list->items[k]);
}

static vlm_status set_defaults(vlm_args *args, char program, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (row->standard && vlm_option_in(row, program)) VLM_TRY(vlm_option_read(args, row, row->standard, err));
  }
out:
  return st;
}

vlm_status vlm_args_parse(vlm_args *args, const vlm_program *program, int argc, char **argv, vlm_error *err) {
  vlm_status st = VLM_OK;
  command_line line = {.args = args, .program = program, .words = argv, .count = argc};
  memset(args, 0, sizeof *args);
  VLM_TRY(set_defaults(args, program->letter, err));
  for (line.at = 1; line.at < argc; line.at++) {
    const char *word = argv[line.at];
    if (!line.only_arguments && strcmp(word, "--") == 0) line.only_arguments = true;
    else if (!line.only_arguments && is_option(word)) VLM_TRY(take_option(&line, word, err));
    else VLM_TRY(take_argument(&line, word, err));
  }
  if (args->help || args->version) goto out;
  check_json(&line);
  if (args->config) VLM_TRY(vlm_config_read(args, program, &line.mistakes, err));
  VLM_TRY(vlm_mistakes_end(&line.mistakes, program, err));
  if (!args->print_config) VLM_TRY(vlm_args_check(args, program, err));
out:
  return st;
}
