#include "flow/repair.h"

#include <math.h>
#include <string.h>

#include "quant/plan_form.h"
#include "quant/tied.h"
#include "runtime/base/memory.h"

enum { MOST_RANKED = 96, LEAST_SAMPLES = 2, MOST_ROUNDS = 6, CHEAP_TRIALS = 8 };
static const double BETTER = 0.8;     /* of the noise: what a rung must reach to be taken */
static const double CHEAP_MACS = 4e9; /* nodes are measured for the report alone where it costs no more */
static const double RANK_MACS = 2e10; /* of one ranking: fewer samples where it would cost more */
static const double WORTH = 4, WORTH_LOW = 1.5; /* of the noise, what a share of the price must bring */
static const double ENOUGH_DB = 45;             /* an output that has it is not worth a range at run time */
static const double FLATTERED =
    1.05; /* of the noise, what ranges at run time may have where fixed ones know the samples */
static const double NEAR = 2; /* times the noise that nobody can lower: the rest is not worth its price */

/* What a node gives up: its multiplications in integers, its bytes in 8 bits. As shares of the graph. */
typedef struct {
  double macs, bytes;
} price;

typedef struct {
  const vlm_trials *trials;
  vlm_quant_plan *plan;
  const vlm_quant_graph *graph;
  const vlm_stats *stats;
  const vlm_quant_opts *opts;
  const vlm_repair_opts *how;
  vlm_repair_result *out;
  int32_t n_outputs;
  vlm_decision *saved;  /* decisions while one node is tried alone */
  double *noise;        /* [nodes][outputs]: of the node alone */
  double *budget;       /* [outputs]: noise that the target allows, on the ranking samples */
  bool *ranked, *spent; /* per node: measured alone; has no better form */
  int64_t *macs;        /* per node */
  int32_t samples;      /* to rank with */
  int64_t weights;      /* elements of all */
  price paid;
  vlm_trial_output *tried; /* [outputs] */
  vlm_error *err;
} repair;

static bool runs_in_integers(vlm_decision d) { return d == VLM_DECIDE_STATIC || d == VLM_DECIDE_DYNAMIC; }

/* ---- trials ---- */

static vlm_status try_plan(repair *r, vlm_trial_output *out, int32_t samples) {
  vlm_status st = r->opts->go_on ? r->opts->go_on(r->opts->user, r->err) : VLM_OK;
  vlm_quant_plan_tie(r->plan);
  r->out->trials++;
  return st == VLM_OK ? vlm_trials_run(r->trials, out, r->plan, r->stats, r->opts, samples, r->err) : st;
}

/* All but node i float. */
static vlm_status try_alone(repair *r, int32_t i) {
  for (int32_t k = 0; k < r->plan->count; k++) {
    r->saved[k] = r->plan->nodes[k].decision;
    if (k != i) r->plan->nodes[k].decision = VLM_DECIDE_FLOAT;
  }
  vlm_status st = try_plan(r, r->tried, r->samples);
  for (int32_t k = 0; k < r->plan->count; k++)
    if (k != i) r->plan->nodes[k].decision = r->saved[k];
  return st;
}

static void keep_noise(repair *r, int32_t i) {
  vlm_node_plan *n = &r->plan->nodes[i];
  for (int32_t o = 0; o < r->n_outputs; o++) r->noise[i * r->n_outputs + o] = r->tried[o].noise;
  int32_t worst = vlm_trial_worst(r->tried, r->n_outputs);
  n->measured = worst >= 0;
  if (worst >= 0) n->output_db = vlm_trial_db(&r->tried[worst]);
  r->ranked[i] = true;
}

/* The locally worst when there are too many. */
static int32_t next_to_rank(const repair *r) {
  int32_t next = -1;
  for (int32_t i = 0; i < r->plan->count; i++) {
    const vlm_node_plan *n = &r->plan->nodes[i];
    if (n->decision == VLM_DECIDE_FLOAT || r->ranked[i]) continue;
    if (next < 0 || n->local_db < r->plan->nodes[next].local_db) next = i;
  }
  return next;
}

static vlm_status rank(repair *r) {
  vlm_status st = VLM_OK;
  for (int32_t done = 0; done < MOST_RANKED; done++) {
    int32_t i = next_to_rank(r);
    if (i < 0) break;
    VLM_TRY(try_alone(r, i));
    keep_noise(r, i);
  }
  r->out->ranked = true;
out:
  return st;
}

/* ---- what a node can become ---- */

