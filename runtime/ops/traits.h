/* What an operator is to quantization, cost, fusion, calibration and export: one row per operator (traits.def), read by everybody.
 *
 * Placement, calibration taps, lowering, multiply-accumulate counts, coverage and clean-up patterns ask these functions; none of them
 * keeps a list of operators of its own. An operator without a row has no weights, multiplies nothing and lets nothing through. */
#ifndef VLM_OPS_TRAITS_H
#define VLM_OPS_TRAITS_H

#include "runtime/ops/op.h"

/* A constant input that can be stored in 8 bits. */
typedef struct vlm_weight_slot {
  int32_t input; /* index into node->inputs */
  int32_t
      axis; /* dim of the constant with one scale per index: its output channels, or the rows of a table; -1 = one scale */
  int32_t
      activation; /* input that is multiplied with it; -1 = none: a table that is looked up, or a state inside the operator */
} vlm_weight_slot;
enum { VLM_MAX_WEIGHT_SLOTS = 4 };

/* Ways to compute a node whose weights are stored in 8 bits. Whether a given node can take one is the answer of lower/. */
typedef enum vlm_form {
  VLM_FORM_STATIC = 1,     /* activations u8, one calibrated range per tensor */
  VLM_FORM_ROW = 2,        /* activations u8, a range per row at run time */
  VLM_FORM_IMAGE = 4,      /* activations u8, a range per image at run time */
  VLM_FORM_WEIGHT_ONLY = 8 /* activations float */
} vlm_form;

/* Which rules of lower/ know the operator. Each family has its forms (traits.c). */
typedef enum vlm_op_family {
  VLM_FAMILY_NONE,    /* no constant of it is stored in 8 bits */
  VLM_FAMILY_STORED,  /* constants are stored in 8 bits, the operator itself stays float */
  VLM_FAMILY_PRODUCT, /* MatMul, Gemm and what is fused from them */
  VLM_FAMILY_CONVOLUTION,
  VLM_FAMILY_TRANSPOSED, /* transposed convolution */
  VLM_FAMILY_TABLE       /* rows are looked up */
} vlm_op_family;

enum {
  VLM_TRAIT_ELEMENTWISE = 1, /* each output element depends on the input elements at its place only */
  VLM_TRAIT_SAME_VALUES =
      2, /* output 0 holds values of input 0 (or zeros), in another arrangement: a range passes through */
  VLM_TRAIT_TABLE = 4,     /* looks rows of its weight up */
  VLM_TRAIT_RECURRENT = 8, /* runs over time: its weights meet a state as well */
  VLM_TRAIT_JOINS = 32,    /* its results hold values of several inputs, chosen or side by side */
  VLM_TRAIT_INTEGER = 64,  /* both operands of what it multiplies have 8 bits or less */
  VLM_TRAIT_NORM = 16,     /* normalises rows or channels: the scale of what comes in does not matter */
  VLM_TRAIT_MOVES =
      128, /* its results hold elements of input 0 (of all inputs when it joins) and nothing else, of any type */
  VLM_TRAIT_ATTENDS =
      256, /* its product is a projection to queries, keys and values; what it gives is their attention */
  VLM_TRAIT_SELECTS = 512,    /* data decides which elements its results tell of, or how many */
  VLM_TRAIT_BY_ROW = 1024,    /* selects: a row of the result is one thing; else an element is */
  VLM_TRAIT_BY_COLUMN = 2048, /* selects: a column is */
  VLM_TRAIT_SAME_ORDER = 4096 /* its results hold the elements of input 0 in their order, dims of 1 aside */
};

/* What may be taken into the operator's epilogue. */
enum { VLM_ABSORB_BIAS = 1, VLM_ABSORB_ACTIVATION = 2, VLM_ABSORB_QUANTIZE = 4, VLM_ABSORB_PRODUCT = 7 };

/* Fills slots for the inputs that are constant here; returns how many. */
typedef int32_t vlm_weight_slots_fn(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots);
/* Multiply-accumulates of a call whose types and shapes are all known; `input` is the row's column. */
typedef int64_t vlm_macs_fn(vlm_op_call *call, int input);

typedef struct vlm_traits {
  const char *domain, *name;
  vlm_weight_slots_fn *weights; /* NULL = none */
  vlm_macs_fn *macs;            /* NULL = multiplies nothing */
  int8_t bias;                  /* input, or -1 */
  int8_t macs_input;            /* of the weights, or of the past keys (0 = none) */
  uint8_t family;               /* vlm_op_family */
  uint8_t forms;                /* vlm_form bits */
  uint8_t absorbs;              /* VLM_ABSORB bits */
  uint16_t flags;               /* VLM_TRAIT bits */
} vlm_traits;

/* Never NULL: the row of the operator, or the empty one. Nodes carry it as node->traits once they are resolved. */
const vlm_traits *vlm_traits_find(const char *domain, const char *name);
const vlm_traits *vlm_traits_table(int32_t *count);

/* The DequantizeLinear that makes a value, looked for in the enclosing graphs when the value is captured; *owner is the graph that holds
 * it. NULL when something else makes the value. */
const vlm_node *vlm_dequantizer(const vlm_graph *graph, vlm_value_id id, const vlm_graph **owner);
/* The same, with a Cast to another float type between: *type is that of the value. */
const vlm_node *vlm_dequantizer_behind_cast(const vlm_graph *graph, vlm_value_id id, const vlm_graph **owner,
                                            vlm_dtype *type);
/* The constant that input k holds: as it is, or the stored one behind a DequantizeLinear (and a Cast). NULL when it
 * is computed. */
const vlm_tensor *vlm_node_constant(const vlm_graph *graph, const vlm_node *node, int32_t k);

/* The inputs of a resolved node that are constants which can be stored in 8 bits: float32, float16, bfloat16 or float64, of rank 2 and
 * more. Captured constants count. Returns how many. */
int32_t vlm_node_weights(const vlm_graph *graph, const vlm_node *node,
                         vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS]);

#endif
