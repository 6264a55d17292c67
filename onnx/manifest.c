#include "onnx/manifest.h"

#include <stdio.h>
#include <string.h>

#include "runtime/bundle/binding.h"

/* ---- known keys ---- */

static bool in_list(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *at = list; *at;) {
    size_t length = strcspn(at, " ");
    if (length == n && !memcmp(at, word, n)) return true;
    at += length + (at[length] == ' ');
  }
  return false;
}

static vlm_status check_keys(vlm_json object, const char *known, vlm_error *err) {
  vlm_json_iter it = {0};
  while (vlm_json_next(object, &it))
    if (!in_list(known, it.key))
      return vlm_json_fail(object, err, VLM_INPUT, "unknown key \"%s\"; known are %s", it.key, known);
  return VLM_OK;
}

vlm_status vlm_manifest_check(vlm_json manifest, vlm_error *err) {
  static const char *const KEYS[][2] = {
#define X(object, keys) {object, keys},
#include "onnx/manifest_keys.def"
#undef X
  };
  vlm_status st = VLM_OK;
  if (vlm_json_type(manifest) == VLM_JSON_ABSENT) return VLM_OK;
  if (vlm_json_type(manifest) != VLM_JSON_OBJECT)
    return vlm_json_fail(manifest, err, VLM_INPUT, "wanted an object");
  for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
    vlm_json object = *KEYS[i][0] ? (vlm_json){0} : manifest;
    if (*KEYS[i][0]) VLM_TRY(vlm_json_get_object(&object, manifest, KEYS[i][0], VLM_JSON_OPTIONAL, err));
    VLM_TRY(check_keys(object, KEYS[i][1], err));
  }
out:
  return st;
}

/* ---- files ---- */

static bool leaves_folder(const char *file) {
  if (*file == '/') return true;
  for (const char *at = file; *at;) {
    size_t length = strcspn(at, "/");
    if (length == 2 && !memcmp(at, "..", 2)) return true;
    at += length + (at[length] == '/');
  }
  return false;
}

static vlm_status file_of(const char **file, bool *stated, vlm_json object, const char *key, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json value = vlm_json_member(object, key);
  *file = NULL;
  *stated = vlm_json_type(value) != VLM_JSON_ABSENT;
  if (vlm_json_is_null(value)) return VLM_OK;
  VLM_TRY(vlm_json_as_text(file, value, err));
  if (leaves_folder(*file))
    st = vlm_json_fail(value, err, VLM_INPUT, "\"%s\" is outside of the bundle's folder", *file);
out:
  return st;
}

vlm_status vlm_manifest_graph(const char **file, bool *stated, vlm_json manifest, const char *role,
                              vlm_error *err) {
  return file_of(file, stated, vlm_json_member(manifest, "graphs"), role, err);
}

vlm_status vlm_manifest_tokenizer(const char **file, bool *stated, vlm_json manifest, vlm_error *err) {
  return file_of(file, stated, manifest, "tokenizer", err);
}

vlm_status vlm_manifest_family(vlm_family *out, bool *stated, vlm_json manifest, vlm_error *err) {
  static const char *const NAMES[] = {[VLM_FAMILY_GRAPH] = "graph",
                                      [VLM_FAMILY_ENCODER_DECODER] = "encoder-decoder",
                                      [VLM_FAMILY_DECODER_ONLY] = "decoder-only"};
  const char *text = NULL;
  vlm_status st = vlm_json_get_text(&text, manifest, "family", VLM_JSON_OPTIONAL, err);
  *stated = text != NULL;
  if (st != VLM_OK || !text) return st;
  for (int i = 0; i < 3; i++)
    if (!strcmp(text, NAMES[i])) {
      *out = (vlm_family)i;
      return VLM_OK;
    }
  return vlm_json_fail(vlm_json_member(manifest, "family"), err, VLM_INPUT,
                       "got \"%s\", wanted encoder-decoder, decoder-only or graph", text);
}

/* ---- tensors ---- */

typedef struct {
  vlm_value_id id;
  char name[96]; /* ours */
} renaming;

typedef struct {
  vlm_graph *graph;
  renaming *items;
  int32_t count, room;
  vlm_error *err;
} renamer;

static vlm_status add(renamer *r, vlm_json value, vlm_value_id id, const char *name) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < r->count; i++)
    if (r->items[i].id == id || !strcmp(r->items[i].name, name))
      return vlm_json_fail(value, r->err, VLM_INPUT,
                           "\"%s\" of %s and \"%s\" are one thing by this file: \"%s\", \"%s\"",
                           r->graph->values[id].name, r->graph->source, r->graph->values[r->items[i].id].name,
                           name, r->items[i].name);
  if (r->count == r->room) {
    int32_t room = r->room ? 2 * r->room : 32;
    VLM_TRY(vlm_more(&r->items, r->count, room, r->err));
    r->room = room;
  }
  r->items[r->count].id = id;
  snprintf(r->items[r->count].name, sizeof r->items[0].name, "%s", name);
  r->count++;
out:
  return st;
}

/* A text that stands for something of ours. */
typedef struct {
  const char *theirs, *ours;
} word;
static const word KINDS[] = {
    {"self", "decoder"}, {"cross", "encoder"}, {"decoder", "decoder"}, {"encoder", "encoder"}, {NULL, NULL}};
