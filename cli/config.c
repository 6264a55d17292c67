#include "cli/config.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"

enum { LONGEST_KEY = 64, CONFIG_MAX_BYTES = 1 << 20 };

/* Options that say what the program does instead, and where these options are. */
static bool is_outside(const vlm_option_row *row) {
  const vlm_option_id id = vlm_option_id_of(row);
  return id == VLM_OPT_config || id == VLM_OPT_print_config || id == VLM_OPT_help || id == VLM_OPT_version;
}

/* "--weights" is "weights", "-o, --output" is "output". */
static const char *key_of(const vlm_option_row *row) {
  const char *name = row->name[1] == '-' || !row->also ? row->name : row->also;
  return name + strspn(name, "-");
}

/* ---- reading ---- */

typedef struct {
  vlm_args *args;
  const vlm_program *program;
  vlm_mistakes *all;
  const char *source;
  bool typed[VLM_OPT_COUNT]; /* on the command line: these win */
} config;

static const vlm_program *program_named(const char *name) {
  for (int i = 0; i < VLM_PROGRAM_COUNT; i++)
    if (strcmp(vlm_programs[i].name, name) == 0) return &vlm_programs[i];
  return NULL;
}

static const vlm_option_row *row_of(const config *c, const char *key) {
  char name[LONGEST_KEY];
  snprintf(name, sizeof name, "--%.*s", LONGEST_KEY - 3, key);
  for (char *at = name; *at; at++)
    if (*at == '_') *at = '-';
  const vlm_option_row *row = vlm_option_find(name, strlen(name));
  if (row && vlm_option_in(row, c->program->letter) && !is_outside(row)) return row;
  const vlm_option_row *near = vlm_option_near(name, strlen(name), c->program->letter);
  if (row)
    vlm_mistake(
        c->all, VLM_USAGE,
        "%s: %s has no option \"%s\" that a file can give; put options of other programs under their names",
        c->source, c->program->name, key);
  else
    vlm_mistake(c->all, VLM_USAGE,
                near ? "%s: unknown option \"%s\", did you mean \"%s\"?" : "%s: unknown option \"%s\"",
                c->source, key, near ? key_of(near) : "");
  return NULL;
}

static vlm_status take_text(config *c, const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_error why = {0};
  vlm_status st = vlm_option_read(c->args, row, text, &why);
  if (st == VLM_MEMORY) return vlm_fail(err, st, "%s", why.text);
  if (st != VLM_OK) vlm_mistake(c->all, st, "%s: %s", c->source, why.text);
  c->args->given[vlm_option_id_of(row)] = true;
  return VLM_OK;
}

static void tell_kind(config *c, const vlm_option_row *row, const char *wanted) {
  vlm_mistake(c->all, VLM_USAGE, "%s: \"%s\": wanted %s", c->source, key_of(row), wanted);
}

static bool is_numeric(const vlm_option_row *row) {
  return row->type == VLM_TYPE_integer || row->type == VLM_TYPE_number || row->type == VLM_TYPE_percent;
}

/* One value: text of the document, or a number as it would be typed. */
static vlm_status take_one(config *c, const vlm_option_row *row, vlm_json value, vlm_error *err) {
  const vlm_json_kind kind = vlm_json_type(value);
  vlm_status st = VLM_OK;
  char number[40];
  const char *text = NULL;
  if (kind == VLM_JSON_TEXT) VLM_TRY(vlm_json_as_text(&text, value, err));
  else if (is_numeric(row) && kind == VLM_JSON_INT) {
    int64_t i;
    VLM_TRY(vlm_json_as_int(&i, value, err));
    snprintf(number, sizeof number, "%lld", (long long)i);
    text = number;
  } else if (is_numeric(row) && kind == VLM_JSON_REAL) {
    double d;
    VLM_TRY(vlm_json_as_double(&d, value, err));
    snprintf(number, sizeof number, "%.17g", d);
    text = number;
  }
  if (text) VLM_TRY(take_text(c, row, text, err));
  else tell_kind(c, row, is_numeric(row) ? "a number" : "text");
out:
  return st;
}

static vlm_status take_flag(config *c, const vlm_option_row *row, vlm_json value, vlm_error *err) {
  bool on = false;
  vlm_status st = VLM_OK;
  if (vlm_json_type(value) != VLM_JSON_BOOL) tell_kind(c, row, "true or false");
  else VLM_TRY(vlm_json_as_bool(&on, value, err));
  if (on) VLM_TRY(take_text(c, row, "", err));
out:
  return st;
}

