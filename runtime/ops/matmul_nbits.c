/* com.microsoft MatMulNBits: y = a * dequantized(b)^T + bias. b: uint8 [N][ceil(K / block)][block * bits / 8], low nibble first;
 * scales [N][blocks]; zero points packed like b (or of the type of a), default 2^(bits - 1). bits 2, 4, 8. */
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

typedef struct {
  int64_t k, n, bits, block, blocks;
  const uint8_t *b;
  const float *scales, *float_zeros;
  const uint8_t *packed_zeros;
} nbits;

static vlm_status read_shape(vlm_op_call *c, nbits *s) {
  vlm_status st = VLM_OK;
  *s = (nbits){.k = vlm_arg_int(c, 0, 0), .n = vlm_arg_int(c, 1, 0), .bits = vlm_arg_int(c, 2, 4), .block = vlm_arg_int(c, 3, 0)};
  VLM_CHECK(s->bits == 2 || s->bits == 4 || s->bits == 8, c->err, VLM_UNSUPPORTED, "MatMulNBits of %lld bits; wanted 2, 4 or 8",
            (long long)s->bits);
  VLM_CHECK(s->block >= 8 && s->block <= 1 << 20 && vlm_is_extent(s->k) && vlm_is_extent(s->n), c->err, VLM_INPUT, "K %lld, N %lld, block_size %lld",
            (long long)s->k, (long long)s->n, (long long)s->block);
  s->blocks = (s->k + s->block - 1) / s->block;
  VLM_CHECK(vlm_in(c, 4) == NULL, c->err, VLM_UNSUPPORTED, "MatMulNBits with g_idx is not supported");
out:
  return st;
}

vlm_status vlm_infer_MatMulNBits(vlm_op_call *c) {
  nbits s;
  vlm_status st = read_shape(c, &s);
  return st == VLM_OK ? vlm_infer_coded(c, s.k, s.n) : st;
}

static int field(const uint8_t *bytes, int64_t index, int64_t bits) {
  int64_t per_byte = 8 / bits;
  return bytes[index / per_byte] >> (index % per_byte * bits) & ((1 << bits) - 1);
}

static float zero_of(const nbits *s, int64_t row, int64_t block) {
  int64_t row_bytes = (s->blocks * s->bits + 7) / 8;
  if (s->float_zeros) return s->float_zeros[row * s->blocks + block];
  if (s->packed_zeros) return (float)field(s->packed_zeros + row * row_bytes, block, s->bits);
  return (float)(1 << (s->bits - 1));
}

static float value_of(const void *user, int64_t row, int64_t p) {
  const nbits *s = user;
  const uint8_t *codes = s->b + row * s->blocks * (s->block * s->bits / 8);
  return ((float)field(codes, p, s->bits) - zero_of(s, row, p / s->block)) * s->scales[row * s->blocks + p / s->block];
}

static vlm_status read_weights(vlm_op_call *c, nbits *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *zeros = vlm_in(c, 3);
  VLM_CHECK(vlm_tensor_count(c->in[1]) == s->n * s->blocks * (s->block * s->bits / 8) && c->in[1]->dtype == VLM_U8, c->err, VLM_INPUT,
            "b has %lld values of %s; wanted %lld of uint8", (long long)vlm_tensor_count(c->in[1]), vlm_dtype_name(c->in[1]->dtype),
            (long long)(s->n * s->blocks * (s->block * s->bits / 8)));
  VLM_CHECK(vlm_tensor_count(c->in[2]) == s->n * s->blocks, c->err, VLM_INPUT, "%lld scales; wanted %lld",
            (long long)vlm_tensor_count(c->in[2]), (long long)(s->n * s->blocks));
  s->b = c->in[1]->data;
  VLM_TRY(vlm_as_f32(c, c->in[2], &s->scales));
  if (!zeros) goto out;
  int64_t wanted = zeros->dtype == VLM_U8 ? s->n * ((s->blocks * s->bits + 7) / 8) : s->n * s->blocks;
  VLM_CHECK(vlm_tensor_count(zeros) == wanted, c->err, VLM_INPUT, "%lld zero points; wanted %lld", (long long)vlm_tensor_count(zeros),
            (long long)wanted);
  if (zeros->dtype == VLM_U8)
    s->packed_zeros = zeros->data;
  else
    VLM_TRY(vlm_as_f32(c, zeros, &s->float_zeros));
out:
  return st;
}

vlm_status vlm_run_MatMulNBits(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  nbits s;
  VLM_TRY(read_shape(c, &s));
  VLM_TRY(read_weights(c, &s));
  const vlm_coded_weights w = {
      .k = s.k, .n = s.n, .variant = {s.bits, s.block}, .value = value_of, .user = &s, .bias = vlm_in(c, 5)};
  VLM_TRY(vlm_matmul_coded(c, &w));
out:
  return st;
}
