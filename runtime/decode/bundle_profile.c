#include "runtime/decode/bundle_profile.h"

#include <string.h>

#include "runtime/bundle/binding.h"
#include "runtime/bundle/bundle_texts.h"

enum { PROMPT_TOKENS = 12, PAST_TOKENS = 20 };

typedef struct {
  vlm_bundle_profile *out;
  const vlm_bundle *bundle;
  vlm_context *context;
  bool channels_last;
  vlm_decoder_facts facts;
  int64_t hidden;       /* width of the embeddings; 0 = not known yet */
  vlm_tensor features;  /* output of vision; rank 0 = none */
  vlm_tensor states;    /* output of the encoder; rank 0 = none */
  int64_t tokens, past; /* of the graph at hand */
  bool first;           /* the graph at hand is decoder_first */
  vlm_arena *arena;     /* data of the inputs of the graph at hand */
} profile_walk;

/* ---- shapes of one graph's inputs ---- */

static void set_shape(vlm_tensor *t, vlm_dtype dtype, int rank, const int64_t *dims) {
  *t = vlm_tensor_make(dtype, rank, dims, NULL);
}

static void pixel_shape(const profile_walk *w, const vlm_tensor *declared, vlm_tensor *t) {
  int64_t h = w->out->image_height, b = w->out->image_width;
  const int64_t tiles[2][5] = {{1, 1, 3, h, b}, {1, 1, h, b, 3}};
  bool tiled = declared->rank == 5;
  set_shape(t, VLM_F32, tiled ? 5 : 4, tiles[w->channels_last] + (tiled ? 0 : 1));
}

/* The cache as decoder_first leaves it: heads and sizes are those of its outputs, cross-attention entries keep their length. */
static vlm_status past_shape(const profile_walk *w, const char *name, const vlm_tensor *declared,
                             vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *first = w->bundle->graphs[VLM_ROLE_DECODER_FIRST];
  const vlm_role_profile *made = &w->out->roles[VLM_ROLE_DECODER_FIRST];
  const char *suffix = vlm_cache_suffix(name);
  VLM_CHECK(suffix, err, VLM_UNSUPPORTED, "cache input \"%s\": wanted past_key_values.N.…", name);
  if (w->first) { /* an empty cache */
    *t = *declared;
    VLM_CHECK(t->rank == 4, err, VLM_UNSUPPORTED, "cache input \"%s\" has %d dims, wanted 4", name, t->rank);
    t->dims[2] = 0;
    if (t->dims[1] < 0) t->dims[1] = w->facts.kv_heads;
    if (t->dims[3] < 0) t->dims[3] = w->facts.head_size;
    goto out;
  }
  VLM_CHECK(made->made, err, VLM_INPUT, "needs the shapes of decoder_first");
  for (int32_t i = 0; i < first->n_outputs; i++) {
    const char *s = vlm_cache_suffix(first->values[first->outputs[i]].name);
    if (!s || strcmp(s, suffix)) continue;
    *t = made->profile.outputs[i];
    bool cross = strstr(suffix, "encoder") != NULL;
    if (t->rank == 4 && !cross) t->dims[2] = w->past;
    goto out;
  }
  st = vlm_fail(err, VLM_INPUT, "%s: has no output present.%s for the cache of the step graph", first->source,
                suffix);
out:
  return st;
}

