/* Private to the legalizer: its rules, and what they share. */
#ifndef VLM_EXPORT_LEGALIZE_PRIVATE_H
#define VLM_EXPORT_LEGALIZE_PRIVATE_H

#include "export/exporter.h"

/* A node that is to be one of `opset`. */
typedef struct vlm_legalizer {
  vlm_exporter x; /* for its parts: arena and err */
  vlm_graph *graph;
  int32_t node, opset;
} vlm_legalizer;

typedef vlm_status vlm_legal_rule(vlm_legalizer *l);
#define X(domain, op, since, below, function) vlm_legal_rule vlm_legal_##function;
#include "export/legalize.def"
#undef X

static inline vlm_node *vlm_legal_node(const vlm_legalizer *l) { return &l->graph->nodes[l->node]; }
vlm_status vlm_legal_fail(const vlm_legalizer *l, const char *why);
void vlm_legal_drop(vlm_node *node, const char *attr);
vlm_status vlm_legal_set_input(vlm_legalizer *l, int32_t k, vlm_value_id id);
/* A constant of these numbers becomes input k. */
vlm_status vlm_legal_ints_input(vlm_legalizer *l, int32_t k, const char *suffix, const int64_t *ints,
                                int32_t count);
vlm_status vlm_legal_scalar_input(vlm_legalizer *l, int32_t k, const char *suffix, double value);
/* A step of an expression: *out VLM_NO_VALUE = a new value. */
vlm_status vlm_legal_step(vlm_legalizer *l, vlm_value_id *out, const char *op_type,
                          const vlm_value_id *inputs, int32_t n_inputs, const vlm_attr *attrs,
                          int32_t n_attrs);
vlm_status vlm_legal_number(vlm_legalizer *l, vlm_value_id *out, double value);
/* Takes the output from the node, which goes. */
vlm_value_id vlm_legal_replace(vlm_legalizer *l);

#endif
