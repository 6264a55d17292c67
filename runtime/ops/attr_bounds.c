#include "runtime/ops/attr_bounds.h"

#include <stdio.h>
#include <string.h>

/* A few extents can be multiplied and added without overflow. */
enum { VLM_MOST_EXTENT = (1 << 30) - 1 };

typedef struct {
  const char *names;
  int32_t least, most;
  bool distinct;
} attr_bound;

static const attr_bound BOUNDS[] = {
#define VLM_ATTR_BOUND(names, least, most, distinct) {names, least, most, distinct},
#include "runtime/ops/attr_bounds.def"
#undef VLM_ATTR_BOUND
};

static bool is_listed(const char *names, const char *name) {
  const size_t size = strlen(name);
  for (const char *at = names; (at = strstr(at, name)) != NULL; at += size)
    if ((at == names || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0')) return true;
  return false;
}

static const attr_bound *bound_of(const char *name) {
  for (size_t k = 0; k < sizeof BOUNDS / sizeof BOUNDS[0]; k++)
    if (is_listed(BOUNDS[k].names, name)) return &BOUNDS[k];
  return NULL;
}

vlm_status vlm_attr_check_bounds(const vlm_attr *attr, vlm_error *err) {
  const bool list = attr->kind == VLM_ATTR_INTS;
  const attr_bound *b = list || attr->kind == VLM_ATTR_INT ? bound_of(attr->name) : NULL;
  const int64_t *values = list ? attr->u.ints : &attr->u.i;
  for (int32_t i = 0; b && i < (list ? attr->count : 1); i++) {
    bool fits = values[i] >= b->least && values[i] <= b->most;
    for (int32_t k = 0; fits && b->distinct && k < i; k++) fits = values[k] != values[i];
    char at[16] = "";
    if (list) snprintf(at, sizeof at, "[%d]", (int)i);
    if (!fits)
      return vlm_fail(err, VLM_INPUT, "%s%s is %lld, wanted %d to %d%s", attr->name, at, (long long)values[i],
                      b->least, b->most, b->distinct ? ", each once" : "");
  }
  return VLM_OK;
}