static const word WHATS[] = {{"key", "key"}, {"value", "value"}, {NULL, NULL}};

typedef struct {
  long layer;
  const char *kind, *what; /* NULL = the pattern has no such part */
} cache_name;

static bool starts(const char *text, const char *with) { return !strncmp(text, with, strlen(with)); }

static bool match(const char *pattern, const char *name, cache_name *out);

static bool match_word(const char *pattern, const char *name, const word *words, const char **part,
                       cache_name *out) {
  for (; words->theirs; words++) {
    if (!starts(name, words->theirs) || !match(pattern, name + strlen(words->theirs), out)) continue;
    *part = words->ours;
    return true;
  }
  return false;
}

static bool match_layer(const char *pattern, const char *name, cache_name *out) {
  size_t digits = strspn(name, "0123456789");
  long layer = 0;
  if (digits == 0 || digits > 6 || !match(pattern, name + digits, out)) return false;
  for (size_t i = 0; i < digits; i++) layer = 10 * layer + (name[i] - '0');
  out->layer = layer;
  return true;
}

static bool match(const char *pattern, const char *name, cache_name *out) {
  while (*pattern) {
    if (starts(pattern, "{layer}")) return match_layer(pattern + 7, name, out);
    if (starts(pattern, "{kind}")) return match_word(pattern + 6, name, KINDS, &out->kind, out);
    if (starts(pattern, "{what}")) return match_word(pattern + 6, name, WHATS, &out->what, out);
    if (*pattern++ != *name++) return false;
  }
  return *name == '\0';
}

static vlm_status add_pattern(renamer *r, vlm_json value, bool past) {
  vlm_status st = VLM_OK;
  const char *pattern;
  char name[96];
  VLM_TRY(vlm_json_as_text(&pattern, value, r->err));
  if (!strstr(pattern, "{layer}") || !strstr(pattern, "{what}"))
    return vlm_json_fail(value, r->err, VLM_INPUT, "pattern \"%s\" has no {layer} or no {what}", pattern);
  const vlm_value_id *ids = past ? r->graph->inputs : r->graph->outputs;
  int32_t before = r->count, n = past ? r->graph->n_inputs : r->graph->n_outputs;
  for (int32_t i = 0; i < n; i++) {
    cache_name c = {.layer = 0};
    if (!match(pattern, r->graph->values[ids[i]].name, &c)) continue;
    snprintf(name, sizeof name, "%s.%ld%s%s.%s", past ? "past_key_values" : "present", c.layer,
             c.kind ? "." : "", c.kind ? c.kind : "", c.what);
    VLM_TRY(add(r, value, ids[i], name));
  }
  if (r->count == before)
    st = vlm_json_fail(value, r->err, VLM_INPUT, "no %s of %s matches \"%s\"", past ? "input" : "output",
                       r->graph->source, pattern);
out:
  return st;
}

static const char OUTPUTS[] = "logits last_hidden_state";

static bool known_name(const char *name) {
  return vlm_binding_parse(name) < VLM_BIND_CAPACITY || in_list(OUTPUTS, name);
}

static vlm_status unknown_name(const char *name, vlm_json value, vlm_error *err) {
  char known[512] = "";
  size_t n = 0;
  for (int k = 0; k < VLM_BIND_CAPACITY; k++)
    n += (size_t)snprintf(known + n, sizeof known - n, "%s ", vlm_binding_name((vlm_binding_kind)k));
  return vlm_json_fail(value, err, VLM_INPUT, "\"%s\" has no known meaning; known are %s%s past present",
                       name, known, OUTPUTS);
}

static vlm_status add_tensor(renamer *r, const char *ours, vlm_json value) {
  vlm_status st = VLM_OK;
  const char *theirs;
  if (!strcmp(ours, "past") || !strcmp(ours, "present")) return add_pattern(r, value, !strcmp(ours, "past"));
  if (!known_name(ours)) return unknown_name(ours, value, r->err);
  VLM_TRY(vlm_json_as_text(&theirs, value, r->err));
  int32_t input = vlm_graph_find_input(r->graph, theirs), output = vlm_graph_find_output(r->graph, theirs);
  if (input < 0 && output < 0)
    return vlm_json_fail(value, r->err, VLM_INPUT, "%s has no input or output \"%s\"", r->graph->source,
                         theirs);
  VLM_TRY(add(r, value, input >= 0 ? r->graph->inputs[input] : r->graph->outputs[output], ours));
out:
  return st;
}

vlm_status vlm_manifest_rename(vlm_graph *graph, vlm_json manifest, const char *role, vlm_error *err) {
  vlm_status st = VLM_OK;
  renamer r = {.graph = graph, .err = err};
  vlm_json tensors = {0}, names = {0};
  vlm_json_iter it = {0};
  VLM_TRY(vlm_json_get_object(&tensors, manifest, "tensors", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_object(&names, tensors, role, VLM_JSON_OPTIONAL, err));
  while (vlm_json_next(names, &it)) VLM_TRY(add_tensor(&r, it.key, it.value));
  /* All names are looked up before the first one changes, so that two may change places. */
  for (int32_t i = 0; i < r.count; i++) VLM_TRY(vlm_graph_rename(graph, r.items[i].id, r.items[i].name, err));
out:
  vlm_free(r.items);
  return st;
}