/* What the input means decides its shape; dims that the graph states win, all others are 1. */
static vlm_status input_shape(const profile_walk *w, const vlm_value *v, vlm_binding_kind kind, vlm_tensor *t,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *d = &v->tensor;
  int64_t e = w->out->context_tokens, h = w->out->image_height, b = w->out->image_width,
          total = w->past + w->tokens;
  *t = *d;
  switch (kind) {
    case VLM_BIND_PIXELS: pixel_shape(w, d, t); break;
    case VLM_BIND_PIXEL_MASK:
      set_shape(t, VLM_BOOL, d->rank == 4 ? 4 : 3,
                (int64_t[]){1, d->rank == 4 ? 1 : h, d->rank == 4 ? h : b, b});
      break;
    case VLM_BIND_IDS:
    case VLM_BIND_POSITIONS: set_shape(t, VLM_S64, 2, (int64_t[]){1, w->tokens}); break;
    case VLM_BIND_EMBEDS:
      VLM_CHECK(w->hidden, err, VLM_INPUT, "needs the shapes of the embeddings");
      set_shape(t, VLM_F32, 3, (int64_t[]){1, w->tokens, w->hidden});
      break;
    case VLM_BIND_MASK: set_shape(t, VLM_S64, 2, (int64_t[]){1, total}); break;
    case VLM_BIND_ENCODER_MASK: set_shape(t, VLM_S64, 2, (int64_t[]){1, e}); break;
    case VLM_BIND_ENCODER_STATES:
      VLM_CHECK(w->states.rank, err, VLM_INPUT, "needs the shapes of the encoder");
      *t = w->states;
      break;
    case VLM_BIND_IMAGE_FEATURES:
      VLM_CHECK(w->features.rank, err, VLM_INPUT, "needs the shapes of vision");
      *t = w->features;
      break;
    case VLM_BIND_USE_CACHE: set_shape(t, VLM_BOOL, 1, (int64_t[]){1}); break;
    case VLM_BIND_PAST: VLM_TRY(past_shape(w, v->name, d, t, err)); break;
    default: VLM_CHECK(d->rank >= 0, err, VLM_INPUT, "input \"%s\" has no stated shape", v->name);
  }
  if (d->dtype != VLM_NONE) t->dtype = d->dtype;
  for (int k = 0; k < t->rank; k++) {
    if (d->rank == t->rank && d->dims[k] >= 0 && kind != VLM_BIND_PAST) t->dims[k] = d->dims[k];
    if (t->dims[k] < 0) t->dims[k] = 1;
    VLM_CHECK(t->dims[k] || kind != VLM_BIND_PIXELS, err, VLM_INPUT,
              "the image size is not fixed, neither by the preprocessing nor by the graph");
  }
out:
  return st;
}

vlm_status vlm_profile_input_data(vlm_tensor *t, const char *name, int64_t past, vlm_arena *arena,
                                  vlm_error *err) {
  vlm_binding_kind kind = vlm_binding_parse(name);
  bool mask = kind == VLM_BIND_MASK || kind == VLM_BIND_ENCODER_MASK || kind == VLM_BIND_PIXEL_MASK ||
              kind == VLM_BIND_NUM_LOGITS;
  size_t bytes;
  if (!mask && kind != VLM_BIND_POSITIONS && kind != VLM_BIND_USE_CACHE) return VLM_OK;
  vlm_status st = vlm_tensor_bytes_checked(&bytes, t, err);
  if (st == VLM_OK) st = vlm_arena_alloc(arena, &t->data, bytes + 1, 1, err);
  for (int64_t i = 0; st == VLM_OK && i < vlm_tensor_count(t); i++)
    vlm_tensor_set(t, i, mask ? 1 : kind == VLM_BIND_USE_CACHE ? past > 0 : (double)(past + i));
  return st;
}

