/* vlm.QGather: table int8 [V, D...], scale float32 [V] or [1], ids int32/int64 -> float32 [ids..., D...]: rows dequantized as they are fetched.
 */
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/rowops.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

vlm_status vlm_infer_QGather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *table = c->in[0], *ids = c->in[2];
  int64_t dims[VLM_MAX_RANK];
  VLM_CHECK(table->dtype == VLM_S8 && table->rank >= 2, c->err, VLM_INPUT,
            "a table of type %s with %d dims; wanted int8 with 2 or more", vlm_dtype_name(table->dtype),
            table->rank);
  int most = VLM_MAX_RANK + 1 - table->rank;
  VLM_CHECK(ids->rank <= most, c->err, VLM_UNSUPPORTED, "ids with %d dims; at most %d are supported",
            ids->rank, most);
  for (int i = 0; i < ids->rank; i++) dims[i] = ids->dims[i];
  for (int i = 1; i < table->rank; i++) dims[ids->rank + i - 1] = table->dims[i];
  vlm_out_shape(c, 0, VLM_F32, ids->rank + table->rank - 1, dims);
out:
  return st;
}

vlm_status vlm_prepare_QGather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_values *scale;
  VLM_CHECK(c->in[2]->dtype == VLM_S32 || c->in[2]->dtype == VLM_S64, c->err, VLM_INPUT,
            "ids of type %s; wanted int32 or int64", vlm_dtype_name(c->in[2]->dtype));
  VLM_TRY(vlm_op_state_new(c, &scale));
  VLM_TRY(vlm_values_prepare(c, scale, 1, c->in[0]->dims[0], "the scale of the table"));
out:
  return st;
}

vlm_status vlm_run_QGather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *table = c->in[0], *ids = c->in[2];
  const int64_t rows = table->dims[0], n = vlm_tensor_span(table, 1, table->rank),
                count = vlm_tensor_count(ids);
  const float *scale = vlm_values_get(c, c->state);
  float *y = c->out[0]->data;
  for (int64_t i = 0; i < count; i++, y += n) {
    int64_t given = vlm_tensor_get_int(ids, i), id = given < 0 ? given + rows : given;
    VLM_CHECK(id >= 0 && id < rows, c->err, VLM_INPUT, "id %lld at position %lld; the table has %lld rows",
              (long long)given, (long long)i, (long long)rows);
    c->kernels->rowops->dequantize_s8(y, (const int8_t *)table->data + id * n, n, scale[id], 0);
  }
out:
  return st;
}
