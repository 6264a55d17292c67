#include "flow/profile_step.h"

#include <stdio.h>
#include <string.h>

#include "runtime/kernels/kernels.h"
#include "runtime/ops/macs.h"

/* ---- what was joined ---- */

typedef struct {
  const char *op_type;
  int32_t input;
  const char *word;
} joined_input;
static const joined_input JOINED[] = {
#define X(op_type, input, word) {op_type, input, word},
#include "flow/joined.def"
#undef X
};

static bool is_ours(const vlm_node *node) { return strcmp(node->domain, "vlm") == 0; }

static bool has_input(const vlm_op_call *c, int32_t k) { return k >= 0 && k < c->n_in && c->in[k]; }

static void add_word(vlm_step_facts *f, const char *word) {
  const size_t n = strlen(f->joined);
  snprintf(f->joined + n, sizeof f->joined - n, "%s%s", n ? ", " : "", word);
}

static void add_activation(vlm_step_facts *f, const vlm_node *node) {
  const vlm_attr *a = vlm_node_attr(node, "activation");
  if (a && a->kind == VLM_ATTR_STRING && a->u.s[0]) add_word(f, a->u.s);
}

/* In the order in which they are computed. */
static void read_joined(vlm_step_facts *f, const vlm_op_call *c) {
  const vlm_node *node = c->node;
  if (!is_ours(node)) return;
  if (has_input(c, node->traits->bias)) add_word(f, "bias");
  add_activation(f, node);
  for (size_t i = 0; i < sizeof JOINED / sizeof *JOINED; i++)
    if (strcmp(JOINED[i].op_type, node->op_type) == 0 && has_input(c, JOINED[i].input))
      add_word(f, JOINED[i].word);
}

/* ---- kernel and layout ---- */

static const vlm_tensor *weights_of(const vlm_op_call *c) {
  const int32_t k = c->node->traits->macs_input;
  return has_input(c, k) ? c->in[k] : NULL;
}

static bool is_depthwise(const vlm_op_call *c) {
  const vlm_tensor *w = weights_of(c);
  return w && w->rank == 4 && w->dims[1] == 1 && vlm_node_int(c->node, "group", 1) > 1;
}

static bool reads_bytes(const vlm_op_call *c) {
  const vlm_tensor *w = weights_of(c);
  return w && w->dtype == VLM_S8;
}

static const char *kernel_of(const vlm_op_call *c) {
  const vlm_node *node = c->node;
  const vlm_kernels *k = c->kernels;
  const uint16_t flags = node->traits->flags;
  if (node->op->flags & VLM_OP_ALIAS) return "view";
  if (!node->traits->macs) return flags & VLM_TRAIT_MOVES ? "copy" : "row operations";
  const vlm_kernel *kernel = flags & VLM_TRAIT_INTEGER ? k->gemm_u8s8
                             : is_depthwise(c)         ? k->depthwise_f32
                             : reads_bytes(c)          ? k->gemm_f32s8
                                                       : k->gemm_f32;
  return strncmp(kernel->name, "vlm_", 4) == 0 ? kernel->name + 4 : kernel->name;
}

/* Convolutions and pooling have a kernel's shape, by attribute or by their weights. */
static const char *layout_of(const vlm_op_call *c) {
  const vlm_node *node = c->node;
  vlm_macs_fn *const macs = node->traits->macs;
  const bool image = vlm_node_attr(node, "kernel_shape") || macs == vlm_macs_convolution ||
                     macs == vlm_macs_transposed_convolution;
  const bool last =
      is_ours(node) && (!(node->traits->flags & VLM_TRAIT_INTEGER) || vlm_node_int(node, "channels_last", 0));
  if (image) return last ? "NHWC" : "NCHW";
  return vlm_node_int(node, "transX", 0) || vlm_node_int(node, "transY", 0) ? "columns" : "rows";
}

/* ---- size ---- */

/* Rows of a table are as many bytes as come out; what only the shape is read of has none. */
static double bytes_of(const vlm_op_call *c) {
  double sum = 0, written = 0;
  for (int32_t k = 0; k < c->n_out; k++)
    if (c->out[k]) written += (double)vlm_tensor_bytes(c->out[k]);
  if (c->node->op->flags & (VLM_OP_ALIAS | VLM_OP_OF_SHAPE)) return 0;
  for (int32_t k = 0; k < c->n_in; k++)
    if (c->in[k])
      sum +=
          k == 0 && c->node->traits->flags & VLM_TRAIT_TABLE ? written : (double)vlm_tensor_bytes(c->in[k]);
  return sum + written;
}

void vlm_step_facts_read(vlm_step_facts *out, vlm_op_call *call) {
  *out = (vlm_step_facts){.kernel = kernel_of(call),
                          .layout = layout_of(call),
                          .bytes = bytes_of(call),
                          .integer = call->node->traits->flags & VLM_TRAIT_INTEGER};
  if (call->node->traits->macs) out->macs = (double)vlm_call_macs(call);
  read_joined(out, call);
}
