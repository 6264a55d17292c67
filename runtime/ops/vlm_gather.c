/* vlm.QGather: table int8 [V, D...], scale float32 [V] or [1], ids int32/int64 -> float32 [ids..., D...]: rows dequantized as they are fetched.
 */
#include "runtime/kernels/rowops.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/weights.h"

vlm_status vlm_infer_QGather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *table = c->in[0], *ids = c->in[2];
  int64_t dims[VLM_MAX_RANK];
  VLM_CHECK(table->dtype == VLM_S8 && table->rank >= 2, c->err, VLM_INPUT, "a table of type %s with %d dims; wanted int8 with 2 or more",
            vlm_dtype_name(table->dtype), table->rank);
  int most = VLM_MAX_RANK + 1 - table->rank;
  VLM_CHECK(ids->rank <= most, c->err, VLM_UNSUPPORTED, "ids with %d dims; at most %d are supported", ids->rank, most);
  for (int i = 0; i < ids->rank; i++) dims[i] = ids->dims[i];
  for (int i = 1; i < table->rank; i++) dims[ids->rank + i - 1] = table->dims[i];
  vlm_out_shape(c, 0, VLM_F32, ids->rank + table->rank - 1, dims);
out:
  return st;
}

vlm_status vlm_run_QGather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *table = c->in[0];
  const int64_t *ids, rows = table->dims[0], n = vlm_tensor_span(table, 1, table->rank), count = vlm_tensor_count(c->in[2]);
  const float *scale;
  float *y = c->out[0]->data;
  VLM_TRY(vlm_as_s64(c, c->in[2], &ids));
  VLM_TRY(vlm_op_floats(c, c->in[1], rows, "the scale of the table", &scale));
  for (int64_t i = 0; i < count; i++, y += n) {
    int64_t id = ids[i] < 0 ? ids[i] + rows : ids[i];
    VLM_CHECK(id >= 0 && id < rows, c->err, VLM_INPUT, "id %lld at position %lld; the table has %lld rows", (long long)ids[i], (long long)i,
              (long long)rows);
    c->kernels->rowops->dequantize_s8(y, (const int8_t *)table->data + id * n, n, scale[id], 0);
  }
out:
  return st;
}
