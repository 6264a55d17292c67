#include <math.h>
#include <string.h>

#include "onnx/pass.h"

/* The four constants of a BatchNormalization in inference mode, one entry per channel. */
typedef struct batch_norm {
  const float *scale, *bias, *mean, *var;
  int64_t channels;
  float epsilon;
} batch_norm;

static const float *channel_constant(const vlm_graph *graph, vlm_value_id id, int64_t *channels) {
  const vlm_tensor *t = vlm_graph_constant(graph, id);
  if (t == NULL || t->dtype != VLM_F32 || t->rank != 1 || (*channels >= 0 && t->dims[0] != *channels))
    return NULL;
  *channels = t->dims[0];
  return t->data;
}

static bool read_norm(const vlm_graph *graph, const vlm_node *node, batch_norm *out) {
  const vlm_attr *epsilon = vlm_node_attr(node, "epsilon"), *training = vlm_node_attr(node, "training_mode");
  const vlm_attr *spatial = vlm_node_attr(node, "spatial"); /* opset 7 and 8: 0 = one entry per element */
  if (node->n_inputs < 5 || (training != NULL && training->u.i != 0) ||
      (spatial != NULL && spatial->u.i == 0))
    return false;
  for (int32_t k = 1; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE && vlm_pass_uses(graph, node->outputs[k]) > 0) return false;
  *out = (batch_norm){.channels = -1, .epsilon = epsilon != NULL ? epsilon->u.f : 1e-5f};
  out->scale = channel_constant(graph, node->inputs[1], &out->channels);
  out->bias = channel_constant(graph, node->inputs[2], &out->channels);
  out->mean = channel_constant(graph, node->inputs[3], &out->channels);
  out->var = channel_constant(graph, node->inputs[4], &out->channels);
  return out->scale != NULL && out->bias != NULL && out->mean != NULL && out->var != NULL;
}

/* Dimension of the output channel in the weight: 0 for Conv; 1 for ConvTranspose, where groups would interleave. */
static int channel_dim(const vlm_node *conv) {
  const vlm_attr *group = vlm_node_attr(conv, "group");
  if (vlm_node_is(conv, "Conv")) return 0;
  return vlm_node_is(conv, "ConvTranspose") && (group == NULL || group->u.i == 1) ? 1 : -1;
}

static float gain_of(const batch_norm *n, int64_t c) {
  return (float)(n->scale[c] / sqrt((double)n->var[c] + n->epsilon));
}

static void scale_weight(vlm_tensor *weight, int dim, const batch_norm *n) {
  int64_t outer = vlm_tensor_span(weight, 0, dim), inner = vlm_tensor_span(weight, dim + 1, weight->rank);
  float *w = weight->data;
  for (int64_t o = 0; o < outer; o++) {
    for (int64_t c = 0; c < n->channels; c++) {
      float gain = gain_of(n, c);
      for (int64_t i = 0; i < inner; i++) *w++ *= gain;
    }
  }
}

static void fill_bias(vlm_tensor *bias, const float *old, const batch_norm *n) {
  float *b = bias->data;
  for (int64_t c = 0; c < n->channels; c++)
    b[c] = fmaf((old != NULL ? old[c] : 0) - n->mean[c], gain_of(n, c), n->bias[c]);
}

/* A copy of `from` under the name BASESUFFIX, as far as that is free. */
static vlm_status copy_constant(vlm_graph *graph, const vlm_tensor *from, const char *base,
                                const char *suffix, vlm_value_id *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = NULL;
  VLM_TRY(vlm_graph_free_name(graph, &name, base, suffix, err));
  VLM_TRY(vlm_graph_add_constant(graph, out, name, from, true, err));
out:
  return st;
}

static vlm_status set_inputs(vlm_graph *graph, int32_t n, vlm_value_id weight, vlm_value_id bias,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  void *ids = NULL;
  VLM_TRY(vlm_arena_alloc(graph->arena, &ids, 3, sizeof(vlm_value_id), err));
  vlm_node *conv = &graph->nodes[n];
  memcpy(ids, (vlm_value_id[]){conv->inputs[0], weight, bias}, 3 * sizeof(vlm_value_id));
  conv->inputs = ids;
  conv->n_inputs = 3;
out:
  return st;
}

static vlm_status merge(vlm_graph *graph, int32_t conv, int32_t bn, const batch_norm *n, int dim,
                        const vlm_tensor *weight, const float *old_bias, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id w = VLM_NO_VALUE, b = VLM_NO_VALUE, y = graph->nodes[bn].outputs[0];
  const char *base = graph->values[y].name;
  vlm_tensor bias = vlm_tensor_make(VLM_F32, 1, &n->channels, NULL);
  VLM_TRY(copy_constant(graph, weight, base, ".weight", &w, err));
  VLM_TRY(copy_constant(graph, &bias, base, ".bias", &b, err));
  scale_weight(&graph->values[w].tensor, dim, n);
  fill_bias(&graph->values[b].tensor, old_bias, n);
  VLM_TRY(set_inputs(graph, conv, w, b, err));
  graph->nodes[bn].outputs[0] = VLM_NO_VALUE;
  graph->values[graph->nodes[conv].outputs[0]].producer = -1;
  vlm_node_set_output(graph, conv, 0, y);
out:
  return st;
}

static vlm_status try_merge(vlm_graph *graph, int32_t bn, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  batch_norm n;
  const vlm_node *node = &graph->nodes[bn];
  if (!vlm_node_is(node, "BatchNormalization") || node->outputs[0] == VLM_NO_VALUE ||
      !read_norm(graph, node, &n))
    return VLM_OK;
  int32_t conv = graph->values[node->inputs[0]].producer;
  if (conv < 0 || vlm_pass_uses(graph, node->inputs[0]) != 1) return VLM_OK;
  const vlm_node *c = &graph->nodes[conv];
  int dim = channel_dim(c);
  const vlm_tensor *weight = dim >= 0 ? vlm_graph_constant(graph, c->inputs[1]) : NULL;
  if (weight == NULL || weight->dtype != VLM_F32 || weight->rank <= dim || weight->dims[dim] != n.channels)
    return VLM_OK;
  const float *bias = NULL;
  if (c->n_inputs > 2 && c->inputs[2] != VLM_NO_VALUE) {
    int64_t channels = n.channels;
    bias = channel_constant(graph, c->inputs[2], &channels);
    if (bias == NULL) return VLM_OK;
  }
  VLM_TRY(merge(graph, conv, bn, &n, dim, weight, bias, err));
  ++*changes;
out:
  return st;
}

vlm_status vlm_pass_batch_norm(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0; n < graph->n_nodes; n++) VLM_TRY(try_merge(graph, n, changes, err));
out:
  return st;
}
