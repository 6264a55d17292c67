#include "runtime/ops/op.h"

#include <string.h>

#include "runtime/ops/op_table.h"

static const vlm_op table[] = {
#define VLM_OP_ROW(domain, name, since, until, min_in, max_in, min_out, max_out, attrs, types, flags, infer, \
                   prepare, run)                                                                             \
  {domain,                                                                                                   \
   name,                                                                                                     \
   since,                                                                                                    \
   until,                                                                                                    \
   min_in,                                                                                                   \
   max_in,                                                                                                   \
   min_out,                                                                                                  \
   max_out,                                                                                                  \
   flags,                                                                                                    \
   attrs,                                                                                                    \
   vlm_infer_##infer,                                                                                        \
   vlm_prepare_##prepare,                                                                                    \
   vlm_run_##run},
#include "runtime/ops/ops.def"
#undef VLM_OP_ROW
};

const vlm_op *vlm_op_table(int32_t *count) {
  *count = (int32_t)(sizeof table / sizeof table[0]);
  return table;
}

const vlm_op *vlm_op_find(const char *domain, const char *name, int32_t opset, bool *known) {
  if (strcmp(domain, "ai.onnx") == 0) domain = "";
  *known = false;
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const vlm_op *op = &table[i];
    if (op->name[0] != name[0] || strcmp(op->name, name) != 0 || strcmp(op->domain, domain) != 0) continue;
    *known = true;
    if (opset >= op->since && (op->until == 0 || opset <= op->until)) return op;
  }
  return NULL;
}
