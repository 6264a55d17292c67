/* Channels last: graphs as text give the same bits as they are and lowered, and only the Transposes that a region's
 * ends need are left. */
#include "runtime/lower/lower.h"
#include "tests/exec/graph_program.h"

typedef struct {
  const char *what;
  int transposes;     /* left in the lowered graph */
  const char *inside; /* an operator of domain "vlm" that must be there; NULL = none */
  float tolerance;    /* 0: the same bits; sums over positions and axes have another order */
  const char *text;
} layout_case;

#define X "in x float32 2,3,9,11\nconst w float32 8,3,3,3 rand 1\nconst b float32 8 rand 2\n"
#define CONV "Conv x w b -> c pads=1,1,1,1\n"
#define NEXT "const v float32 5,8,1,1 rand 3\n"

/* A map and one of twice its size. */
#define PAIR                                                                                              \
  "in x float32 2,3,4,6\nin g float32 2,3,8,12\nconst w float32 8,3,3,3 rand 1\nconst e float32 8,8,1,1 " \
  "rand 2\n"                                                                                              \
  "Conv x w -> c pads=1,1,1,1\nConv g w -> d pads=1,1,1,1\n"
#define UP "const s float32 4 1 1 2 2\nResize c none s -> u mode=nearest\n"
#define BYTES "const p float32 - 0.05\nconst z uint8 - 120\n"
#define QUANTIZED(x) \
  "QuantizeLinear " x " p z -> q\nConv d e -> f\nDequantizeLinear q p z -> y\nout y\nout f\n"