/* Where the extent that calibration saw is wider than the range that was chosen. */
static bool whole_range(const repair *r, const vlm_node_plan *n, vlm_plan_form *f) {
  const vlm_tensor_stats *seen = vlm_stats_find(r->stats, n->graph, n->input);
  vlm_error ignored;
  if (n->decision != VLM_DECIDE_STATIC || n->range.method == VLM_RANGE_MINMAX || !seen) return false;
  if (vlm_range_choose(&f->range, seen, VLM_RANGE_MINMAX, 0, &ignored) != VLM_OK) return false;
  f->reason = "the whole extent measures better at the output";
  return true;
}

/* ---- ranges at run time, for all ---- */

static vlm_status save_forms(repair *r, vlm_plan_form **out) {
  vlm_status st = vlm_new(out, r->plan->count, r->err);
  for (int32_t i = 0; st == VLM_OK && i < r->plan->count; i++)
    (*out)[i] = vlm_plan_form_of(&r->plan->nodes[i]);
  return st;
}

static int32_t free_ranges(repair *r) {
  int32_t freed = 0;
  const vlm_plan_form f = {.decision = VLM_DECIDE_DYNAMIC,
                           .reason = "ranges at run time measure better at the output"};
  for (int32_t i = 0; i < r->plan->count; i++) {
    vlm_node_plan *n = &r->plan->nodes[i];
    if (!vlm_plan_may_free(n)) continue;
    vlm_plan_form_set(n, &f);
    freed++;
  }
  return freed;
}

/* They cost some percent of the time and no multiplication: taken where the worst output gains by them. */
static vlm_status try_run_time(repair *r) {
  vlm_status st = VLM_OK;
  vlm_plan_form *before = NULL;
  const int32_t worst = vlm_trial_worst(r->out->outputs, r->n_outputs);
  const double most = r->how->known_samples ? FLATTERED : BETTER, db = vlm_trial_db(&r->out->outputs[worst]);
  VLM_TRY(save_forms(r, &before));
  if (db >= ENOUGH_DB || !free_ranges(r)) goto out;
  VLM_TRY(try_plan(r, r->tried, 0));
  const int32_t now = vlm_trial_worst(r->tried, r->n_outputs);
  if (now >= 0 && vlm_trial_db(&r->tried[now]) >= db - 10 * log10(most))
    memcpy(r->out->outputs, r->tried, (size_t)r->n_outputs * sizeof *r->tried);
  else
    for (int32_t i = 0; i < r->plan->count; i++) vlm_plan_form_set(&r->plan->nodes[i], &before[i]);
out:
  vlm_free(before);
  return st;
}

/* ---- rungs ---- */

static double sum_at(const repair *r, int32_t o, bool spent_only) {
  double sum = 0;
  for (int32_t i = 0; i < r->plan->count; i++)
    if (!spent_only || r->spent[i]) sum += r->noise[i * r->n_outputs + o];
  return sum;
}

static price price_of(const repair *r, int32_t i, vlm_decision to) {
  const vlm_node_plan *n = &r->plan->nodes[i];
  double all = r->how->costs ? (double)r->how->costs->macs : 0;
  price p = {0, 0};
  if (runs_in_integers(n->decision) && !runs_in_integers(to) && all > 0) p.macs = (double)r->macs[i] / all;
  if (to == VLM_DECIDE_FLOAT && r->weights > 0) p.bytes = (double)n->weights / (double)r->weights;
  return p;
}

/* The worse the output, the more it may cost, and the less of the noise each share must bring. */
static bool is_worth(const repair *r, int32_t i, int32_t o, vlm_decision to) {
  double sum = sum_at(r, o, false), part = r->noise[i * r->n_outputs + o] / sum;
  bool low = sum > pow(10, (r->how->target_db - r->how->floor_db) / 10) * r->budget[o];
  double most = low ? r->how->may_leave_below : r->how->may_leave, worth = low ? WORTH_LOW : WORTH;
  price p = price_of(r, i, to);
  if (r->how->at_any_price) return true;
  if (r->paid.macs + p.macs > most || r->paid.bytes + p.bytes > most) return false;
  return part >= worth * p.macs && part >= worth * p.bytes;
}

