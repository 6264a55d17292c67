/* Logic on bool, bits of integers, Where. */
#include <string.h>

#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

#define LOGIC(name, expression)                                      \
  VLM_ROW_FN2(name##_bool, uint8_t, uint8_t, expression)             \
  static vlm_row_table name##_rows = {[VLM_ROW_BOOL] = name##_bool}; \
  vlm_status vlm_prepare_##name(vlm_op_call *c) { return vlm_rows_prepare_binary(c, name##_rows); }
LOGIC(and, x &&y)
LOGIC(or, x || y)
LOGIC(xor, !x != !y)

VLM_ROW_FN1(not_bool, uint8_t, uint8_t, !x)
static vlm_row_table not_rows = {[VLM_ROW_BOOL] = not_bool};
vlm_status vlm_prepare_not(vlm_op_call *c) { return vlm_rows_prepare(c, 1, not_rows, NULL, 0); }

/* Bits know no sign. */
#define BITS(name, inputs, LOOP, expression)                                                 \
  LOOP(name##_64, uint64_t, uint64_t, expression)                                            \
  static vlm_row_table name##_rows = {[VLM_ROW_S64] = name##_64, [VLM_ROW_U64] = name##_64}; \
  vlm_status vlm_prepare_##name(vlm_op_call *c) { return vlm_rows_prepare(c, inputs, name##_rows, NULL, 0); }
BITS(bitwise_and, 2, VLM_ROW_FN2, x &y)
BITS(bitwise_or, 2, VLM_ROW_FN2, x | y)
BITS(bitwise_xor, 2, VLM_ROW_FN2, x ^ y)
BITS(bitwise_not, 1, VLM_ROW_FN1, ~x)

/* A shift by the width or more, or by a negative number, leaves what the sign fills in: 0, or -1 for a negative number to the right. So
 * does a shift by the width of a shorter integer, which is one within int64. */
#define SHIFT_LEFT(op, suffix, type) \
  VLM_ROW_FN2(op##_##suffix, type, type, (uint64_t)y < 64 ? (uint64_t)x << y : 0)
#define SHIFT_RIGHT(op, suffix, type)            \
  VLM_ROW_FN2(op##_##suffix, type, type,         \
              (uint64_t)y < 64        ? x >> y   \
              : x < (type)1 && x != 0 ? (type)-1 \
                                      : (type)0)
VLM_ROW_INTEGERS(SHIFT_LEFT, left)
VLM_ROW_INTEGERS(SHIFT_RIGHT, right)
static vlm_row_table left_rows = {VLM_ROW_INTEGER_FORMS(left)};
static vlm_row_table right_rows = {VLM_ROW_INTEGER_FORMS(right)};

vlm_status vlm_prepare_bit_shift(vlm_op_call *c) {
  const char *direction = vlm_arg_string(c, 0, "");
  bool left = strcmp(direction, "LEFT") == 0;
  if (!left && strcmp(direction, "RIGHT") != 0)
    return vlm_fail(c->err, VLM_INPUT, "direction is \"%s\"; wanted LEFT or RIGHT", direction);
  return vlm_rows_prepare(c, 2, left ? left_rows : right_rows, NULL, 0);
}

/* ---- Where: moves elements, so only their size matters ---- */

vlm_status vlm_infer_where(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor shape = *c->in[1];
  VLM_TRY(vlm_broadcast_dims(c, &shape, c->in[2], &shape.rank, shape.dims));
  VLM_TRY(vlm_broadcast_dims(c, &shape, c->in[0], &shape.rank, shape.dims));
  vlm_out_shape(c, 0, shape.dtype, shape.rank, shape.dims);
out:
  return st;
}

#define WHERE(suffix, type)                                                                        \
  static void where_##suffix(const vlm_row *row) {                                                 \
    const uint8_t *condition = row->in[0];                                                         \
    const type *x = row->in[1], *y = row->in[2];                                                   \
    const int64_t c_step = row->step[0], x_step = row->step[1], y_step = row->step[2], n = row->n; \
    type *z = row->out;                                                                            \
    for (int64_t i = 0; i < n; i++) z[i] = condition[i * c_step] ? x[i * x_step] : y[i * y_step];  \
  }
WHERE(8, uint8_t)
WHERE(16, uint16_t)
WHERE(32, uint32_t)
WHERE(64, uint64_t)

vlm_status vlm_prepare_where(vlm_op_call *c) {
  vlm_dtype type = c->in[1]->dtype;
  int bits = vlm_dtype_bits(type);
  vlm_row_fn *fn = bits == 8    ? where_8
                   : bits == 16 ? where_16
                   : bits == 32 ? where_32
                   : bits == 64 ? where_64
                                : NULL;
  if (!fn) return vlm_fail(c->err, VLM_UNSUPPORTED, "no form for elements of type %s", vlm_dtype_name(type));
  if (c->in[0]->dtype != VLM_BOOL)
    return vlm_fail(c->err, VLM_INPUT, "condition is of type %s; wanted bool",
                    vlm_dtype_name(c->in[0]->dtype));
  if (c->in[2]->dtype != type)
    return vlm_fail(c->err, VLM_INPUT, "X is of type %s, Y of type %s; they must be the same",
                    vlm_dtype_name(type), vlm_dtype_name(c->in[2]->dtype));
  const vlm_row_inputs from = vlm_rows_first(c, 3);
  return vlm_rows_prepare_raw(c, &from, fn, NULL, 0);
}