static const layout_case CASES[] = {
    {"a convolution", 2, "Conv", 0, X CONV "out c\n"},
    {"its activation", 2, "Conv", 0, X CONV "Relu c -> y\nout y\n"},
    {"an activation that somebody else passes by", 2, "Conv", 0, X CONV "Relu c -> r\nAdd r c -> y\nout y\n"},
    {"two in a row", 2, "Conv", 0, X NEXT CONV "Relu c -> r\nConv r v -> y\nout y\n"},
    {"depthwise and stride", 2, "Conv", 0,
     X "const d float32 8,1,5,5 rand 4\n" CONV "Conv c d -> y group=8 strides=2,2 pads=2,2,2,2\nout y\n"},
    {"groups, dilated", 2, "Conv", 0,
     X "const d float32 4,2,3,3 rand 4\n" CONV "Conv c d -> y group=4 dilations=2,1\nout y\n"},
    {"a signal", 2, "Conv", 0,
     "in x float32 2,3,40\nconst w float32 6,3,5 rand 1\nConv x w -> c\nTanh c -> y\nout y\n"},
    {"a volume", 2, "Conv", 0,
     "in x float32 1,2,4,5,6\nconst w float32 3,2,2,2,2 rand 1\nConv x w -> c\nRelu c -> y\nout y\n"},
    {"a constant per channel", 2, "Conv", 0,
     X "const k float32 8,1,1 rand 5\n" CONV "Mul c k -> m\nSub k m -> y\nout y\n"},
    {"a constant per row", 2, "Conv", 0, X "const k float32 9,1 rand 5\n" CONV "Mul c k -> y\nout y\n"},
    {"a whole constant", 2, "Conv", 0, X "const k float32 1,8,9,11 rand 5\n" CONV "Add k c -> y\nout y\n"},
    {"a scalar and a bound", 2, "Conv", 0,
     X "const k float32 - rand 5\nconst z float32 - 0\nconst s float32 - 6\n" CONV
       "Mul c k -> m\nClip m z s -> y\nout y\n"},
    {"PRelu", 2, "Conv", 0, X "const k float32 8,1,1 rand 5\n" CONV "PRelu c k -> y\nout y\n"},
    {"an input that is added", 3, "Conv", 0, "in r float32 2,8,9,11\n" X CONV "Add c r -> y\nout y\n"},
    {"squeeze and excite", 2, "Conv", 1e-6f,
     X "const s float32 2,8,1,1 rand 6\nconst e float32 8,2,1,1 rand 7\n" CONV
       "GlobalAveragePool c -> p\nConv p s -> q\nRelu q -> q2\n"
       "Conv q2 e -> f\nHardSigmoid f -> g\nMul c g -> y\nout y\n"},
    {"mean by axes", 2, "Conv", 4e-6f,
     X "const a int64 2 2 3\n" CONV "ReduceMean c a -> m\nMul c m -> y\nout y\n"},
    {"side by side", 2, "Conv", 0,
     X CONV "Relu c -> r\nConcat c r -> j axis=1\nConcat j j -> y axis=-1\nout y\n"},
    {"apart", 2, "Conv", 0, X CONV "Split c -> p q axis=1 num_outputs=2\nMul p q -> y\nout y\n"},
    {"pools", 2, "MaxPool", 0, X CONV "MaxPool c -> m kernel_shape=3,2 strides=2,1 pads=1,0,1,1\nout m\n"},
    {"means of windows", 2, "AveragePool", 0,
     X CONV "AveragePool c -> m kernel_shape=3,3 strides=2,2 pads=1,1,1,1\nAveragePool m -> n "
            "kernel_shape=2,2 pads=1,0,0,1 "
            "count_include_pad=1\nout n\n"},
    {"larger", 2, "Conv", 0,
     X "const s float32 4 1 1 2 2\n" CONV "Resize c none s -> n mode=nearest\nRelu n -> y\nout y\n"},
    {"larger, smooth", 2, "Conv", 2e-6f,
     X "const s int64 4 2 8 20 17\n" CONV "Resize c none none s -> n mode=linear\nRelu n -> y\nout y\n"},
    {"padded", 2, "Conv", 0,
     X NEXT "const p int64 8 0 1 2 0 0 0 1 3\n" CONV "Pad c p -> q\nRelu q -> y\nout y\n"},
    {"transposed", 2, "ConvTranspose", 0,
     X "const t float32 8,5,3,3 rand 8\n" CONV "ConvTranspose c t -> u strides=2,2\nRelu u -> y\nout y\n"},
    {"transposed, apart", 2, "ConvTranspose", 0,
     X "const t float32 8,5,2,2 rand 8\nconst e float32 5 rand 9\n" CONV
       "ConvTranspose c t e -> u strides=2,2\nSigmoid u -> y\nout y\n"},
    {"blocks", 2, "DepthToSpace", 0, X CONV "DepthToSpace c -> y blocksize=2\nout y\n"},
    {"blocks by column", 2, "Conv", 0, X CONV "DepthToSpace c -> y blocksize=2 mode=CRD\nout y\n"},
    {"turned by the model", 1, "Conv", 0, X CONV "Transpose c -> t perm=0,2,3,1\nRelu t -> y\nout y\n"},
    {"turned another way", 2, "Conv", 0, X CONV "Transpose c -> y perm=3,1,0,2\nout y\n"},
    {"turned before", 1, "Conv", 0,
     "in n float32 2,9,11,3\nTranspose n -> x perm=0,3,1,2\nconst w float32 8,3,3,3 rand 1\nConv x w -> "
     "c\nout c\n"},
    {"flattened", 2, "Conv", 0, X CONV "Relu c -> r\nFlatten r -> y\nout y\n"},
    {"its shape", 2, "Conv", 0, X CONV "Shape c -> s\nReshape c s -> r\nRelu r -> y\nout y\n"},
    {"one value twice", 2, "Conv", 0, X NEXT CONV "Conv c v -> e\nConv c v -> f\nAdd e f -> y\nout y\n"},
    {"sums that are an output too", 3, "Conv", 0, X CONV "Relu c -> y\nout c\nout y\n"},
    {"a dense layer behind", 2, "Conv", 0, X "const m float32 11,4 rand 9\n" CONV "MatMul c m -> y\nout y\n"},
    {"upsampled and added", 3, "Join", 0, PAIR UP "Add u d -> y\nout y\n"},
    {"the other way round", 3, "Join", 0, PAIR UP "Add d u -> y\nout y\n"},
    {"both upsampled, one of them read twice", 4, "Join", 0,
     PAIR UP "Resize c none s -> v mode=nearest\nAdd u v -> y\nAdd v d -> z\nout y\nout z\n"},
    {"upsampled and added, one row for all", 3, "Join", 0,
     PAIR UP "const a int64 2 2 3\nReduceMax d a -> m\nConv m e -> f\nAdd u f -> y\nout y\n"},
    {"upsampled and added, one channel for all", 3, "Join", 0,
     PAIR UP "const o float32 1,8,1,1 rand 6\nConv d o -> f\nAdd u f -> y\nout y\n"},
    {"upsampled, side by side", 4, "Join", 0,
     PAIR UP "Concat u d -> j axis=1\nConcat d d -> k axis=1\nRelu k -> z\nout j\nout z\n"},
    {"rows upsampled only", 5, "Join", 0,
     PAIR "const s float32 4 1 1 3 1\nin q float32 2,3,12,6\nConv q w -> p pads=1,1,1,1\n"
          "Resize c none s -> u mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor\n"
          "Concat p u -> y axis=1\nRelu d -> z\nout y\nout z\n"},
    {"upsampled by a rule that moves", 3, "Conv", 0,
     PAIR "const s float32 4 1 1 2 2\nResize c none s -> u mode=nearest nearest_mode=floor\nAdd u d -> "
          "y\nout y\n"},
    {"bytes of a sum", 4, "Join", 0, PAIR UP BYTES "Add u d -> a\n" QUANTIZED("a")},
    {"bytes of what is side by side", 4, "Join", 0, PAIR UP BYTES "Concat d u -> a axis=1\n" QUANTIZED("a")},
    {"bytes of a sum of equals", 5, "Join", 0,
     PAIR BYTES "Add d d -> a\nRelu c -> r\nout r\n" QUANTIZED("a")},
    {"bytes and floats of a sum", 5, "Join", 0, PAIR UP BYTES "Add u d -> a\nout a\n" QUANTIZED("a")},
    {"nothing to do", 0, NULL, 0, "in x float32 2,3,9,11\nRelu x -> r\nTanh r -> y\nout y\n"},
};

