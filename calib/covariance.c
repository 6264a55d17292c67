#include "calib/covariance.h"

#include "calib/graph_inputs.h"
#include "runtime/base/wide.h"
#include "runtime/decode/answer.h"
#include "runtime/graph/bodies.h"
#include "runtime/ops/traits.h"

/* A value of a graph, and the sum it goes into. */
typedef struct {
  const vlm_graph *graph;
  vlm_value_id id;
  int32_t sum;
  bool by_channel; /* a row is what dim 1 holds at a position, else the last dim */
  int64_t runs;    /* so far */
} met_value;

typedef struct {
  const void *data;
  vlm_digest digest; /* graphs may have copies of one weight, which must stay copies */
  int32_t sum;
} met_weight;

struct vlm_covariances {
  vlm_arena *arena;
  met_value *values;
  met_weight *weights;
  vlm_covariance *sums;
  const vlm_tensor **tables; /* that are looked up */
  int32_t n_values, n_weights, n_sums, n_tables;
  bool judges; /* the sample that runs now is one to judge by */
  int64_t most_rows;
  float *row; /* by channel: one row */
};

/* ---- which values ---- */

static met_value *find_value(const vlm_covariances *all, const vlm_graph *graph, vlm_value_id id) {
  for (int32_t i = 0; i < all->n_values; i++)
    if (all->values[i].graph == graph && all->values[i].id == id) return &all->values[i];
  return NULL;
}

static met_weight *find_weight(const vlm_covariances *all, const void *data) {
  for (int32_t i = 0; i < all->n_weights; i++)
    if (all->weights[i].data == data) return &all->weights[i];
  return NULL;
}

static const met_weight *find_copy(const vlm_covariances *all, vlm_digest digest) {
  for (int32_t i = 0; i < all->n_weights; i++)
    if (all->weights[i].digest.high == digest.high && all->weights[i].digest.low == digest.low)
      return &all->weights[i];
  return NULL;
}

static vlm_status add_sum(int32_t *out, vlm_covariances *all, int64_t size, vlm_error *err) {
  vlm_status st = vlm_more(&all->sums, all->n_sums, all->n_sums + 1, err);
  if (st != VLM_OK) return st;
  all->sums[all->n_sums] = (vlm_covariance){.size = size};
  *out = all->n_sums++;
  return VLM_OK;
}

/* Two sums that turn out to be one. */
static void unite(vlm_covariances *all, int32_t from, int32_t to) {
  for (int32_t i = 0; i < all->n_values; i++)
    if (all->values[i].sum == from) all->values[i].sum = to;
  for (int32_t i = 0; i < all->n_weights; i++)
    if (all->weights[i].sum == from) all->weights[i].sum = to;
}

/* w: its rows or columns are `size` long. */
static vlm_status add_pair(vlm_covariances *all, const vlm_origin *made, const vlm_tensor *w, int64_t size,
                           vlm_error *err) {
  const bool by_channel = w->rank > 2;
  vlm_status st = VLM_OK;
  const met_value *value = find_value(all, made->graph, made->id);
  const met_weight *known = find_weight(all, w->data), *weight = known;
  const vlm_digest digest = known ? known->digest : vlm_hash128(w->data, vlm_tensor_bytes(w));
  if (!weight) weight = find_copy(all, digest);
  int32_t sum = weight ? weight->sum : value ? value->sum : -1;
  if (sum < 0) VLM_TRY(add_sum(&sum, all, size, err));
  if (value && value->by_channel != by_channel) goto out;
  if (all->sums[sum].size != size || (value && all->sums[value->sum].size != size)) goto out;
  if (value && value->sum != sum) unite(all, value->sum, sum);
  if (!value) {
    VLM_TRY(vlm_more(&all->values, all->n_values, all->n_values + 1, err));
    all->values[all->n_values++] = (met_value){made->graph, made->id, sum, by_channel, 0};
  }
  if (!known) {
    VLM_TRY(vlm_more(&all->weights, all->n_weights, all->n_weights + 1, err));
    all->weights[all->n_weights++] = (met_weight){w->data, digest, sum};
  }
out:
  return st;
}

/* A table that is the weight too, as it is or turned, must stay the same constant. */
static vlm_status add_tied(vlm_covariances *all, const vlm_tensor *w, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < all->n_tables; i++) {
    const vlm_tensor *table = all->tables[i];
    const met_weight *met = find_weight(all, w->data);
    if (!met || find_weight(all, table->data) || !vlm_tensor_is_transpose(w, table)) continue;
    const met_weight tied = {table->data, met->digest, met->sum};
    VLM_TRY(vlm_more(&all->weights, all->n_weights, all->n_weights + 1, err));
    all->weights[all->n_weights++] = tied;
  }
out:
  return st;
}

static vlm_status add_tables(vlm_covariances *all, vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    for (int32_t i = vlm_node_weights(graph, node, slots) - 1; i >= 0; i--) {
      const vlm_tensor *w = vlm_node_constant(graph, node, slots[i].input);
      if (!(node->traits->flags & VLM_TRAIT_TABLE) || !w || w->rank != 2 || slots[i].axis != 0) continue;
      VLM_TRY(vlm_more(&all->tables, all->n_tables, all->n_tables + 1, err));
      all->tables[all->n_tables++] = w;
    }
  }
