#include "runtime/kernels/epilogue.h"

#include <ctype.h>
#include <stddef.h>

static const struct {
  const char *name;
  size_t offset;
} activations[] = {
#define VLM_ROW_ACTIVATION(name) {#name, offsetof(vlm_rowops, name)},
#include "runtime/kernels/rowops.def"
};

static const char known[] =
#define VLM_ROW_ACTIVATION(name) " " #name
#include "runtime/kernels/rowops.def"
    ;

/* Equal but for case and underscores: "LeakyRelu" is "leaky_relu". */
static bool same_name(const char *a, const char *b) {
  for (;; a++, b++) {
    while (*a == '_') a++;
    while (*b == '_') b++;
    if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
    if (!*a) return true;
  }
}

vlm_status vlm_activation_find(vlm_row_unary **out, const vlm_rowops *rowops, const char *name,
                               vlm_error *err) {
  *out = NULL;
  if (!name || !name[0]) return VLM_OK;
  for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
    if (!same_name(activations[i].name, name)) continue;
    *out = *(vlm_row_unary *const *)((const char *)rowops + activations[i].offset);
    return VLM_OK;
  }
  return vlm_fail(err, VLM_UNSUPPORTED, "activation \"%s\" cannot be fused; wanted one of%s", name, known);
}

static void scale_row(float *y, float alpha, const vlm_rowops *rowops, int64_t n) {
  rowops->mul(y, y, 1, &alpha, 0, n);
}

static void add_row(float *y, const vlm_epilogue_f32 *e, const vlm_rowops *rowops, const vlm_row_part *part) {
  const float *add = e->add + part->row * e->add_row + part->column * e->add_column;
  if (e->add_column == 1 && e->beta == 1) rowops->add(y, y, 1, add, 1, part->n);
  else
    for (int64_t j = 0; j < part->n; j++) y[j] = y[j] + e->beta * add[j * e->add_column];
}

void vlm_epilogue_f32_row(float *y, const vlm_epilogue_f32 *e, const vlm_rowops *rowops,
                          const vlm_row_part *part) {
  int64_t n = part->n;
  if (e->alpha != 1) scale_row(y, e->alpha, rowops, n);
  if (e->bias) rowops->add(y, y, 1, e->bias + part->column, 1, n);
  if (e->row_bias) rowops->add(y, y, 1, e->row_bias + part->row, 0, n);
  if (e->add) add_row(y, e, rowops, part);
  if (e->activation) e->activation(y, y, n, e->params);
  if (e->residual) rowops->add(y, y, 1, e->residual + part->row * e->residual_row + part->column, 1, n);
}