/* Rung k of the ladder; false when the node has none such, or is past it. */
static bool rung(const repair *r, int32_t i, int32_t o, int k, vlm_plan_form *f) {
  static const struct {
    vlm_decision decision;
    const char *reason;
  } RUNGS[] = {{VLM_DECIDE_DYNAMIC, "a range at run time measures better at the output"},
               {VLM_DECIDE_WEIGHT_ONLY, "float activations: the output needs them"},
               {VLM_DECIDE_FLOAT, "float: the output needs it"}};
  const vlm_node_plan *n = &r->plan->nodes[i];
  *f = vlm_plan_form_of(n);
  if (k == 0) return whole_range(r, n, f);
  vlm_decision to = RUNGS[k - 1].decision, at = n->decision;
  bool past = at == VLM_DECIDE_WEIGHT_ONLY ? to != VLM_DECIDE_FLOAT : at == to;
  if (past || (to != VLM_DECIDE_FLOAT && !(n->forms & vlm_decision_forms(to)))) return false;
  if (!is_worth(r, i, o, to)) return false;
  *f = (vlm_plan_form){.decision = to, .reason = RUNGS[k - 1].reason};
  return true;
}

/* The first rung that lowers the noise at output o is taken. */
static vlm_status improve(repair *r, int32_t i, int32_t o) {
  enum { RUNG_COUNT = 4 };
  vlm_status st = VLM_OK;
  vlm_node_plan *n = &r->plan->nodes[i];
  const vlm_plan_form before = vlm_plan_form_of(n);
  double noise = r->noise[i * r->n_outputs + o];
  for (int k = 0; k < RUNG_COUNT; k++) {
    vlm_plan_form f;
    if (!rung(r, i, o, k, &f)) continue;
    const price cost = price_of(r, i, f.decision);
    vlm_plan_form_set(n, &f);
    if (f.decision == VLM_DECIDE_FLOAT)
      for (int32_t p = 0; p < r->n_outputs; p++) r->tried[p].noise = 0;
    else VLM_TRY(try_alone(r, i));
    if (r->tried[o].noise <= BETTER * noise) {
      r->paid.macs += cost.macs;
      r->paid.bytes += cost.bytes;
      keep_noise(r, i);
      n->measured = f.decision != VLM_DECIDE_FLOAT;
      return VLM_OK;
    }
    vlm_plan_form_set(n, &before);
  }
  r->spent[i] = true;
out:
  return st;
}

/* ---- until the target holds ---- */

/* Noise of independent errors adds; *output is where it exceeds its budget most. */
static double excess(const repair *r, int32_t *output) {
  double worst = 0;
  *output = -1;
  for (int32_t o = 0; o < r->n_outputs; o++) {
    double sum = sum_at(r, o, false);
    if (!(r->budget[o] > 0) || (*output >= 0 && sum / r->budget[o] <= worst)) continue;
    worst = sum / r->budget[o];
    *output = o;
  }
  return worst;
}

static int32_t loudest(const repair *r, int32_t o) {
  int32_t best = -1;
  for (int32_t i = 0; i < r->plan->count; i++) {
    double noise = r->noise[i * r->n_outputs + o];
    if (r->spent[i] || !(noise > 0)) continue;
    if (best < 0 || noise > r->noise[best * r->n_outputs + o]) best = i;
  }
  return best;
}

/* Until the sum of what was measured node by node fits, or nobody can give more. */
static vlm_status climb(repair *r, bool *stuck) {
  vlm_status st = VLM_OK;
  int32_t o;
  *stuck = false;
  while (excess(r, &o) > 1) {
    int32_t i = loudest(r, o);
    *stuck = i < 0 || sum_at(r, o, false) <= NEAR * sum_at(r, o, true);
    if (*stuck) break;
    VLM_TRY(improve(r, i, o));
  }
out:
  return st;
}

static double target_ratio(const repair *r) { return pow(10, -r->how->target_db / 10); }

/* Full measurements correct the sum: what adds up in another way gets a smaller budget. */
static vlm_status search(repair *r) {
  vlm_status st = VLM_OK;
  bool stuck = false;
  VLM_TRY(try_plan(r, r->tried, r->samples));
  for (int32_t o = 0; o < r->n_outputs; o++) r->budget[o] = target_ratio(r) * r->tried[o].signal;
  for (int round = 0; round < MOST_ROUNDS && !stuck; round++) {
    VLM_TRY(climb(r, &stuck));
    VLM_TRY(vlm_quant_plan_share(r->plan, r->graph, 1, r->err));
    VLM_TRY(try_plan(r, r->out->outputs, 0));
    int32_t worst = vlm_trial_worst(r->out->outputs, r->n_outputs);
    double over =
        worst < 0 ? 0 : r->out->outputs[worst].noise / (target_ratio(r) * r->out->outputs[worst].signal);
    if (over <= 1) break;
    int32_t o;
    double predicted = excess(r, &o);
    if (isfinite(over) && predicted > 0) r->budget[worst] *= fmin(0.9, predicted / over);
    else r->budget[worst] *= 0.5;
  }
out:
  return st;
}

