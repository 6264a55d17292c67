#include "cli/options.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "runtime/base/memory.h"

typedef enum { FLAG, ONE, EACH, MANY, EQUALS } option_kind;

typedef struct {
  const char *name;
  option_kind kind;
  const char *programs, *value, *help;
} option_row;

static const option_row ROWS[VLM_OPT_COUNT] = {
#define X(id, name, kind, programs, value, help) [VLM_OPT_##id] = {name, kind, programs, value, help},
#include "cli/options.def"
#undef X
};

const char *vlm_option_name(vlm_option_id id) { return ROWS[id].name; }

/* ---- parsing ---- */

static bool built(const option_row *row, char program) { return strchr(row->programs, program) != NULL; }
static bool planned(const option_row *row, char program) { return strchr(row->programs, toupper(program)) != NULL; }

static vlm_status find_option(int *out, const vlm_program *program, const char *name, size_t length, vlm_error *err) {
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    if (strlen(ROWS[i].name) != length || strncmp(ROWS[i].name, name, length)) continue;
    *out = i;
    if (built(&ROWS[i], program->letter)) return VLM_OK;
    if (planned(&ROWS[i], program->letter)) return vlm_fail(err, VLM_USAGE, "%s is not built yet", ROWS[i].name);
    return vlm_fail(err, VLM_USAGE, "%s does not belong to this program; see %s --help", ROWS[i].name, program->name);
  }
  return vlm_fail(err, VLM_USAGE, "unknown option %.*s; see %s --help", (int)length, name, program->name);
}

static vlm_status add_value(vlm_option_values *v, const char *text, vlm_error *err) {
  vlm_status st = vlm_more(&v->items, v->count, (size_t)v->count + 1, err);
  if (st == VLM_OK) v->items[v->count++] = text;
  return st;
}

static bool is_option(const char *text) { return text[0] == '-' && text[1] && !isdigit((unsigned char)text[1]); }

static vlm_status take_values(vlm_args *args, int id, int *i, int argc, char **argv, vlm_error *err) {
  vlm_status st = VLM_OK;
  const option_row *row = &ROWS[id];
  int before = args->options[id].count;
  while (*i + 1 < argc && !is_option(argv[*i + 1]) && (row->kind == MANY || args->options[id].count == before))
    VLM_TRY(add_value(&args->options[id], argv[++*i], err));
  VLM_CHECK(args->options[id].count > before, err, VLM_USAGE, "%s wants a value: %s %s", row->name, row->name, row->value);
out:
  return st;
}

static vlm_status parse_option(vlm_args *args, const vlm_program *program, int *i, int argc, char **argv, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text = argv[*i], *equals = strchr(text, '=');
  int id = 0;
  VLM_TRY(find_option(&id, program, text, equals ? (size_t)(equals - text) : strlen(text), err));
  args->options[id].given = true;
  VLM_CHECK(!(equals && ROWS[id].kind == FLAG), err, VLM_USAGE, "%s takes no value", ROWS[id].name);
  if (equals) VLM_TRY(add_value(&args->options[id], equals + 1, err));
  else if (ROWS[id].kind != FLAG && ROWS[id].kind != EQUALS) VLM_TRY(take_values(args, id, i, argc, argv, err));
out:
  return st;
}

vlm_status vlm_args_parse(vlm_args *args, const vlm_program *program, int argc, char **argv, vlm_error *err) {
  vlm_status st = VLM_OK;
  memset(args, 0, sizeof *args);
  for (int i = 1; i < argc; i++) {
    if (is_option(argv[i])) VLM_TRY(parse_option(args, program, &i, argc, argv, err));
    else VLM_TRY(add_value(&args->positional, argv[i], err));
  }
out:
  return st;
}

void vlm_args_free(vlm_args *args) {
  for (int i = 0; i < VLM_OPT_COUNT; i++) vlm_free(args->options[i].items);
  vlm_free(args->positional.items);
}

/* ---- values ---- */

bool vlm_args_has(const vlm_args *args, vlm_option_id id) { return args->options[id].given; }

const char *vlm_args_text(const vlm_args *args, vlm_option_id id, const char *fallback) {
  const vlm_option_values *v = &args->options[id];
  return v->count ? v->items[v->count - 1] : fallback;
}

vlm_status vlm_args_int(int64_t *out, const vlm_args *args, vlm_option_id id, int64_t fallback, int64_t low, int64_t high, vlm_error *err) {
  const char *text = vlm_args_text(args, id, NULL);
  char *end;
  *out = fallback;
  if (!text) return VLM_OK;
  *out = strtoll(text, &end, 10);
  if (*end || end == text || *out < low || *out > high)
    return vlm_fail(err, VLM_USAGE, "%s %s: wanted a whole number from %lld to %lld", ROWS[id].name, text, (long long)low, (long long)high);
  return VLM_OK;
}

vlm_status vlm_args_number(double *out, const vlm_args *args, vlm_option_id id, double fallback, vlm_error *err) {
  const char *text = vlm_args_text(args, id, NULL);
  char *end;
  *out = fallback;
  if (!text) return VLM_OK;
  *out = strtod(text, &end);
  bool percent = !strcmp(end, "%") && strchr(ROWS[id].value, '%');
  if (end == text || (*end && !percent) || !isfinite(*out)) return vlm_fail(err, VLM_USAGE, "%s %s: wanted a number", ROWS[id].name, text);
  return VLM_OK;
}

vlm_status vlm_args_refuse(const vlm_args *args, const vlm_option_id *ids, const char *what, vlm_error *err) {
  for (; *ids != VLM_OPT_COUNT; ids++)
    if (args->options[*ids].given) return vlm_fail(err, VLM_USAGE, "%s does not go with %s", ROWS[*ids].name, what);
  return VLM_OK;
}

/* ---- help ---- */

void vlm_print_help(FILE *file, const vlm_program *program) {
  fprintf(file, "%s: %s\n\nUsage:\n%s\nOptions:\n", program->name, program->summary, program->usage);
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    char left[64];
    if (!built(&ROWS[i], program->letter)) continue;
    const char *dots = ROWS[i].kind == MANY ? "…" : "";
    if (ROWS[i].kind == EQUALS) snprintf(left, sizeof left, "%s[=%s]", ROWS[i].name, ROWS[i].value);
    else snprintf(left, sizeof left, "%s%s%s%s", ROWS[i].name, ROWS[i].value ? " " : "", ROWS[i].value ? ROWS[i].value : "", dots);
    fprintf(file, "  %-*s  %s\n", *dots ? 28 : 26, left, ROWS[i].help);
  }
  fprintf(file, "\nExamples:\n%s\nExit codes: 0 fine, 1 usage, 2 bad input, 3 quality below budget, 4 slower, 5 integrity, 70 our bug, 130 interrupted.\n",
          program->examples);
}
