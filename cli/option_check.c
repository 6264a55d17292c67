/* Which options go together, by the conditions of their rows. */
#include <stdio.h>
#include <string.h>

#include "cli/option_row.h"

/* ---- conditions ---- */

/* The position of a named argument of the program; -1 when it has none of that name. */
static int argument_at(const vlm_program *program, const vlm_slice *name) {
  vlm_slice word;
  int k = 0;
  for (const char *at = program->arguments; vlm_next_word(&at, &word); k++)
    if (word.bytes == name->bytes && !memcmp(word.data, name->data, word.bytes)) return k;
  return -1;
}

static bool holds(const vlm_args *args, const vlm_program *program, const vlm_slice *condition) {
  char shown[256];
  if (condition->data[0] != '-') return argument_at(program, condition) < args->positional.count;
  const char *equals = memchr(condition->data, '=', condition->bytes);
  size_t name = equals ? (size_t)(equals - condition->data) : condition->bytes,
         length = condition->bytes - name;
  const vlm_option_row *row = vlm_option_find(condition->data, name);
  if (!row || !args->given[vlm_option_id_of(row)]) return false;
  if (!equals) return true;
  vlm_option_show(shown, sizeof shown, args, row);
  return strlen(shown) == length - 1 && memcmp(shown, equals + 1, length - 1) == 0;
}

/* The first of the conditions that holds. */
static bool any_holds(vlm_slice *which, const vlm_args *args, const vlm_program *program,
                      const char *conditions) {
  while (vlm_next_word(&conditions, which))
    if (holds(args, program, which)) return true;
  return false;
}

/* "A|B": one of them. */
static bool one_holds(const vlm_args *args, const vlm_program *program, const vlm_slice *either) {
  const char *at = either->data, *end = at + either->bytes;
  while (at < end) {
    const char *bar = memchr(at, '|', (size_t)(end - at));
    const vlm_slice part = {at, (size_t)((bar ? bar : end) - at)};
    if (holds(args, program, &part)) return true;
    at = bar ? bar + 1 : end;
  }
  return false;
}

/* ---- one row ---- */

static void check_needs(vlm_mistakes *all, const vlm_args *args, const vlm_program *program,
                        const vlm_option_row *row) {
  vlm_slice word;
  for (const char *at = row->needs; vlm_next_word(&at, &word);) {
    if (one_holds(args, program, &word)) continue;
    const char *bar = memchr(word.data, '|', word.bytes);
    if (bar) word.bytes = (size_t)(bar - word.data); /* the first is what to add */
    const vlm_option_row *other = vlm_option_find(word.data, word.bytes);
    if (other)
      vlm_mistake(all, VLM_USAGE, "%s needs %s %s: add it", row->name, other->name,
                  other->value ? other->value : "");
    else
      vlm_mistake(all, VLM_USAGE, "%s needs a %.*s: %s %s", row->name, (int)word.bytes, word.data,
                  program->name, program->arguments);
  }
}

static void check_excludes(vlm_mistakes *all, const vlm_args *args, const vlm_program *program,
                           const vlm_option_row *row) {
  vlm_slice word;
  const char *at = row->excludes;
  while (vlm_next_word(&at, &word)) {
    if (!holds(args, program, &word)) continue;
    bool bare = word.data[word.bytes - 1] == '=';
    if (bare)
      vlm_mistake(all, VLM_USAGE, "%s and %.*s both want standard output: type %.*sFILE", row->name,
                  (int)word.bytes - 1, word.data, (int)word.bytes, word.data);
    else
      vlm_mistake(all, VLM_USAGE, "%s does not go with %.*s: leave one of them out", row->name,
                  (int)word.bytes, word.data);
  }
}

static void check_missing(vlm_mistakes *all, const vlm_args *args, const vlm_program *program,
                          const vlm_option_row *row) {
  vlm_slice which;
  if (!any_holds(&which, args, program, row->unless))
    vlm_mistake(all, VLM_USAGE, "%s %s is missing: %s", row->name, row->value, row->missing);
}

/* ---- what goes with a use ---- */

static bool fits(const vlm_option_row *row, const char *uses) {
  vlm_slice use;
  if (!row->fits) return true;
  while (vlm_next_word(&uses, &use))
    if (vlm_has_word(row->fits, use.data, use.bytes)) return true;
  return false;
}

vlm_status vlm_args_fit(const vlm_args *args, const char *uses, const char *what, vlm_error *err) {
  char names[512] = "";
  int count = 0;
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    size_t used = strlen(names);
    if (!args->given[i] || fits(&vlm_option_rows[i], uses)) continue;
    snprintf(names + used, sizeof names - used, "%s%s", count ? " and " : "", vlm_option_rows[i].name);
    count++;
  }
  if (!count) return VLM_OK;
  return vlm_fail(err, VLM_USAGE, "%s %s not go with %s: leave %s out", names, count > 1 ? "do" : "does",
                  what, count > 1 ? "them" : "it");
}

/* ---- arguments ---- */

/* An option that takes the place of the arguments. */
static vlm_status check_only(const vlm_args *args, const vlm_option_row *row, vlm_error *err) {
  char what[96];
  if (args->positional.count)
    return vlm_fail(err, VLM_USAGE, "%s takes %s only, got %s too", row->name, row->only,
                    args->positional.items[0]);
  snprintf(what, sizeof what, "%s%s%s", row->name, row->idle ? ", which " : "", row->idle ? row->idle : "");
  return vlm_args_fit(args, row->name, what, err);
}

/* Arguments that a list of paths in front has taken. */
static const vlm_option_row *greedy(const vlm_args *args) {
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (args->given[i] && vlm_option_rows[i].type == VLM_TYPE_paths) return &vlm_option_rows[i];
  return NULL;
}

static void check_arguments(vlm_mistakes *all, const vlm_args *args, const vlm_program *program) {
  int count = args->positional.count;
  if (count >= program->least && count <= program->most) return;
  const vlm_option_row *list = count ? NULL : greedy(args);
  all->wants_help = true;
  if (list)
    vlm_mistake(all, VLM_USAGE, "wanted %s, got 0: %s takes all words behind it, so name the %s first",
                program->wanted, list->name, program->arguments);
  else if (count > program->most)
    vlm_mistake(all, VLM_USAGE, "wanted %s, got %d: leave out %s", program->wanted, count,
                args->positional.items[program->most]);
  else vlm_mistake(all, VLM_USAGE, "wanted %s, got %d", program->wanted, count);
}

vlm_status vlm_args_check(const vlm_args *args, const vlm_program *program, vlm_error *err) {
  vlm_mistakes all = {.status = VLM_OK};
  const vlm_option_row *only = NULL;
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (args->given[i] && vlm_option_rows[i].only) only = &vlm_option_rows[i];
  if (only) {
    vlm_status st = check_only(args, only, err);
    if (st != VLM_OK) return st;
  } else {
    check_arguments(&all, args, program);
  }
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    if (!vlm_option_in(row, program->letter)) continue;
    bool asked = row->missing && (!row->missing_in || strchr(row->missing_in, program->letter));
    if (!args->given[i] && asked) check_missing(&all, args, program, row);
    bool needs = row->needs && (!row->needs_in || strchr(row->needs_in, program->letter));
    if (args->given[i] && needs) check_needs(&all, args, program, row);
    if (args->given[i] && row->excludes) check_excludes(&all, args, program, row);
  }
  return vlm_mistakes_end(&all, program, err);
}