/* ---- all of it ---- */

static void count_macs(repair *r) {
  const vlm_profile *p = r->how->costs;
  for (int32_t i = 0; i < r->plan->count; i++) {
    const vlm_node_plan *n = &r->plan->nodes[i];
    r->weights += n->weights;
    for (int32_t k = 0; p && k < p->n_nodes; k++)
      if (p->nodes[k].graph == r->graph->graph && p->nodes[k].node == n->index &&
          !strcmp(n->graph, r->graph->role))
        r->macs[i] = p->nodes[k].macs;
  }
  double one = p ? (double)p->macs * r->plan->count : 0;
  r->samples = one * LEAST_SAMPLES > RANK_MACS ? LEAST_SAMPLES
               : one > 0                       ? (int32_t)fmin(RANK_MACS / one, 1000)
                                               : 0;
}

static vlm_status prepare(repair *r) {
  vlm_status st = VLM_OK;
  int64_t nodes = r->plan->count;
  r->n_outputs = r->out->n_outputs = vlm_trials_outputs(r->trials);
  VLM_TRY(vlm_new(&r->out->outputs, r->n_outputs, r->err));
  VLM_TRY(vlm_new(&r->tried, r->n_outputs, r->err));
  VLM_TRY(vlm_new(&r->budget, r->n_outputs, r->err));
  VLM_TRY(vlm_new(&r->noise, nodes * r->n_outputs, r->err));
  VLM_TRY(vlm_new(&r->saved, nodes, r->err));
  VLM_TRY(vlm_new(&r->ranked, nodes, r->err));
  VLM_TRY(vlm_new(&r->spent, nodes, r->err));
  VLM_TRY(vlm_new(&r->macs, nodes, r->err));
  count_macs(r);
out:
  return st;
}

static bool is_cheap(const repair *r) {
  if (r->plan->count <= CHEAP_TRIALS) return true;
  return r->how->costs && (double)r->how->costs->macs * r->samples * r->plan->count < CHEAP_MACS;
}

static int32_t count_changes(const repair *r, const vlm_node_plan *before) {
  int32_t n = 0;
  for (int32_t i = 0; i < r->plan->count; i++) {
    const vlm_node_plan *a = &before[i], *b = &r->plan->nodes[i];
    n += a->decision != b->decision || (b->has_range && a->range.method != b->range.method);
  }
  return n;
}

static vlm_status measure_and_search(repair *r) {
  vlm_status st = VLM_OK;
  VLM_TRY(try_plan(r, r->out->outputs, 0));
  int32_t worst = vlm_trial_worst(r->out->outputs, r->n_outputs);
  if (worst >= 0 && r->how->may_free) VLM_TRY(try_run_time(r));
  worst = vlm_trial_worst(r->out->outputs, r->n_outputs);
  bool low = worst >= 0 && vlm_trial_db(&r->out->outputs[worst]) < r->how->target_db;
  if (worst < 0 || (!low && !is_cheap(r))) return VLM_OK;
  VLM_TRY(rank(r));
  if (low && !r->how->only_measure) VLM_TRY(search(r));
out:
  return st;
}

vlm_status vlm_repair(vlm_repair_result *out, const vlm_trials *trials, vlm_quant_plan *plan,
                      const vlm_quant_graph *graph, const vlm_stats *stats, const vlm_quant_opts *opts,
                      const vlm_repair_opts *how, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_node_plan *before = NULL;
  *out = (vlm_repair_result){.n_outputs = 0};
  repair r = {.trials = trials,
              .plan = plan,
              .graph = graph,
              .stats = stats,
              .opts = opts,
              .how = how,
              .out = out,
              .err = err};
  VLM_TRY(prepare(&r));
  VLM_TRY(vlm_new(&before, plan->count, err));
  if (plan->count) memcpy(before, plan->nodes, (size_t)plan->count * sizeof *before);
  VLM_TRY(measure_and_search(&r));
  out->changed = count_changes(&r, before);
  vlm_quant_plan_tie(plan);
out:
  vlm_free(before);
  vlm_free(r.tried);
  vlm_free(r.budget);
  vlm_free(r.noise);
  vlm_free(r.saved);
  vlm_free(r.ranked);
  vlm_free(r.spent);
  vlm_free(r.macs);
  if (st != VLM_OK) vlm_repair_free(out);
  return st;
}

void vlm_repair_free(vlm_repair_result *result) {
  vlm_free(result->outputs);
  *result = (vlm_repair_result){.n_outputs = 0};
}
