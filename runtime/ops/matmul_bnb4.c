/* com.microsoft MatMulBnb4: y = a * decoded(b)^T. b: uint8, two codes per byte, high nibble first, the elements of [N][K] in one row, cut into
 * blocks of block_size that may cross rows; absmax: one float per block. quant_type 0 = FP4, 1 = NF4 (Dettmers et al., QLoRA, 2023). */
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

static const float code_values[2][16] = {
    {0, 0.005208333333F, 0.66666667F, 1, 0.33333333F, 0.5F, 0.16666667F, 0.25F, -0.0F, -0.005208333333F,
     -0.66666667F, -1, -0.33333333F, -0.5F, -0.16666667F, -0.25F},
    {-1, -0.6961928009986877F, -0.5250730514526367F, -0.39491748809814453F, -0.28444138169288635F,
     -0.18477343022823334F, -0.09105003625154495F, 0, 0.07958029955625534F, 0.16093020141124725F,
     0.24611230194568634F, 0.33791524171829224F, 0.44070982933044434F, 0.5626170039176941F,
     0.7229568362236023F, 1},
};

typedef struct {
  int64_t k, n, block, type;
  const uint8_t *codes;
  const float *absmax;
} bnb4;

static vlm_status read_shape(vlm_op_call *c, bnb4 *s) {
  vlm_status st = VLM_OK;
  *s = (bnb4){.k = vlm_arg_int(c, 0, 0),
              .n = vlm_arg_int(c, 1, 0),
              .block = vlm_arg_int(c, 2, 0),
              .type = vlm_arg_int(c, 3, 0)};
  VLM_CHECK(s->type == 0 || s->type == 1, c->err, VLM_UNSUPPORTED,
            "quant_type is %lld; wanted 0 (FP4) or 1 (NF4)", (long long)s->type);
  VLM_CHECK(vlm_arg_int(c, 5, 1) == 1, c->err, VLM_UNSUPPORTED, "transB is %lld; wanted 1",
            (long long)vlm_arg_int(c, 5, 1));
  VLM_CHECK(s->block >= 2 && s->block <= 1 << 20 && s->k >= 0 && s->n >= 0 && s->n <= INT32_MAX &&
                s->k <= INT32_MAX,
            c->err, VLM_INPUT, "K %lld, N %lld, block_size %lld", (long long)s->k, (long long)s->n,
            (long long)s->block);
out:
  return st;
}

vlm_status vlm_infer_MatMulBnb4(vlm_op_call *c) {
  bnb4 s;
  vlm_status st = read_shape(c, &s);
  return st == VLM_OK ? vlm_infer_coded(c, s.k, s.n) : st;
}

static float value_of(const void *user, int64_t j, int64_t p) {
  const bnb4 *s = user;
  int64_t at = j * s->k + p;
  return code_values[s->type][s->codes[at / 2] >> (at % 2 ? 0 : 4) & 15] * s->absmax[at / s->block];
}

/* sizes: k, n, block, type; from: codes, absmax */
static vlm_status fill(void *block, const int64_t *sizes, const vlm_tensor *const *from,
                       const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  float *absmax = NULL;
  int64_t count = vlm_tensor_count(from[1]);
  bnb4 s = {.k = sizes[0], .n = sizes[1], .block = sizes[2], .type = sizes[3], .codes = from[0]->data};
  VLM_TRY(vlm_new(&absmax, count, err));
  vlm_floats_of(absmax, from[1], count);
  s.absmax = absmax;
  vlm_coded_panels(block, s.k, s.n, kernels, value_of, &s);
out:
  vlm_free(absmax);
  return st;
}

static vlm_status check_weights(vlm_op_call *c, const bnb4 *s) {
  vlm_status st = VLM_OK;
  int64_t count = s->n * s->k, blocks = (count + s->block - 1) / s->block;
  VLM_CHECK(vlm_tensor_count(c->in[1]) == (count + 1) / 2, c->err, VLM_INPUT, "b has %lld bytes; wanted %lld",
            (long long)vlm_tensor_count(c->in[1]), (long long)((count + 1) / 2));
  VLM_CHECK(vlm_tensor_count(c->in[2]) == blocks, c->err, VLM_INPUT, "absmax has %lld values; wanted %lld",
            (long long)vlm_tensor_count(c->in[2]), (long long)blocks);
  VLM_CHECK(c->in[1]->dtype == VLM_U8, c->err, VLM_INPUT, "b is of %s; wanted uint8",
            vlm_dtype_name(c->in[1]->dtype));
out:
  return st;
}

vlm_status vlm_prepare_MatMulBnb4(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  bnb4 s;
  VLM_TRY(read_shape(c, &s));
  VLM_TRY(check_weights(c, &s));
  const vlm_coded_weights w = {
      .k = s.k,
      .n = s.n,
      .bias = -1,
      .form = {.fill = fill, .sizes = {s.k, s.n, s.block, s.type}, .inputs = {1, 2}, .n_inputs = 2}};
  VLM_TRY(vlm_prepare_coded(c, &w));
out:
  return st;
}
