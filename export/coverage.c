#include "export/coverage.h"

#include <string.h>

#include "export/limits.h"

enum {
  TAKES_ALL = VLM_PROVIDER_TAKES_ALL,
  BODIES = VLM_PROVIDER_BODIES,
  INTEGER_COUNTS = VLM_PROVIDER_INTEGER_COUNTS,
  FIXED = VLM_PROVIDER_FIXED,
  STOPS = VLM_PROVIDER_STOPS,
  EACH_ALONE = VLM_PROVIDER_EACH_ALONE,
  NO_UNITS = VLM_PROVIDER_NO_UNITS
};

static const struct {
  int32_t flags;
  const char *dropped, *source;
} PROVIDERS[VLM_PROVIDER_COUNT] = {
#define X(name, flags, dropped, source) {flags, dropped, source},
#include "export/providers.def"
#undef X
};

enum {
  U8 = VLM_UNIT_U8,
  S8 = VLM_UNIT_S8,
  ANY_UNIT = VLM_UNIT_ANY,
  NO_UNIT = 0,
  NO_LIMIT = VLM_LIMITS_NONE
#define X(name, ...) , name = VLM_LIMITS_##name
#include "export/limits.def"
#undef X
};

static const vlm_covered ROWS[] = {
#define X(provider, ops, limits, units, unit_limits, kernel, source) \
  {VLM_PROVIDER_##provider, ops, limits, units, unit_limits, kernel, source},
#include "export/coverage.def"
#undef X
};

static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *at = words; (at = strstr(at, word)); at++) {
    bool starts = at == words || at[-1] == ' ', ends = !at[n] || at[n] == ' ';
    if (starts && ends) return true;
  }
  return false;
}

const vlm_covered *vlm_coverage_rows(int32_t *count) {
  *count = (int32_t)(sizeof ROWS / sizeof ROWS[0]);
  return ROWS;
}

const vlm_covered *vlm_coverage_find(vlm_provider provider, const char *op_type) {
  for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
    if (ROWS[i].provider == provider && has_word(ROWS[i].ops, op_type)) return &ROWS[i];
  return NULL;
}

int32_t vlm_provider_flags(vlm_provider provider) { return PROVIDERS[provider].flags; }

bool vlm_provider_drops(vlm_provider provider, const char *op_type) {
  return has_word(PROVIDERS[provider].dropped, op_type);
}

const char *vlm_provider_source(vlm_provider provider) { return PROVIDERS[provider].source; }

static const vlm_provider_setting SETTINGS[] = {
#define X(provider, name, text, source) {VLM_PROVIDER_##provider, name, text, source},
#include "export/settings.def"
#undef X
};

const vlm_provider_setting *vlm_provider_next_setting(vlm_provider provider,
                                                      const vlm_provider_setting *last) {
  const vlm_provider_setting *end = SETTINGS + sizeof SETTINGS / sizeof SETTINGS[0];
  for (const vlm_provider_setting *s = last ? last + 1 : SETTINGS; s < end; s++)
    if (s->provider == provider) return s;
  return NULL;
}