static vlm_status profile_graph(profile_walk *w, const vlm_graph *g, vlm_profile *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor *inputs = NULL;
  VLM_TRY(vlm_arena_create(&w->arena, err));
  VLM_TRY(vlm_new(&inputs, g->n_inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++) {
    const vlm_value *v = &g->values[g->inputs[i]];
    VLM_TRY(input_shape(w, v, vlm_binding_parse(v->name), &inputs[i], err));
    VLM_TRY(vlm_profile_input_data(&inputs[i], v->name, w->past, w->arena, err));
  }
  VLM_TRY(vlm_graph_profile(out, w->context, g, inputs, err));
out:
  vlm_free(inputs);
  vlm_arena_free(w->arena);
  w->arena = NULL;
  return st;
}

/* ---- the pipeline, graph by graph ---- */

/* Tokens in and before each graph, from what the earlier ones gave. */
static void set_tokens(profile_walk *w, vlm_role role) {
  const vlm_bundle_profile *o = w->out;
  bool reads_all = w->bundle->family == VLM_FAMILY_DECODER_ONLY; /* image and prompt go through the decoder */
  int64_t before = o->image_tokens + o->prompt_tokens;
  w->past = 0;
  w->first = role == VLM_ROLE_DECODER_FIRST;
  switch (role) {
    case VLM_ROLE_EMBED: w->tokens = reads_all ? before : o->prompt_tokens; break;
    case VLM_ROLE_ENCODER: w->tokens = before; break;
    case VLM_ROLE_DECODER_FIRST: w->tokens = reads_all ? before : 1; break;
    default:
      w->tokens = 1;
      w->past = role == VLM_ROLE_DECODER_STEP ? o->past_tokens + (reads_all ? before : 0) : 0;
  }
}

/* The output by its usual name, else the first. */
static void take_outputs(profile_walk *w, vlm_role role) {
  static const char *const NAMES[VLM_ROLE_COUNT] = {[VLM_ROLE_VISION] = "image_features",
                                                    [VLM_ROLE_EMBED] = "inputs_embeds",
                                                    [VLM_ROLE_ENCODER] = "last_hidden_state"};
  vlm_bundle_profile *o = w->out;
  if (!NAMES[role] || !o->roles[role].made || !o->roles[role].profile.n_outputs) return;
  const vlm_tensor *y =
      &o->roles[role].profile.outputs[vlm_output_index(w->bundle->graphs[role], NAMES[role])];
  if (y->rank < 2) return;
  if (role == VLM_ROLE_VISION) {
    w->features = *y;
    o->image_tokens = vlm_tensor_span(y, 0, y->rank - 1);
  }
  if (role == VLM_ROLE_VISION || role == VLM_ROLE_EMBED) w->hidden = y->dims[y->rank - 1];
  if (role == VLM_ROLE_ENCODER && y->rank == 3) {
    w->states = *y;
    o->context_tokens = y->dims[1];
  }
}

static bool reads_text(const vlm_bundle *bundle) {
  const vlm_graph *encoder = bundle->graphs[VLM_ROLE_ENCODER];
  return bundle->graphs[VLM_ROLE_EMBED] ||
         (encoder && vlm_graph_find_input(encoder, vlm_binding_name(VLM_BIND_IDS)) >= 0);
}

static vlm_status read_image_size(profile_walk *w, vlm_error *err) {
  vlm_preprocess ops;
  bool stated;
  int width, height;
  vlm_status st = vlm_bundle_preprocess(&ops, &stated, w->bundle, err);
  if (st != VLM_OK || !stated) return st;
  if (vlm_preprocess_fixed_size(&ops, &width, &height)) {
    w->out->image_width = width;
    w->out->image_height = height;
  }
  for (int i = 0; i < ops.count; i++) {
    w->channels_last |= ops.ops[i].kind == VLM_PREPROCESS_LAYOUT && ops.ops[i].nhwc;
    if (ops.ops[i].kind == VLM_PREPROCESS_TILE)
      w->out->image_width = w->out->image_height = ops.ops[i].width; /* one tile */
  }
  return VLM_OK;
}

vlm_status vlm_bundle_profile_make(vlm_bundle_profile *out, vlm_context *context, const vlm_bundle *bundle,
                                   const vlm_bundle_profile_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  profile_walk w = {.out = out, .bundle = bundle, .context = context};
  memset(out, 0, sizeof *out);
  out->prompt_tokens = opts && opts->prompt_tokens ? opts->prompt_tokens : PROMPT_TOKENS;
  if (!reads_text(bundle)) out->prompt_tokens = 0;
  out->past_tokens = opts && opts->past_tokens ? opts->past_tokens : PAST_TOKENS;
  VLM_TRY(read_image_size(&w, err));
  VLM_TRY(vlm_bundle_decoder_facts(&w.facts, bundle, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    vlm_role_profile *p = &out->roles[r];
    if (!bundle->graphs[r]) continue;
    set_tokens(&w, (vlm_role)r);
    if (bundle->family == VLM_FAMILY_DECODER_ONLY && r == VLM_ROLE_DECODER_FIRST)
      out->context_tokens = w.tokens;
    p->made = profile_graph(&w, bundle->graphs[r], &p->profile, &p->error) == VLM_OK;
    if (!p->made && p->error.status == VLM_MEMORY) VLM_TRY(vlm_fail(err, VLM_MEMORY, "%s", p->error.text));
    take_outputs(&w, (vlm_role)r);
  }
out:
  if (st != VLM_OK) vlm_bundle_profile_free(out);
  return st;
}

void vlm_bundle_profile_free(vlm_bundle_profile *profile) {
  for (int r = 0; r < VLM_ROLE_COUNT; r++) vlm_profile_free(&profile->roles[r].profile);
  memset(profile, 0, sizeof *profile);
}
