/* Private to the passes: their signature and what several of them need. */
#ifndef VLM_ONNX_PASS_H
#define VLM_ONNX_PASS_H

#include "onnx/passes.h"

/* One pass over one graph (the driver visits subgraphs). Adds the number of changes to *changes. The graph is resolved before; afterwards
 * the driver sweeps and resolves, so a pass may leave dead nodes behind. */
typedef vlm_status vlm_pass(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes, vlm_error *err);

#define X(name, function, text) vlm_pass function;
#include "onnx/passes.def"
#undef X

bool vlm_pass_is_output(const vlm_graph *graph, vlm_value_id id);
/* How often a value is read: node inputs, graph outputs, captures. */
int32_t vlm_pass_uses(const vlm_graph *graph, vlm_value_id id);
/* The only element of a constant as double; false when it is not a constant of one element. */
bool vlm_pass_scalar(const vlm_graph *graph, vlm_value_id id, double *out);
/* A two-input node with one constant operand: *constant and *other are set; false when neither or both are constant. */
bool vlm_pass_split(const vlm_graph *graph, const vlm_node *node, vlm_value_id *constant,
                    vlm_value_id *other);
/* Makes every reader of `from` read `to` (made without `from`). When `from` is a graph output, `to` takes over its name and place, which
 * needs a node that makes `to` and a `to` that is no output itself: else false, and nothing is done. */
bool vlm_pass_bypass(vlm_graph *graph, vlm_value_id from, vlm_value_id to);
/* Turns node n into another operator with one output: its old inputs and attributes go. New inputs are given. */
vlm_status vlm_pass_rewrite(vlm_graph *graph, int32_t n, const char *domain, const char *op_type,
                            int32_t opset, const vlm_value_id *inputs, int32_t n_inputs, int32_t n_attrs,
                            vlm_error *err);

/* Output k of node n, which nobody computes any more, is this constant now; its bytes must live as long as the graph. */
void vlm_pass_become_constant(vlm_graph *graph, int32_t n, int32_t k, const vlm_tensor *tensor);
/* The id in `graph` of value `id` of `owner`, which is `graph` or encloses it: captures are added where there are none. */
vlm_status vlm_pass_capture(vlm_graph *graph, const vlm_graph *owner, vlm_value_id id, vlm_value_id *out,
                            vlm_error *err);
/* What the pass "fold" does, for one node that is bound. */
vlm_status vlm_pass_fold_node(vlm_graph *graph, int32_t n, const vlm_clean_opts *opts, int32_t *changes,
                              vlm_error *err);

#endif
