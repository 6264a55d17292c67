#include "runtime/ops/conv_attrs.h"

#include <string.h>

enum { MAX_VALUE = 1 << 30 };

/* A list attribute with one value, at least `low`, per spatial dim; absent gives `fallback`. */
typedef struct {
  int attr;
  const char *name;
  int64_t low, fallback;
} conv_list;

/* Its values, moved behind leading ones. */
static vlm_status read_list(vlm_op_call *c, const conv_list *list, int rank, int64_t out[3]) {
  const vlm_attr *a = vlm_arg(c, list->attr);
  const char *name = list->name;
  int64_t low = list->low;
  for (int i = 0; i < 3; i++) out[i] = list->fallback;
  if (a->kind != VLM_ATTR_INTS || a->count == 0) return VLM_OK;
  if (a->count != rank)
    return vlm_fail(c->err, VLM_INPUT, "%s has %d values; wanted %d", name, a->count, rank);
  for (int i = 0; i < rank; i++) {
    if (a->u.ints[i] < low || a->u.ints[i] > MAX_VALUE)
      return vlm_fail(c->err, VLM_INPUT, "%s[%d] is %lld; wanted %lld to %d", name, i,
                      (long long)a->u.ints[i], (long long)low, MAX_VALUE);
    out[3 - rank + i] = a->u.ints[i];
  }
  return VLM_OK;
}

static vlm_status read_pads(vlm_op_call *c, int rank, int64_t before[3], int64_t after[3]) {
  const vlm_attr *a = vlm_arg(c, VLM_CONV_PADS);
  for (int i = 0; i < 3; i++) before[i] = after[i] = 0;
  if (a->kind != VLM_ATTR_INTS || a->count == 0) return VLM_OK;
  if (a->count != 2 * rank)
    return vlm_fail(c->err, VLM_INPUT, "pads has %d values; wanted %d", a->count, 2 * rank);
  for (int i = 0; i < 2 * rank; i++)
    if (a->u.ints[i] < 0 || a->u.ints[i] > MAX_VALUE)
      return vlm_fail(c->err, VLM_INPUT, "pads[%d] is %lld; wanted 0 to %d", i, (long long)a->u.ints[i],
                      MAX_VALUE);
  for (int i = 0; i < rank; i++) {
    before[3 - rank + i] = a->u.ints[i];
    after[3 - rank + i] = a->u.ints[rank + i];
  }
  return VLM_OK;
}

/* Everything but output sizes and pads. Channels of w: dim 0 and dim 1, whichever belongs to the input. */
static vlm_status read_common(vlm_op_call *c, const vlm_tensor *x, const vlm_tensor *w, vlm_conv_shape *s) {
  vlm_status st = VLM_OK;
  char left[128], right[128];
  int rank = x->rank - 2;
  bool transposed = s->transposed;
  VLM_CHECK(rank >= 1 && rank <= 3 && w->rank == x->rank, c->err, rank > 3 ? VLM_UNSUPPORTED : VLM_INPUT,
            "convolution of %s with %s; wanted 1 to 3 spatial dims",
            vlm_tensor_shape_text(x, left, sizeof left), vlm_tensor_shape_text(w, right, sizeof right));
  s->groups = vlm_arg_int(c, VLM_CONV_GROUP, 1);
  VLM_CHECK(s->groups >= 1 && s->groups <= MAX_VALUE, c->err, VLM_INPUT, "group is %lld; wanted at least 1",
            (long long)s->groups);
  s->batch = x->dims[0];
  s->channels = x->dims[1];
  s->out_channels = transposed ? w->dims[1] * s->groups : w->dims[0];
  int64_t wanted = transposed ? w->dims[0] : w->dims[1] * s->groups;
  VLM_CHECK(s->channels == wanted, c->err, VLM_INPUT,
            "input %s has %lld channels; weights %s with group %lld take %lld",
            vlm_tensor_shape_text(x, left, sizeof left), (long long)s->channels,
            vlm_tensor_shape_text(w, right, sizeof right), (long long)s->groups, (long long)wanted);
  VLM_CHECK(s->channels % s->groups == 0 && s->out_channels % s->groups == 0, c->err, VLM_INPUT,
            "%lld input and %lld output channels do not split into %lld groups", (long long)s->channels,
            (long long)s->out_channels, (long long)s->groups);
  VLM_TRY(read_list(c, &(conv_list){VLM_CONV_DILATIONS, "dilations", 1, 1}, rank, s->dilation));
  VLM_TRY(read_list(c, &(conv_list){VLM_CONV_STRIDES, "strides", 1, 1}, rank, s->stride));
  VLM_TRY(read_list(c, &(conv_list){VLM_CONV_KERNEL, "kernel_shape", 0, -1}, rank, s->kernel));
  for (int i = 0; i < 3; i++) {
    int at = i - (3 - rank) + 2;
    int64_t size = at >= 2 ? w->dims[at] : 1;
    s->in[i] = at >= 2 ? x->dims[at] : 1;
    VLM_CHECK(at < 2 || s->kernel[i] < 0 || s->kernel[i] == size, c->err, VLM_INPUT,
              "kernel_shape says %lld, the weights are %s", (long long)s->kernel[i],
              vlm_tensor_shape_text(w, right, sizeof right));
    VLM_CHECK(size >= 1 && size <= MAX_VALUE && s->in[i] <= MAX_VALUE, c->err, VLM_INPUT,
              "kernel size %lld over an input of %lld", (long long)size, (long long)s->in[i]);
    s->kernel[i] = size;
  }
out:
  return st;
}

