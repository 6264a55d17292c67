#include <string.h>

#include "runtime/ops/matmul.h"

static const struct {
  const char *name;
  float values[2];
} defaults[] = {
    {"LeakyRelu", {0.01f, 0}},     {"Elu", {1.0f, 0}},
    {"HardSigmoid", {0.2f, 0.5f}}, {"Clip", {-3.402823466e38f, 3.402823466e38f}},
    {"Swish", {1.0f, 0}},
};

void vlm_activation_params(float params[4], const char *name, const vlm_attr *first, const vlm_attr *second) {
  memset(params, 0, 4 * sizeof *params);
  for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
    if (strcmp(name, defaults[i].name) == 0) memcpy(params, defaults[i].values, sizeof defaults[i].values);
  if (first->kind == VLM_ATTR_FLOATS)
    memcpy(params, first->u.floats, (size_t)(first->count < 2 ? first->count : 2) * sizeof *params);
  if (first->kind == VLM_ATTR_FLOAT) params[0] = first->u.f;
  if (second && second->kind == VLM_ATTR_FLOAT) params[1] = second->u.f;
}
