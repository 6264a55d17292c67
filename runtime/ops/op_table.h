/* Declares the functions of every row of the operator table. Included by each file that defines some. */
#ifndef VLM_OPS_OP_TABLE_H
#define VLM_OPS_OP_TABLE_H

#include "runtime/ops/op.h"

#define VLM_OP_ROW(domain, name, since, until, min_in, max_in, min_out, max_out, attrs, types, flags, infer, \
                   prepare, run)                                                                             \
  vlm_op_infer vlm_infer_##infer;                                                                            \
  vlm_op_prepare vlm_prepare_##prepare;                                                                      \
  vlm_op_run vlm_run_##run;
#include "runtime/ops/ops.def"
#undef VLM_OP_ROW

/* Shared by many rows. */
vlm_op_prepare
    vlm_prepare_nothing; /* there is nothing to decide: no attribute, no work space, no value that run could want in another form */
vlm_op_infer vlm_infer_like;      /* output 0 has the type and shape of input 0 */
vlm_op_infer vlm_infer_broadcast; /* output 0 has the type of input 0 and the broadcast shape of all inputs */
vlm_op_run vlm_run_copy;          /* output 0 is the bytes of input 0 (ALIAS rows, Identity) */

#endif
