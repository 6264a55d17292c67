/* Private to the pass "sequences": what is known about a sequence, and the pieces that its files give one another.
 *
 * A sequence is followed as a list of values of the graph. The walk visits the nodes of a graph in order, a body right before the node that
 * holds it; each operator of sequences becomes a plain operator in place, or is left behind without readers. */
#ifndef VLM_ONNX_SEQUENCE_H
#define VLM_ONNX_SEQUENCE_H

#include "onnx/pass.h"

/* A tensor of a graph that is the one in hand or encloses it. */
typedef struct vlm_seq_item {
  vlm_graph *owner;
  vlm_value_id id;
} vlm_seq_item;

typedef struct vlm_sequence {
  vlm_seq_item *items;
  int32_t count;   /* -1 = not known */
  const char *why; /* count -1: the reason, with the node */
  vlm_dtype dtype; /* NONE = not known */
  /* Even pieces of `source` along `axis`, with that axis when `keepdims`: any can be had without the others. owner NULL = another kind. */
  vlm_seq_item source;
  int64_t axis, size;
  bool keepdims;
} vlm_sequence;

typedef struct vlm_seq_walk {
  vlm_arena *arena; /* of the lists; gone after the pass */
  const vlm_clean_opts *opts;
  int64_t listed;     /* tensors in all lists, against lists that grow with the square of the file */
  bool new_constants; /* some length became a constant: nodes behind it may fold */
  int32_t *changes;
  vlm_error *err;
} vlm_seq_walk;

typedef struct vlm_seq_scope vlm_seq_scope;
struct vlm_seq_scope {
  vlm_seq_walk *walk;
  vlm_graph *graph;
  vlm_seq_scope *outer;
  vlm_sequence **of; /* by value id; NULL = a tensor */
  int32_t n_of;      /* values made by the pass are behind these; they are tensors */
};

/* Rewrites node n. `in` is the sequence at input 0, NULL when the operator takes none; *out the sequence it makes, if it does. */
typedef vlm_status vlm_seq_rule(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out);
vlm_seq_rule vlm_seq_empty, vlm_seq_construct, vlm_seq_insert, vlm_seq_erase, vlm_seq_at, vlm_seq_length,
    vlm_seq_concat;         /* sequence_rules.c */
vlm_seq_rule vlm_seq_split; /* sequence_split.c */

/* ---- sequence_list.c ---- */
/* The sequence that a value is, through captures; NULL when it is a tensor. */
vlm_sequence *vlm_seq_find(const vlm_seq_scope *scope, vlm_value_id id);
/* A list with room for `count` items; VLM_LIMIT when all lists together are too long. */
vlm_status vlm_seq_list(vlm_seq_walk *walk, int64_t count, vlm_sequence **out);
/* VLM_UNSUPPORTED when the items are not known. */
vlm_status vlm_seq_known(vlm_seq_scope *scope, const vlm_sequence *in);
/* The id of an item in the graph of this scope. */
vlm_status vlm_seq_use(vlm_seq_scope *scope, const vlm_seq_item *item, vlm_value_id *out);
/* Declared type and shape of a value, through captures. */
const vlm_tensor *vlm_seq_type(const vlm_graph *graph, vlm_value_id id);
/* A new node with one input, the attribute `name` (ints with one entry when it is "axes") and one output: value `label`, made up if taken. */
vlm_status vlm_seq_add(vlm_seq_scope *scope, const char *label, const char *op, vlm_value_id in, int64_t axis,
                       vlm_value_id *out);
/* Turns node n into `op` (opset 11 or later) with one attribute: as vlm_seq_add; NULL = none. */
vlm_status vlm_seq_become(vlm_seq_scope *scope, int32_t n, const char *op, const vlm_value_id *in,
                          int32_t n_in, const char *attr, int64_t axis);
/* Name of output 0 of a node, for values that are made from it. */
const char *vlm_seq_label(const vlm_seq_scope *scope, int32_t n);

/* ---- sequence_if.c ---- */
/* Sequences that the branches of an If return become as many tensors. `bodies` are the scopes of the node's attributes, NULL where an
 * attribute is no graph. Any other operator whose bodies return a sequence is refused. */
vlm_status vlm_seq_bodies(vlm_seq_scope *scope, int32_t n, vlm_seq_scope *const *bodies);

#endif
