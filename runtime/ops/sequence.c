/* There are no sequence values at run time: what the import has not replaced is refused here. */
#include "runtime/ops/op_table.h"

vlm_status vlm_infer_sequence(vlm_op_call *c) {
  return vlm_fail(
      c->err, VLM_UNSUPPORTED,
      "operator %s works on a sequence of tensors, which only the import pass \"sequences\" can replace",
      c->node->op_type);
}

vlm_status vlm_run_sequence(vlm_op_call *c) { return vlm_infer_sequence(c); }