out:
  return st;
}

/* Inputs of a channel of the weights; 0 = no product of rows. */
static int64_t inputs_of(const vlm_node *node, const vlm_tensor *w, int32_t axis) {
  if (w->dtype != VLM_F32 || axis < 0) return 0;
  if (node->traits->forms & VLM_FORM_ROW) return w->rank == 2 ? w->dims[1 - axis] : 0;
  const bool pointwise = node->traits->forms & VLM_FORM_IMAGE && w->rank > 2 && axis == 0 &&
                         vlm_tensor_span(w, 2, w->rank) == 1 && vlm_node_int(node, "group", 1) == 1;
  return pointwise ? w->dims[1] : 0;
}

/* Products of a matrix: what can have ranges per row, and convolutions that are such. */
static vlm_status add_node(vlm_covariances *all, vlm_graph *graph, const vlm_node *node, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  if (!(node->traits->forms & (VLM_FORM_ROW | VLM_FORM_IMAGE))) return VLM_OK;
  for (int32_t i = vlm_node_weights(graph, node, slots) - 1; i >= 0; i--) {
    const vlm_tensor *w = vlm_node_constant(graph, node, slots[i].input);
    const vlm_value_id id =
        slots[i].activation < 0 ? VLM_NO_VALUE : vlm_node_input(node, slots[i].activation);
    const int64_t size = w && id != VLM_NO_VALUE ? inputs_of(node, w, slots[i].axis) : 0;
    if (size == 0 || size > VLM_COVARIANCE_MOST) continue;
    const vlm_origin made = vlm_value_origin(graph, id);
    VLM_TRY(add_pair(all, &made, w, size, err));
    VLM_TRY(add_tied(all, w, err));
  }
out:
  return st;
}

static vlm_status add_products(vlm_covariances *all, vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t n = 0; n < graph->n_nodes; n++) VLM_TRY(add_node(all, graph, &graph->nodes[n], err));
out:
  return st;
}

static vlm_status for_each_body(vlm_covariances *all, const vlm_bundle *bundle, int role,
                                vlm_status (*add)(vlm_covariances *all, vlm_graph *graph, vlm_error *err),
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_body_list bodies = {0};
  vlm_graph *root = vlm_bundle_graph_once(bundle, role);
  if (!root) return VLM_OK;
  VLM_TRY(vlm_bodies_make(&bodies, root, vlm_role_name((vlm_role)role), all->arena, err));
  for (int32_t b = 0; b < bodies.count; b++) VLM_TRY(add(all, bodies.items[b].graph, err));
out:
  vlm_bodies_free(&bodies);
  return st;
}

/* ---- the sums ---- */

/* Of one tensor: rows of an image are many and alike; samples of a single graph are few. */
enum { MOST_ROWS = 64, MOST_ROWS_OF_GRAPH = 512 };

/* Sums of products, one place each: no order to keep but that of the rows. */
VLM_WIDE static void add_row(double *sums, const float *x, int64_t size) {
  for (int64_t i = 0; i < size; i++, sums += i) {
    const double xi = (double)x[i];
    for (int64_t j = 0; j <= i; j++) sums[j] += xi * (double)x[j];
  }
}

static bool wants(void *user, const vlm_graph *graph, vlm_value_id value) {
  return find_value(user, graph, value) != NULL;
}

typedef struct {
  const float *data;
  int64_t count, size, plane; /* rows; elements of one; positions of an image, 0 = rows lie as they are */
} row_view;

static bool view_rows(row_view *v, const vlm_tensor *t, const met_value *value, int64_t size) {
  const int dim = value->by_channel ? 1 : t->rank - 1;
  if (t->dtype != VLM_F32 || t->rank < 1 || dim >= t->rank || t->dims[dim] != size) return false;
  *v = (row_view){t->data, vlm_tensor_count(t) / size, size,
                  value->by_channel ? vlm_tensor_span(t, 2, t->rank) : 0};
  return true;
}

static const float *row_at(const row_view *v, int64_t r, float *room) {
  if (!v->plane) return v->data + r * v->size;
  const float *from = v->data + r / v->plane * v->size * v->plane + r % v->plane;
  for (int64_t c = 0; c < v->size; c++) room[c] = from[c * v->plane];
  return room;
}

static vlm_status observe(void *user, const vlm_graph *graph, vlm_value_id id, const vlm_tensor *t,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_covariances *all = user;
  met_value *value = find_value(all, graph, id);
  vlm_covariance *sum = &all->sums[value->sum];
  const int which = all->judges;
  row_view v;
  if (!view_rows(&v, t, value, sum->size)) return VLM_OK;
  if (!sum->sums[which]) VLM_TRY(vlm_new(&sum->sums[which], sum->size * (sum->size + 1) / 2, err));
  const int64_t step = (v.count + all->most_rows - 1) / all->most_rows;
  for (int64_t r = step ? value->runs++ % step : 0; r < v.count; r += step) {
    add_row(sum->sums[which], row_at(&v, r, all->row), sum->size);
    sum->rows[which]++;
  }
out:
  return st;
}

