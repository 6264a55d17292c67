/* Operators that are one strided copy of input 0 to output 0 (Transpose, Slice, Expand, Tile, …): the copy is planned in prepare. */
#ifndef VLM_OPS_BOX_H
#define VLM_OPS_BOX_H

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op.h"

/* The tensor with whole-byte elements, as the copy sees it (types of 2 and 4 bits as uint8); without data. */
vlm_tensor vlm_whole(const vlm_tensor *t);

/* Prepares the run function `box`: elements of vlm_whole(in[0]) from byte `from` on go to vlm_whole(out[0]) from byte `to` on; `zeroed`: what is
 * not written is 0. */
vlm_status vlm_box_prepare(vlm_op_call *c, const vlm_nd *nd, int64_t to, int64_t from, bool zeroed);

#endif
