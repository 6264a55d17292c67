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
  *s = (nbits){.k = vlm_arg_int(c, 0, 0),
               .n = vlm_arg_int(c, 1, 0),
               .bits = vlm_arg_int(c, 2, 4),
               .block = vlm_arg_int(c, 3, 0)};
  VLM_CHECK(s->bits == 2 || s->bits == 4 || s->bits == 8, c->err, VLM_UNSUPPORTED,
            "MatMulNBits of %lld bits; wanted 2, 4 or 8", (long long)s->bits);
  VLM_CHECK(s->block >= 8 && s->block <= 1 << 20 && vlm_is_extent(s->k) && vlm_is_extent(s->n), c->err,
            VLM_INPUT, "K %lld, N %lld, block_size %lld", (long long)s->k, (long long)s->n,
            (long long)s->block);
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
  return ((float)field(codes, p, s->bits) - zero_of(s, row, p / s->block)) *
         s->scales[row * s->blocks + p / s->block];
}

/* sizes: as in nbits; from: b, scales, zero points */
static vlm_status fill(void *block, const int64_t *sizes, const vlm_tensor *const *from,
                       const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *zeros = from[2];
  float *floats = NULL;
  int64_t count = vlm_tensor_count(from[1]);
  nbits s = {.k = sizes[0],
             .n = sizes[1],
             .bits = sizes[2],
             .block = sizes[3],
             .blocks = sizes[4],
             .b = from[0]->data};
  VLM_TRY(vlm_new(&floats, count * 2, err));
  vlm_floats_of(floats, from[1], count);
  s.scales = floats;
  if (zeros && zeros->dtype == VLM_U8) {
    s.packed_zeros = zeros->data;
  } else if (zeros) {
    vlm_floats_of(floats + count, zeros, count);
    s.float_zeros = floats + count;
  }
  vlm_coded_panels(block, s.k, s.n, kernels, value_of, &s);
out:
  vlm_free(floats);
  return st;
}

static vlm_status check_weights(vlm_op_call *c, const nbits *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *zeros = vlm_in(c, 3);
  VLM_CHECK(
      vlm_tensor_count(c->in[1]) == s->n * s->blocks * (s->block * s->bits / 8) && c->in[1]->dtype == VLM_U8,
      c->err, VLM_INPUT, "b has %lld values of %s; wanted %lld of uint8",
      (long long)vlm_tensor_count(c->in[1]), vlm_dtype_name(c->in[1]->dtype),
      (long long)(s->n * s->blocks * (s->block * s->bits / 8)));
  VLM_CHECK(vlm_tensor_count(c->in[2]) == s->n * s->blocks, c->err, VLM_INPUT, "%lld scales; wanted %lld",
            (long long)vlm_tensor_count(c->in[2]), (long long)(s->n * s->blocks));
  if (!zeros) goto out;
  int64_t wanted = zeros->dtype == VLM_U8 ? s->n * ((s->blocks * s->bits + 7) / 8) : s->n * s->blocks;
  VLM_CHECK(vlm_tensor_count(zeros) == wanted, c->err, VLM_INPUT, "%lld zero points; wanted %lld",
            (long long)vlm_tensor_count(zeros), (long long)wanted);
out:
  return st;
}

vlm_status vlm_prepare_MatMulNBits(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  nbits s;
  VLM_TRY(read_shape(c, &s));
  VLM_TRY(check_weights(c, &s));
  const vlm_coded_weights w = {
      .k = s.k,
      .n = s.n,
      .bias = 5,
      .form = {
          .fill = fill, .sizes = {s.k, s.n, s.bits, s.block, s.blocks}, .inputs = {1, 2, 3}, .n_inputs = 3}};
  VLM_TRY(vlm_prepare_coded(c, &w));
out:
  return st;
}
