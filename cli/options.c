#include <string.h>

#include "cli/option_row.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

static const char cpu_levels[] = ""
#define X(name, text) text " "
#include "runtime/base/cpu.def"
#undef X
    ;
static const char target_names[] = ""
#define X(id, name, ...) name " "
#include "export/targets.def"
#undef X
    ;

const vlm_option_row vlm_option_rows[VLM_OPT_COUNT] = {
#define X(field, kind, title, letters, section, shown, ...) \
  [VLM_OPT_##field] = {.target = offsetof(vlm_args, field), \
                       .type = VLM_TYPE_##kind,             \
                       .name = title,                       \
                       .programs = letters,                 \
                       .group = VLM_GROUP_##section,        \
                       .value = shown,                      \
                       .help = __VA_ARGS__},
#include "cli/options.def"
#undef X
};

bool vlm_option_takes_value(const vlm_option_row *row) {
  return row->type != VLM_TYPE_flag && row->type != VLM_TYPE_json_out;
}
bool vlm_option_is_list(const vlm_option_row *row) {
  return row->type == VLM_TYPE_texts || row->type == VLM_TYPE_paths;
}
bool vlm_option_in(const vlm_option_row *row, char program) { return strchr(row->programs, program) != NULL; }
vlm_option_id vlm_option_id_of(const vlm_option_row *row) { return (vlm_option_id)(row - vlm_option_rows); }

bool vlm_option_planned(const vlm_option_row *row, char program) {
  return vlm_option_in(row, program) || strchr(row->programs, program - 'a' + 'A') != NULL;
}

static bool is_name(const char *name, const char *text, size_t length) {
  return name && strlen(name) == length && memcmp(name, text, length) == 0;
}

/* "-vv" is "-v" twice. */
static size_t one_letter(const char *name, size_t length) {
  if (length < 2 || name[0] != '-' || name[1] == '-') return length;
  for (size_t i = 2; i < length; i++)
    if (name[i] != name[1]) return length;
  return 2;
}

const vlm_option_row *vlm_option_find(const char *name, size_t length) {
  size_t one = one_letter(name, length);
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    const vlm_option_row *row = &vlm_option_rows[i];
    size_t n = row->type == VLM_TYPE_flag ? one : length;
    if (is_name(row->name, name, n) || is_name(row->also, name, n)) return row;
  }
  return NULL;
}

bool vlm_next_word(const char **at, vlm_slice *word) {
  if (!*at) return false;
  *at += strspn(*at, " ");
  word->data = *at;
  word->bytes = strcspn(*at, " ");
  *at += word->bytes;
  return word->bytes > 0;
}

bool vlm_has_word(const char *words, const char *word, size_t length) {
  vlm_slice item;
  while (vlm_next_word(&words, &item))
    if (item.bytes == length && memcmp(item.data, word, length) == 0) return true;
  return false;
}

vlm_option_values vlm_option_given_values(const vlm_args *args, const vlm_option_row *row, const char **one) {
  const void *field = (const char *)args + row->target;
  vlm_option_values none = {NULL, 0};
  if (vlm_option_is_list(row)) return *(const vlm_option_values *)field;
  if (row->type == VLM_TYPE_flag || row->type == VLM_TYPE_integer || row->type == VLM_TYPE_number ||
      row->type == VLM_TYPE_percent || row->type == VLM_TYPE_choice)
    return none;
  *one = *(const char *const *)field;
  return (vlm_option_values){one, *one != NULL};
}

void vlm_args_free(vlm_args *args) {
  for (int i = 0; i < VLM_OPT_COUNT; i++) {
    vlm_option_values *list = (void *)((char *)args + vlm_option_rows[i].target);
    if (!vlm_option_is_list(&vlm_option_rows[i])) continue;
    vlm_free(list->items);
    *list = (vlm_option_values){NULL, 0};
  }
  vlm_json_free(args->config_document);
  args->config_document = NULL;
  vlm_free(args->positional.items);
  args->positional = (vlm_option_values){NULL, 0};
}