static const char *auto_pad(const vlm_op_call *c) {
  const char *mode = vlm_arg_string(c, VLM_CONV_AUTO_PAD, "NOTSET");
  return mode[0] ? mode : "NOTSET";
}

vlm_status vlm_conv_read(vlm_op_call *c, const vlm_tensor *x, const vlm_tensor *w, vlm_conv_shape *s) {
  vlm_status st = VLM_OK;
  int64_t after[3];
  const char *mode = auto_pad(c);
  bool same = strncmp(mode, "SAME_", 5) == 0;
  *s = (vlm_conv_shape){.transposed = false};
  VLM_TRY(read_common(c, x, w, s));
  VLM_TRY(read_pads(c, x->rank - 2, s->pad, after));
  VLM_CHECK(same || strcmp(mode, "NOTSET") == 0 || strcmp(mode, "VALID") == 0, c->err, VLM_INPUT,
            "auto_pad \"%s\"; wanted NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode);
  for (int i = 0; i < 3; i++) {
    int64_t extent = s->dilation[i] * (s->kernel[i] - 1) + 1;
    if (strcmp(mode, "VALID") == 0) s->pad[i] = after[i] = 0;
    if (same) {
      int64_t out = (s->in[i] + s->stride[i] - 1) / s->stride[i],
              total = (out - 1) * s->stride[i] + extent - s->in[i];
      if (total < 0) total = 0;
      s->pad[i] = strcmp(mode, "SAME_LOWER") == 0 ? (total + 1) / 2 : total / 2;
      after[i] = total - s->pad[i];
    }
    int64_t room = s->in[i] + s->pad[i] + after[i] - extent;
    VLM_CHECK(room >= 0, c->err, VLM_INPUT, "kernel of extent %lld over a padded input of %lld",
              (long long)extent, (long long)(room + extent));
    s->out[i] = room / s->stride[i] + 1;
  }
out:
  return st;
}

/* Pads and size of one axis of a transposed convolution; `wanted` -1 = not given. */
static vlm_status transpose_axis(vlm_op_call *c, vlm_conv_shape *s, int i, int64_t after, int64_t extra,
                                 int64_t wanted) {
  vlm_status st = VLM_OK;
  const char *mode = auto_pad(c);
  bool same = strncmp(mode, "SAME_", 5) == 0;
  int64_t full = s->stride[i] * (s->in[i] - 1) + extra + s->dilation[i] * (s->kernel[i] - 1) + 1;
  if (s->in[i] == 0) full = 0;
  if (same && wanted < 0) wanted = s->in[i] * s->stride[i];
  if (wanted >= 0) {
    int64_t total = full > wanted ? full - wanted : 0;
    s->pad[i] = strcmp(mode, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
    s->out[i] = wanted;
  } else {
    if (strcmp(mode, "VALID") == 0) s->pad[i] = after = 0;
    s->out[i] = full - s->pad[i] - after;
  }
  VLM_CHECK(s->out[i] >= 0 && s->out[i] <= MAX_VALUE, c->err, VLM_INPUT,
            "output size %lld along spatial axis %d", (long long)s->out[i], i);
out:
  return st;
}

vlm_status vlm_conv_transpose_read(vlm_op_call *c, const vlm_tensor *x, const vlm_tensor *w,
                                   vlm_conv_shape *s) {
  vlm_status st = VLM_OK;
  int64_t after[3], extra[3], wanted[3];
  int rank = x->rank - 2;
  *s = (vlm_conv_shape){.transposed = true};
  VLM_TRY(read_common(c, x, w, s));
  VLM_TRY(read_pads(c, rank, s->pad, after));
  VLM_TRY(read_list(c, &(conv_list){VLM_CONV_MORE, "output_padding", 0, 0}, rank, extra));
  const vlm_attr *shape = vlm_arg(c, VLM_CONV_MORE + 1);
  for (int i = 0; i < 3; i++) wanted[i] = -1;
  /* Old models give the batch and the channels too. */
  bool whole = shape->kind == VLM_ATTR_INTS && shape->count == rank + 2;
  if (whole)
    for (int i = 0; i < rank; i++) wanted[3 - rank + i] = shape->u.ints[2 + i];
  else VLM_TRY(read_list(c, &(conv_list){VLM_CONV_MORE + 1, "output_shape", 0, -1}, rank, wanted));
  for (int i = 0; i < 3; i++)
    VLM_TRY(transpose_axis(c, s, i, after[i], extra[i], i < 3 - rank ? 1 : wanted[i]));
out:
  return st;
}

void vlm_conv_out_shape(vlm_op_call *c, vlm_dtype dtype, const vlm_tensor *x, const vlm_conv_shape *s) {
  int64_t dims[VLM_MAX_RANK] = {s->batch, s->out_channels};
  for (int i = 2; i < x->rank; i++) dims[i] = s->out[3 - x->rank + i];
  vlm_out_shape(c, 0, dtype, x->rank, dims);
}

vlm_tensor vlm_channels_first(const vlm_tensor *x) {
  vlm_tensor view = *x;
  if (x->rank < 3) return view;
  view.dims[1] = x->dims[x->rank - 1];
  for (int i = 2; i < x->rank; i++) view.dims[i] = x->dims[i - 1];
  return view;
}

void vlm_conv_out_shape_last(vlm_op_call *c, vlm_dtype dtype, const vlm_tensor *x, const vlm_conv_shape *s) {
  int64_t dims[VLM_MAX_RANK] = {s->batch};
  for (int i = 2; i < x->rank; i++) dims[i - 1] = s->out[3 - x->rank + i];
  dims[x->rank - 1] = s->out_channels;
  vlm_out_shape(c, 0, dtype, x->rank, dims);
}
