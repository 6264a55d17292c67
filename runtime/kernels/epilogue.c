#include "runtime/kernels/epilogue.h"

#include <ctype.h>
#include <stddef.h>

static const struct {
  const char *name;
  size_t offset;
} activations[] = {
    {"relu", offsetof(vlm_rowops, relu)},
    {"gelu", offsetof(vlm_rowops, gelu)},
    {"gelu_tanh", offsetof(vlm_rowops, gelu_tanh)},
    {"sigmoid", offsetof(vlm_rowops, sigmoid)},
    {"tanh", offsetof(vlm_rowops, tanh)},
    {"swish", offsetof(vlm_rowops, swish)},
    {"leaky_relu", offsetof(vlm_rowops, leaky_relu)},
    {"clip", offsetof(vlm_rowops, clip)},
    {"hard_sigmoid", offsetof(vlm_rowops, hard_sigmoid)},
    {"hard_swish", offsetof(vlm_rowops, hard_swish)},
    {"elu", offsetof(vlm_rowops, elu)},
};

/* Equal but for case and underscores: "LeakyRelu" is "leaky_relu". */
static bool same_name(const char *a, const char *b) {
  for (;; a++, b++) {
    while (*a == '_') a++;
    while (*b == '_') b++;
    if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
    if (!*a) return true;
  }
}

vlm_status vlm_activation_find(vlm_row_unary **out, const vlm_rowops *rowops, const char *name, vlm_error *err) {
  *out = NULL;
  if (!name || !name[0]) return VLM_OK;
  for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
    if (!same_name(activations[i].name, name)) continue;
    *out = *(vlm_row_unary *const *)((const char *)rowops + activations[i].offset);
    return VLM_OK;
  }
  return vlm_fail(err, VLM_UNSUPPORTED,
                  "activation \"%s\" cannot be fused; wanted Relu, Gelu, Sigmoid, Tanh, LeakyRelu, Clip, HardSigmoid, HardSwish or Elu",
                  name);
}

static void scale_row(float *y, float alpha, const vlm_rowops *rowops, int64_t n) { rowops->mul(y, y, 1, &alpha, 0, n); }

static void add_row(float *y, const vlm_epilogue_f32 *e, const vlm_rowops *rowops, int64_t i, int64_t column, int64_t n) {
  const float *add = e->add + i * e->add_row + column * e->add_column;
  if (e->add_column == 1 && e->beta == 1)
    rowops->add(y, y, 1, add, 1, n);
  else
    for (int64_t j = 0; j < n; j++) y[j] = y[j] + e->beta * add[j * e->add_column];
}

void vlm_epilogue_f32_row(float *y, const vlm_epilogue_f32 *e, const vlm_rowops *rowops, int64_t i, int64_t column, int64_t n) {
  if (e->alpha != 1) scale_row(y, e->alpha, rowops, n);
  if (e->bias) rowops->add(y, y, 1, e->bias + column, 1, n);
  if (e->row_bias) rowops->add(y, y, 1, e->row_bias + i, 0, n);
  if (e->add) add_row(y, e, rowops, i, column, n);
  if (e->activation) e->activation(y, y, n, e->params);
}