/* --json goes to standard output (true) or to a file. */
static vlm_status take_json(config *c, const vlm_option_row *row, vlm_json value, vlm_error *err) {
  bool on = true;
  vlm_status st = VLM_OK;
  if (vlm_json_type(value) == VLM_JSON_TEXT) return take_one(c, row, value, err);
  if (vlm_json_type(value) != VLM_JSON_BOOL) tell_kind(c, row, "true, or the name of a file");
  else VLM_TRY(vlm_json_as_bool(&on, value, err));
  if (on) c->args->given[vlm_option_id_of(row)] = true;
out:
  return st;
}

static vlm_status take_list(config *c, const vlm_option_row *row, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (vlm_json_type(value) != VLM_JSON_ARRAY) return take_one(c, row, value, err);
  for (size_t i = 0; i < vlm_json_size(value); i++) VLM_TRY(take_one(c, row, vlm_json_at(value, i), err));
out:
  return st;
}

static vlm_status take_member(config *c, const char *key, vlm_json value, vlm_error *err) {
  const vlm_option_row *row = row_of(c, key);
  if (!row || c->typed[vlm_option_id_of(row)]) return VLM_OK;
  if (row->type == VLM_TYPE_flag) return take_flag(c, row, value, err);
  if (row->type == VLM_TYPE_json_out) return take_json(c, row, value, err);
  return vlm_option_is_list(row) ? take_list(c, row, value, err) : take_one(c, row, value, err);
}

/* The program's own section, or with `own` false everything beside sections. */
static vlm_status take_members(config *c, vlm_json object, bool own, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (vlm_json_iter it = {0}; vlm_json_next(object, &it);) {
    const vlm_program *program = program_named(it.key);
    if (!program || own) {
      VLM_TRY(take_member(c, it.key, it.value, err));
      continue;
    }
    if (program != c->program) continue;
    if (vlm_json_type(it.value) != VLM_JSON_OBJECT)
      VLM_TRY(vlm_json_fail(it.value, err, VLM_INPUT, "wanted an object of options"));
    VLM_TRY(take_members(c, it.value, true, err));
  }
out:
  return st;
}

vlm_status vlm_config_read(vlm_args *args, const vlm_program *program, vlm_mistakes *all, vlm_error *err) {
  vlm_status st = VLM_OK;
  config c = {.args = args, .program = program, .all = all, .source = args->config};
  memcpy(c.typed, args->given, sizeof c.typed);
  VLM_TRY(vlm_json_load(&args->config_document, args->config, CONFIG_MAX_BYTES, err));
  const vlm_json root = vlm_json_root(args->config_document);
  VLM_CHECK(vlm_json_type(root) == VLM_JSON_OBJECT, err, VLM_INPUT,
            "%s: wanted an object of options, {\"weights\": \"s8\"}", args->config);
  VLM_TRY(take_members(&c, root, false, err));
out:
  return st;
}

/* ---- writing ---- */

static void put_row(vlm_json_writer *w, const vlm_args *args, const vlm_option_row *row) {
  char shown[4096];
  const char *key = key_of(row), *one;
  const void *field = (const char *)args + row->target;
  vlm_option_show(shown, sizeof shown, args, row);
  if (row->type == VLM_TYPE_flag) vlm_json_put_bool(w, key, true);
  else if (row->type == VLM_TYPE_json_out && !shown[0]) vlm_json_put_bool(w, key, true);
  else if (row->type == VLM_TYPE_integer) vlm_json_put_int(w, key, *(const int64_t *)field);
  else if (is_numeric(row)) vlm_json_put_double(w, key, *(const double *)field);
  else if (!vlm_option_is_list(row)) vlm_json_put_text(w, key, shown);
  else {
    const vlm_option_values list = vlm_option_given_values(args, row, &one);
    vlm_json_open_array(w, key);
    for (int i = 0; i < list.count; i++) vlm_json_put_text(w, NULL, list.items[i]);
    vlm_json_close_array(w);
  }
}

vlm_status vlm_config_write(vlm_text *out, const vlm_args *args, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  size_t bytes;
  VLM_TRY(vlm_json_writer_create(&w, 2, err));
  vlm_json_open_object(w, NULL);
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (args->given[i] && !is_outside(&vlm_option_rows[i])) put_row(w, args, &vlm_option_rows[i]);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, &bytes, err));
  VLM_TRY(vlm_text_append(out, text, bytes, err));
out:
  vlm_json_writer_free(w);
  return st;
}