static int count(const vlm_graph *g, const char *domain, const char *op) {
  int n = 0;
  for (int32_t i = 0; i < g->n_nodes; i++)
    n += !strcmp(g->nodes[i].op_type, op) && !strcmp(g->nodes[i].domain, domain);
  return n;
}

/* All outputs one behind the other. */
static int64_t run_all(const vlm_graph *g, int threads, float *out) {
  vlm_context *context;
  vlm_session *session;
  vlm_tensor in[4];
  static float noise[4][1 << 12];
  int64_t total = 0;
  for (int32_t i = 0; i < g->n_inputs; i++) {
    in[i] = g->values[g->inputs[i]].tensor;
    in[i].data = noise[i];
    for (int k = 0; k < 1 << 12; k++) noise[i][k] = sinf((float)(k * (i + 2)) * 0.37f) * 2;
  }
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = threads}, &error));
  FINE(vlm_session_create(&session, context, g, NULL, &error));
  FINE(vlm_session_run(session, in, g->n_inputs, &error));
  for (int32_t i = 0; i < g->n_outputs; i++) {
    const vlm_tensor *y = vlm_session_output(session, i);
    memcpy(out + total, y->data, (size_t)vlm_tensor_count(y) * sizeof *out);
    total += vlm_tensor_count(y);
  }
  vlm_session_free(session);
  vlm_context_free(context);
  return total;
}

static void regions_run_channels_last(void **state) {
  static float before[1 << 14], after[1 << 14];
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    const layout_case *k = &CASES[i];
    for (int threads = 1; threads <= 2; threads++) {
      vlm_graph *g = graph_of(k->text);
      int64_t n = run_all(g, threads, before);
      FINE(vlm_graph_lower(g, NULL, &error));
      if (run_all(g, threads, after) != n) fail_msg("%s: another number of outputs", k->what);
      for (int64_t v = 0; v < n; v++)
        if (!(fabsf(after[v] - before[v]) <= k->tolerance))
          fail_msg("%s: output %lld is %.9g, was %.9g", k->what, (long long)v, (double)after[v],
                   (double)before[v]);
      if (count(g, "", "Transpose") != k->transposes)
        fail_msg("%s: %d Transposes, wanted %d", k->what, count(g, "", "Transpose"), k->transposes);
      if (k->inside && !count(g, "vlm", k->inside)) fail_msg("%s: no vlm.%s", k->what, k->inside);
      vlm_graph_free(g);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(regions_run_channels_last)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
