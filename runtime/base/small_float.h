/* Floats of at most 8 bits (small_float.def) to and from double; every wider float converts to double exactly, so that one rounding is
 * all there is. Source: "Float stored in 8 bits" and "Float stored in 4 bits" of the ONNX documentation and operator Cast. */
#ifndef VLM_BASE_SMALL_FLOAT_H
#define VLM_BASE_SMALL_FLOAT_H

#include "runtime/base/dtype.h"

/* How F8E8M0 rounds: to the next power of two, the one before, or the nearest with ties up. The other formats round to nearest even. */
typedef enum vlm_power_rounding { VLM_POWER_UP, VLM_POWER_DOWN, VLM_POWER_NEAREST } vlm_power_rounding;

typedef struct vlm_small_rule {
  bool
      saturate; /* what rounds beyond the largest value becomes that value; else infinity, or NaN where there is none */
  vlm_power_rounding power;
} vlm_small_rule;

/* The rule when nothing is said: saturate, powers of two up. */
static inline vlm_small_rule vlm_small_rule_default(void) {
  return (vlm_small_rule){.saturate = true, .power = VLM_POWER_UP};
}

/* Whether a type is one of the formats. */
bool vlm_dtype_is_small_float(vlm_dtype dtype);
/* The value of a code of a small float type; exact. */
double vlm_small_decode(vlm_dtype dtype, unsigned code);
/* The code of a value. NaN keeps its sign where the format has two. F4E2M1 always saturates. F8E8M0: a negative value is NaN; one that
 * rounds below 2^-127 (zero is one) is 2^-127 when saturating, else NaN. */
unsigned vlm_small_encode(vlm_dtype dtype, double value, vlm_small_rule rule);

#endif
