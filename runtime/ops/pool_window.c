#include "runtime/ops/pool_window.h"

#include <string.h>

/* Reads one value per spatial dim into the last `space` of three entries. */
static vlm_status read_dims(vlm_op_call *c, int k, int space, int64_t fallback, int64_t *out) {
  vlm_status st = VLM_OK;
  const vlm_attr *a = vlm_arg(c, k);
  for (int i = 0; i < VLM_POOL_SPACE; i++) out[i] = 1;
  bool given = a->kind == VLM_ATTR_INTS && a->count > 0;
  VLM_CHECK(!given || a->count == space, c->err, VLM_INPUT, "%s has %d entries, wanted %d", a->name, a->count,
            space);
  for (int i = 0; i < space; i++) {
    int64_t v = given ? a->u.ints[i] : fallback;
    VLM_CHECK(v > 0 && v < (INT64_C(1) << 31), c->err, VLM_INPUT, "%s is %lld", a->name, (long long)v);
    out[VLM_POOL_SPACE - space + i] = v;
  }
out:
  return st;
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Output size and pads of one dim. */
static void size_dim(vlm_op_call *c, vlm_pool_window *w, int d, const char *auto_pad) {
  int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1, s = w->stride[d];
  if (strncmp(auto_pad, "SAME", 4) == 0) {
    w->out[d] = ceil_div(w->in[d], s);
    int64_t total = (w->out[d] - 1) * s + span - w->in[d];
    total = total > 0 ? total : 0;
    w->before[d] = strcmp(auto_pad, "SAME_LOWER") == 0 ? total - total / 2 : total / 2;
    w->after[d] = total - w->before[d];
    return;
  }
  int64_t room = w->in[d] + w->before[d] + w->after[d] - span;
  if (room < 0) {
    w->out[d] = 0;
    return;
  }
  w->out[d] = (vlm_arg_int(c, VLM_POOL_CEIL, 0) ? ceil_div(room, s) : room / s) + 1;
  /* A window must not start in the padding behind the input. */
  if (vlm_arg_int(c, VLM_POOL_CEIL, 0) && (w->out[d] - 1) * s >= w->in[d] + w->before[d]) w->out[d]--;
}

vlm_status vlm_pool_window_read(vlm_op_call *c, vlm_pool_window *w) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  const vlm_attr *pads = vlm_arg(c, VLM_POOL_PADS);
  const char *auto_pad = vlm_arg_string(c, VLM_POOL_AUTO_PAD, "NOTSET");
  int space = x->rank - 2, lead = VLM_POOL_SPACE - space;
  VLM_CHECK(space >= 1 && space <= VLM_POOL_SPACE, c->err, VLM_UNSUPPORTED,
            "%s of %d dims is not supported, wanted 3 to 5", c->node->op_type, x->rank);
  memset(w, 0, sizeof *w);
  VLM_TRY(read_dims(c, VLM_POOL_KERNEL, space, 1, w->kernel));
  VLM_TRY(read_dims(c, VLM_POOL_STRIDES, space, 1, w->stride));
  VLM_TRY(read_dims(c, VLM_POOL_DILATIONS, space, 1, w->dilation));
  bool padded = pads->kind == VLM_ATTR_INTS && pads->count > 0 && strcmp(auto_pad, "NOTSET") == 0;
  VLM_CHECK(!padded || pads->count == 2 * space, c->err, VLM_INPUT, "pads has %d entries, wanted %d",
            pads->count, 2 * space);
  w->planes = x->dims[0] * x->dims[1];
  for (int d = 0; d < VLM_POOL_SPACE; d++) {
    w->in[d] = d < lead ? 1 : x->dims[2 + d - lead];
    if (padded && d >= lead) {
      w->before[d] = pads->u.ints[d - lead];
      w->after[d] = pads->u.ints[d - lead + space];
      VLM_CHECK(w->before[d] >= 0 && w->after[d] >= 0 && w->before[d] < (1 << 30) && w->after[d] < (1 << 30),
                c->err, VLM_INPUT, "pads are %lld and %lld", (long long)w->before[d], (long long)w->after[d]);
    }
    size_dim(c, w, d, auto_pad);
  }
out:
  return st;
}

void vlm_pool_taps(const vlm_pool_window *w, int d, int64_t at, int64_t *from, int64_t *to) {
  int64_t start = at * w->stride[d] - w->before[d], step = w->dilation[d];
  int64_t low = start < 0 ? ceil_div(-start, step) : 0,
          high = w->in[d] > start ? ceil_div(w->in[d] - start, step) : 0;
  *to = high < w->kernel[d] ? high : w->kernel[d];
  *from = low < *to ? low : *to;
}

static int64_t padded_taps(const vlm_pool_window *w, int d, int64_t at) {
  int64_t start = at * w->stride[d] - w->before[d], room = w->in[d] + w->after[d] - start;
  int64_t n = (room + w->dilation[d] - 1) / w->dilation[d];
  return n < w->kernel[d] ? n : w->kernel[d];
}

int64_t vlm_pool_count(const vlm_pool_window *w, bool include_pad, int d, int64_t at) {
  int64_t from, to;
  if (include_pad) return padded_taps(w, d, at);
  vlm_pool_taps(w, d, at, &from, &to);
  return to - from;
}
