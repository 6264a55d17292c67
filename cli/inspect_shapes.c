/* --shape DIM=N: symbolic dims of a single graph. DIM is the dim's name, or INPUT[AXIS] where it has none. */
#include <stdlib.h>
#include <string.h>

#include "cli/inspect.h"

typedef struct {
  const vlm_graph *graph;
  const char *const *specs;
  int n_specs;
  bool *used;
  vlm_text *assumed;
  vlm_error *err;
} binder;

/* "x[2]", the name of a dim that has no other. */
static const char *place_name(const vlm_value *v, int axis, char *text, size_t size) {
  snprintf(text, size, "%s[%d]", v->name, axis);
  return text;
}

static bool named(const char *spec, const char *name) {
  const char *equals = strrchr(spec, '=');
  return equals && strlen(name) == (size_t)(equals - spec) && !strncmp(spec, name, strlen(name));
}

static vlm_status parse_size(int64_t *out, const char *spec, vlm_error *err) {
  const char *equals = strrchr(spec, '=');
  char *end = NULL;
  *out = equals ? strtoll(equals + 1, &end, 10) : -1;
  if (equals && end != equals + 1 && !*end && *out >= 0 && *out <= INT32_MAX) return VLM_OK;
  return vlm_fail(err, VLM_USAGE, "--shape %s: wanted DIM=N with N from 0 to %d", spec, INT32_MAX);
}

/* The last --shape that names this dim by either name; false when there is none. */
static vlm_status find_size(binder *b, const vlm_value *v, int axis, bool *found, int64_t *size) {
  char place[512];
  *found = false;
  place_name(v, axis, place, sizeof place);
  for (int i = 0; i < b->n_specs; i++) {
    bool hit = named(b->specs[i], place) || (v->dim_names[axis] && named(b->specs[i], v->dim_names[axis]));
    if (!hit) continue;
    vlm_status st = parse_size(size, b->specs[i], b->err);
    if (st != VLM_OK) return st;
    b->used[i] = *found = true;
  }
  return VLM_OK;
}

/* Each name is told once. */
static vlm_status assume(binder *b, const vlm_value *v, int axis) {
  char place[512], entry[600];
  snprintf(entry, sizeof entry, "%s = 1", v->dim_names[axis] ? v->dim_names[axis] : place_name(v, axis, place, sizeof place));
  const char *at = strstr(vlm_text_get(b->assumed), entry);
  for (; at; at = strstr(at + 1, entry)) {
    char before = at == b->assumed->data ? ' ' : at[-1], after = at[strlen(entry)];
    if (before == ' ' && (!after || after == ',')) return VLM_OK;
  }
  return vlm_text_print(b->assumed, b->err, "%s%s", b->assumed->bytes ? ", " : "", entry);
}

static vlm_status bind_input(binder *b, const vlm_value *v, vlm_tensor *t) {
  vlm_status st = VLM_OK;
  *t = v->tensor;
  t->data = NULL;
  VLM_CHECK(t->rank >= 0, b->err, VLM_INPUT, "input \"%s\" has no stated shape", v->name);
  VLM_CHECK(t->dtype != VLM_NONE, b->err, VLM_INPUT, "input \"%s\" has no stated type", v->name);
  for (int d = 0; d < t->rank; d++) {
    bool found;
    if (t->dims[d] >= 0) continue;
    VLM_TRY(find_size(b, v, d, &found, &t->dims[d]));
    if (found) continue;
    t->dims[d] = 1;
    VLM_TRY(assume(b, v, d));
  }
out:
  return st;
}

static vlm_status list_names(const vlm_graph *graph, vlm_text *names, vlm_error *err) {
  char place[512];
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    const vlm_value *v = &graph->values[graph->inputs[i]];
    for (int d = 0; d < v->tensor.rank; d++) {
      if (v->tensor.dims[d] >= 0) continue;
      vlm_status st = vlm_text_print(names, err, " %s", v->dim_names[d] ? v->dim_names[d] : place_name(v, d, place, sizeof place));
      if (st != VLM_OK) return st;
    }
  }
  return VLM_OK;
}

static vlm_status refuse_unused(const binder *b) {
  vlm_status st = VLM_OK;
  vlm_text names = {0};
  for (int i = 0; i < b->n_specs; i++) {
    int64_t size;
    VLM_TRY(parse_size(&size, b->specs[i], b->err));
    if (b->used[i]) continue;
    VLM_TRY(list_names(b->graph, &names, b->err));
    VLM_CHECK(!names.bytes, b->err, VLM_USAGE, "--shape %s: no input has this symbolic dim; there are:%s", b->specs[i], vlm_text_get(&names));
    VLM_CHECK(names.bytes, b->err, VLM_USAGE, "--shape %s: every dim of the inputs is fixed", b->specs[i]);
  }
out:
  vlm_text_free(&names);
  return st;
}

vlm_status vlm_shapes_bind(vlm_tensor *inputs, const vlm_graph *graph, const vlm_cli *cli, vlm_text *assumed, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &cli->args->options[VLM_OPT_SHAPE];
  binder b = {.graph = graph, .specs = given->items, .n_specs = given->count, .assumed = assumed, .err = err};
  VLM_TRY(vlm_alloc((void **)&b.used, (size_t)given->count, 1, err));
  for (int32_t i = 0; i < graph->n_inputs; i++) VLM_TRY(bind_input(&b, &graph->values[graph->inputs[i]], &inputs[i]));
  VLM_TRY(refuse_unused(&b));
out:
  vlm_free(b.used);
  return st;
}
