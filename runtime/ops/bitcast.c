/* BitCast: the same bytes read as another type of the same width. */
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

vlm_status vlm_infer_BitCast(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  vlm_dtype to = vlm_dtype_from_onnx((int)vlm_arg_int(c, 0, 0));
  if (to == VLM_NONE)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "operator BitCast: element type %lld is not supported",
                    (long long)vlm_arg_int(c, 0, 0));
  if (vlm_dtype_bits(to) != vlm_dtype_bits(x->dtype))
    return vlm_fail(c->err, VLM_INPUT, "%s and %s do not have the same width", vlm_dtype_name(x->dtype),
                    vlm_dtype_name(to));
  vlm_out_shape(c, 0, to, x->rank, x->dims);
  return VLM_OK;
}
