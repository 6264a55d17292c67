/* Completion for bash, zsh and fish, from the tables. */
#include <string.h>

#include "cli/help.h"
#include "cli/help_text.h"

static bool is_path(const vlm_option_row *row) {
  return row->type == VLM_TYPE_file_in || row->type == VLM_TYPE_paths || row->type == VLM_TYPE_file_out ||
         row->type == VLM_TYPE_json_out;
}
static bool is_folder(const vlm_option_row *row) { return row->type == VLM_TYPE_folder_out; }

/* A choice without its parameter: "percentile" of "percentile[:P]". */
static vlm_slice plain_choice(vlm_slice word) {
  const char *open = memchr(word.data, '[', word.bytes);
  return (vlm_slice){word.data, open ? (size_t)(open - word.data) : word.bytes};
}

/* Every choice, with `between` in between. */
static void put_choices(FILE *file, const vlm_option_row *row, const char *between) {
  vlm_slice word;
  bool any = false;
  for (const char *at = row->choices; vlm_next_word(&at, &word);) {
    vlm_slice choice = plain_choice(word);
    fprintf(file, "%s%.*s", any ? between : "", (int)choice.bytes, choice.data);
    any = true;
  }
}

/* The program's name as a shell function: vlm-run is vlm_run. */
static void put_function(FILE *file, const vlm_program *program) {
  for (const char *c = program->name; *c; c++) fputc(*c == '-' ? '_' : *c, file);
}

/* In single quotes; what a quote inside is written as, each shell says. Characters of `escaped` get a
 * backslash. */
static void put_quoted(FILE *file, const char *text, const char *quote, const char *escaped) {
  for (; *text; text++) {
    if (*text == '\'') fputs(quote, file);
    else if (strchr(escaped, *text)) fprintf(file, "\\%c", *text);
    else fputc(*text, file);
  }
}

/* ---- bash ---- */

/* A case of the option before the word: what its value can be. */
static void put_bash_case(FILE *file, const vlm_option_row *row) {
  fprintf(file, "    %s)\n", row->name);
  if (row->choices) {
    fputs("      COMPREPLY=($(compgen -W $'", file);
    put_choices(file, row, "\\n");
    fputs("' -- \"$word\"))\n", file);
  } else if (is_folder(row)) {
    fputs("      compopt -o filenames 2>/dev/null\n      COMPREPLY=($(compgen -d -- \"$word\"))\n", file);
  } else if (is_path(row)) {
    fputs("      compopt -o filenames 2>/dev/null\n      COMPREPLY=($(compgen -f -- \"$word\"))\n", file);
  } else {
    fputs("      COMPREPLY=()\n", file);
  }
  fputs("      return ;;\n", file);
}

static void put_bash_names(FILE *file, const vlm_program *program) {
  bool any = false;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (!vlm_option_in(row, program->letter)) continue;
    fprintf(file, "%s%s%s%s", any ? "\\n" : "", row->name, row->also ? "\\n" : "",
            row->also ? row->also : "");
    any = true;
  }
}

void vlm_print_bash_completion(FILE *file, const vlm_program *program) {
  fprintf(file, "# bash completion of %s %s\n_", program->name, VLM_VERSION);
  put_function(file, program);
  fputs(
      "() {\n"
      "  local IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  # \"--name=value\" comes as three words\n"
      "  if [ \"$word\" = = ]; then word=; elif [ \"$option\" = = ]; then "
      "option=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
      "  case $option in\n",
      file);
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (vlm_option_in(&vlm_option_rows[i], program->letter) && vlm_option_takes_value(&vlm_option_rows[i]))
      put_bash_case(file, &vlm_option_rows[i]);
  fputs("  esac\n  if [[ $word == -* ]]; then\n    COMPREPLY=($(compgen -W $'", file);
  put_bash_names(file, program);
  fputs(
      "' -- \"$word\"))\n    return\n  fi\n  compopt -o filenames 2>/dev/null\n  COMPREPLY=($(compgen -f -- "
      "\"$word\"))\n}\n"
      "complete -F _",
      file);
  put_function(file, program);
  fprintf(file, " %s\n", program->name);
}

/* ---- zsh ---- */

static void put_zsh_value(FILE *file, const vlm_option_row *row) {
  fputc(':', file);
  put_quoted(file, row->value, "'\\''", ":[]\\");
  fputc(':', file);
  if (row->choices) {
    fputc('(', file);
    put_choices(file, row, " ");
    fputc(')', file);
  } else if (is_folder(row)) {
    fputs("_files -/", file);
  } else if (is_path(row)) {
    fputs("_files", file);
  }
}

static void put_zsh_name(FILE *file, const vlm_option_row *row, const char *name) {
  fprintf(file, "    '%s%s%s[", vlm_option_is_list(row) || row->type == VLM_TYPE_flag ? "*" : "", name,
          row->type == VLM_TYPE_json_out ? "=-" : "");
  put_quoted(file, row->help, "'\\''", ":[]\\");
  fputc(']', file);
  if (row->type == VLM_TYPE_json_out) fputc(':', file); /* the value may be left out */
  if (row->type != VLM_TYPE_flag) put_zsh_value(file, row);
  fputs("' \\\n", file);
}

void vlm_print_zsh_completion(FILE *file, const vlm_program *program) {
  fprintf(file, "#compdef %s\n# zsh completion of %s %s\n_arguments -S -s \\\n", program->name, program->name,
          VLM_VERSION);
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (!vlm_option_in(row, program->letter)) continue;
    put_zsh_name(file, row, row->name);
    if (row->also) put_zsh_name(file, row, row->also);
  }
  fputs("    '*:file:_files'\n", file);
}

/* ---- fish ---- */

static void put_fish_name(FILE *file, const char *name) {
  bool longer = name[1] == '-';
  fprintf(file, " %s %s", longer ? "-l" : "-s", name + (longer ? 2 : 1));
}

static void put_fish_option(FILE *file, const vlm_program *program, const vlm_option_row *row) {
  fprintf(file, "complete -c %s", program->name);
  put_fish_name(file, row->name);
  if (row->also) put_fish_name(file, row->also);
  if (row->choices) {
    fputs(" -x -a '", file);
    put_choices(file, row, " ");
    fputc('\'', file);
  } else if (is_folder(row)) {
    fputs(" -x -a '(__fish_complete_directories)'", file);
  } else if (vlm_option_takes_value(row)) {
    fputs(is_path(row) ? " -r -F" : " -x", file);
  }
  fputs(" -d '", file);
  put_quoted(file, row->help, "\\'", "\\");
  fputs("'\n", file);
}

void vlm_print_fish_completion(FILE *file, const vlm_program *program) {
  fprintf(file, "# fish completion of %s %s\n", program->name, VLM_VERSION);
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (vlm_option_in(&vlm_option_rows[i], program->letter))
      put_fish_option(file, program, &vlm_option_rows[i]);
}