/* ---- samples ---- */

static vlm_status run_sample(vlm_model *model, const vlm_dataset *set, size_t i,
                             const vlm_covariance_opts *how, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_pixels pixels = {0};
  vlm_answer answer = {0};
  const vlm_answer_opts opts = {.beams = 1, .max_new_tokens = how->max_new_tokens};
  const char *own = vlm_dataset_get(set, i)->prompt, *prompt = own ? own : how->prompt;
  VLM_TRY(vlm_dataset_load_pixels(&pixels, set, i, err));
  VLM_TRY(vlm_sample_answer(model, &pixels, prompt, &opts, &answer, err));
out:
  if (st != VLM_OK) vlm_error_context(err, "sample %s", vlm_dataset_get(set, i)->key);
  vlm_answer_free(&answer);
  vlm_sample_pixels_free(&pixels);
  return st;
}

/* Three of four to round with. */
static bool is_judge(size_t i) { return i % 4 == 3; }

static vlm_status begin(vlm_covariances **out, const vlm_bundle *bundle, int64_t most_rows, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_covariances *all = NULL;
  VLM_TRY(vlm_new(&all, 1, err));
  all->most_rows = most_rows;
  VLM_TRY(vlm_arena_create(&all->arena, err));
  VLM_TRY(vlm_arena_new(all->arena, &all->row, VLM_COVARIANCE_MOST, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) VLM_TRY(for_each_body(all, bundle, r, add_tables, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) VLM_TRY(for_each_body(all, bundle, r, add_products, err));
  *out = all;
  all = NULL;
out:
  vlm_covariances_free(all);
  return st;
}

vlm_status vlm_covariances_make(vlm_covariances **out, vlm_context *context, const vlm_bundle *bundle,
                                const vlm_dataset *set, const vlm_covariance_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_covariances *all = NULL;
  vlm_model *model = NULL;
  *out = NULL;
  VLM_TRY(begin(&all, bundle, MOST_ROWS, err));
  const vlm_model_opts how = {.session = {.tap = observe, .tap_user = all, .tap_wants = wants}};
  VLM_TRY(vlm_model_create(&model, context, bundle, &how, err));
  for (size_t i = 0; i < opts->count; i++) {
    all->judges = is_judge(i);
    if (opts->go_on) VLM_TRY(opts->go_on(opts->user, err));
    VLM_TRY(run_sample(model, set, opts->places[i], opts, err));
  }
  *out = all;
  all = NULL;
out:
  vlm_model_free(model);
  vlm_covariances_free(all);
  return st;
}

vlm_status vlm_covariances_make_graph(vlm_covariances **out, vlm_context *context, const vlm_bundle *bundle,
                                      const vlm_sample_span *samples, const vlm_covariance_opts *opts,
                                      vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_covariances *all = NULL;
  vlm_session *session = NULL;
  vlm_tensor *inputs = NULL;
  const vlm_graph *graph = bundle->graphs[VLM_ROLE_MODEL];
  *out = NULL;
  VLM_TRY(begin(&all, bundle, MOST_ROWS_OF_GRAPH, err));
  const vlm_session_opts how = {.tap = observe, .tap_user = all, .tap_wants = wants};
  VLM_TRY(vlm_new(&inputs, graph->n_inputs, err));
  VLM_TRY(vlm_session_create(&session, context, graph, &how, err));
  for (int32_t i = 0; i < samples->count; i++) {
    const vlm_kept_sample *s = samples->items[i];
    all->judges = is_judge((size_t)i);
    if (opts->go_on) VLM_TRY(opts->go_on(opts->user, err));
    VLM_TRY(
        vlm_match_inputs(inputs, graph, (const char *const *)s->names, s->tensors, (size_t)s->count, err));
    VLM_TRY(vlm_session_run(session, inputs, graph->n_inputs, err));
  }
  *out = all;
  all = NULL;
out:
  vlm_free(inputs);
  vlm_session_free(session);
  vlm_covariances_free(all);
  return st;
}

const vlm_covariance *vlm_covariances_find(const vlm_covariances *all, const vlm_tensor *weight) {
  const met_weight *met = all ? find_weight(all, weight->data) : NULL;
  const vlm_covariance *sum = met ? &all->sums[met->sum] : NULL;
  return sum && sum->sums[0] ? sum : NULL;
}

void vlm_covariances_free(vlm_covariances *all) {
  if (!all) return;
  for (int32_t i = 0; i < all->n_sums; i++)
    for (int k = 0; k < 2; k++) vlm_free(all->sums[i].sums[k]);
  vlm_free(all->sums);
  vlm_free(all->tables);
  vlm_free(all->values);
  vlm_free(all->weights);
  vlm_arena_free(all->arena);
  vlm_free(all);
}
