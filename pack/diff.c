#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack/describe.h"
#include "pack/opened.h"

typedef struct differ {
  vlm_pack_difference *report;
  void *user;
  int64_t count;
  vlm_text where, a, b;
  vlm_error *err;
} differ;

static void tell(differ *d, const char *where, const char *a, const char *b) {
  d->count++;
  if (d->report) d->report(d->user, where, a ? a : "", b ? b : "");
}

static void compare_meta(differ *d, const vlm_pack *a, const vlm_pack *b) {
  for (int32_t i = 0, j = 0; i < a->n_meta || j < b->n_meta;) {
    char where[256];
    const int order = i == a->n_meta ? 1 : j == b->n_meta ? -1 : strcmp(a->meta[i].key, b->meta[j].key);
    const vlm_pack_pair *pa = order <= 0 ? &a->meta[i] : NULL, *pb = order >= 0 ? &b->meta[j] : NULL;
    snprintf(where, sizeof(where), "meta %s", pa ? pa->key : pb->key);
    /* Files of format 1.0 name it, later ones do not. */
    if (strcmp(pa ? pa->key : pb->key, "format") != 0 && (!pa || !pb || strcmp(pa->value, pb->value) != 0))
      tell(d, where, pa ? pa->value : NULL, pb ? pb->value : NULL);
    i += pa != NULL;
    j += pb != NULL;
  }
}

/* Long texts are told by size only. */
static void compare_text(differ *d, const char *name, const char *a, const char *b) {
  char where[256], size_a[64] = "", size_b[64] = "";
  if ((!a && !b) || (a && b && strcmp(a, b) == 0)) return;
  snprintf(where, sizeof(where), "text %s", name);
  if (a) snprintf(size_a, sizeof(size_a), "%zu bytes", strlen(a));
  if (b) snprintf(size_b, sizeof(size_b), "%zu bytes", strlen(b));
  tell(d, where, size_a, a && b && strcmp(size_a, size_b) == 0 ? "same size, other content" : size_b);
}

static void compare_texts(differ *d, const vlm_pack *a, const vlm_pack *b) {
  compare_text(d, "preprocessing", a->preprocess, b->preprocess);
  for (int t = 0; t < VLM_TEXT_COUNT; t++)
    compare_text(d, vlm_text_file((vlm_bundle_text)t), a->texts[t], b->texts[t]);
  compare_text(d, "quantization", a->quantization, b->quantization);
  compare_text(d, "provenance", a->provenance, b->provenance);
}

/* ---- graphs ---- */

static vlm_status set_where(differ *d, const char *kind, const char *role, const char *name) {
  vlm_status st = VLM_OK;
  vlm_text_clear(&d->where);
  vlm_text_clear(&d->a);
  vlm_text_clear(&d->b);
  const char *const parts[] = {kind, " ", role, "/", name};
  for (int i = 0; i < 5; i++) VLM_TRY(vlm_text_append(&d->where, parts[i], strlen(parts[i]), d->err));
out:
  return st;
}

/* Largest difference of two tensors of the same shape and type. */
static double largest_difference(const vlm_tensor *a, const vlm_tensor *b) {
  double most = 0;
  for (int64_t i = 0; i < vlm_tensor_count(a); i++) {
    const double delta = fabs(vlm_tensor_get(a, i) - vlm_tensor_get(b, i));
    if (!(delta <= most)) most = delta;
  }
  return most;
}

static vlm_status compare_constant(differ *d, const char *role, const vlm_value *a, const vlm_value *b) {
  vlm_status st = VLM_OK;
  char text[64];
  const vlm_tensor *ta = a ? &a->tensor : NULL, *tb = b ? &b->tensor : NULL;
  const bool alike = a && b && ta->dtype == tb->dtype && vlm_tensor_same_shape(ta, tb);
  if (alike && (ta->data == tb->data || memcmp(ta->data, tb->data, vlm_tensor_bytes(ta)) == 0)) return VLM_OK;
  VLM_TRY(set_where(d, "tensor", role, a ? a->name : b->name));
  if (a) VLM_TRY(vlm_describe_value(&d->a, a, d->err));
  if (b) VLM_TRY(vlm_describe_value(&d->b, b, d->err));
  if (alike) {
    snprintf(text, sizeof(text), ", differs by up to %.6g", largest_difference(ta, tb));
    VLM_TRY(vlm_text_append(&d->b, text, strlen(text), d->err));
  }
  tell(d, vlm_text_get(&d->where), vlm_text_get(&d->a), vlm_text_get(&d->b));
out:
  return st;
}

static const vlm_value *find_constant(const vlm_graph *g, const char *name) {
  const vlm_value_id id = vlm_graph_find(g, name);
  return id != VLM_NO_VALUE && g->values[id].kind == VLM_VALUE_CONSTANT ? &g->values[id] : NULL;
}

static vlm_status compare_constants(differ *d, const char *role, const vlm_graph *a, const vlm_graph *b) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < a->n_values; i++) {
    if (a->values[i].kind == VLM_VALUE_CONSTANT)
      VLM_TRY(compare_constant(d, role, &a->values[i], find_constant(b, a->values[i].name)));
  }
  for (int32_t i = 0; i < b->n_values; i++) {
    const vlm_value *v = &b->values[i];
    if (v->kind == VLM_VALUE_CONSTANT && !find_constant(a, v->name))
      VLM_TRY(compare_constant(d, role, NULL, v));
  }
out:
  return st;
}

static vlm_status compare_nodes(differ *d, const char *role, const vlm_graph *a, const vlm_node *na,
                                const vlm_graph *b, const vlm_node *nb) {
  vlm_status st = VLM_OK;
  VLM_TRY(set_where(d, "node", role, na ? na->name : nb->name));
  if (na) VLM_TRY(vlm_describe_node(&d->a, a, na, d->err));
  if (nb) VLM_TRY(vlm_describe_node(&d->b, b, nb, d->err));
  if (strcmp(vlm_text_get(&d->a), vlm_text_get(&d->b)) != 0)
    tell(d, vlm_text_get(&d->where), vlm_text_get(&d->a), vlm_text_get(&d->b));
out:
  return st;
}

static int by_name(const void *x, const void *y) {
  const vlm_node *a = *(const vlm_node *const *)x, *b = *(const vlm_node *const *)y;
  const int order = strcmp(a->name, b->name);
  return order ? order : (a > b) - (a < b);
}

static vlm_status sorted_nodes(const vlm_node ***out, const vlm_graph *g, vlm_error *err) {
  const vlm_status st = vlm_new(out, g->n_nodes, err);
  for (int32_t i = 0; st == VLM_OK && i < g->n_nodes; i++) (*out)[i] = &g->nodes[i];
  if (st == VLM_OK && g->n_nodes) qsort(*out, (size_t)g->n_nodes, sizeof(**out), by_name);
  return st;
}

/* Nodes are matched by name. */
static vlm_status compare_node_lists(differ *d, const char *role, const vlm_graph *a, const vlm_graph *b) {
  vlm_status st = VLM_OK;
  const vlm_node **la = NULL, **lb = NULL;
  VLM_TRY(sorted_nodes(&la, a, d->err));
  VLM_TRY(sorted_nodes(&lb, b, d->err));
  for (int32_t i = 0, j = 0; i < a->n_nodes || j < b->n_nodes;) {
    const int order = i == a->n_nodes ? 1 : j == b->n_nodes ? -1 : strcmp(la[i]->name, lb[j]->name);
    VLM_TRY(compare_nodes(d, role, a, order <= 0 ? la[i] : NULL, b, order >= 0 ? lb[j] : NULL));
    i += order <= 0;
    j += order >= 0;
  }
out:
  vlm_free(la);
  vlm_free(lb);
  return st;
}

static vlm_status compare_end(differ *d, const char *kind, const char *role, const vlm_value *a,
                              const vlm_value *b) {
  vlm_status st = VLM_OK;
  VLM_TRY(set_where(d, kind, role, a ? a->name : b->name));
  if (a) VLM_TRY(vlm_describe_value(&d->a, a, d->err));
  if (b) VLM_TRY(vlm_describe_value(&d->b, b, d->err));
  if (a && b && strcmp(a->name, b->name) != 0) {
    tell(d, vlm_text_get(&d->where), a->name, b->name);
  } else if (strcmp(vlm_text_get(&d->a), vlm_text_get(&d->b)) != 0) {
    tell(d, vlm_text_get(&d->where), vlm_text_get(&d->a), vlm_text_get(&d->b));
  }
out:
  return st;
}

static vlm_status compare_ends(differ *d, const char *role, const vlm_graph *a, const vlm_graph *b,
                               bool inputs) {
  vlm_status st = VLM_OK;
  const int32_t na = inputs ? a->n_inputs : a->n_outputs, nb = inputs ? b->n_inputs : b->n_outputs;
  const vlm_value_id *ia = inputs ? a->inputs : a->outputs, *ib = inputs ? b->inputs : b->outputs;
  for (int32_t i = 0; i < na || i < nb; i++) {
    VLM_TRY(compare_end(d, inputs ? "input" : "output", role, i < na ? &a->values[ia[i]] : NULL,
                        i < nb ? &b->values[ib[i]] : NULL));
  }
out:
  return st;
}

static vlm_status compare_graphs(differ *d, const char *role, const vlm_graph *a, const vlm_graph *b) {
  vlm_status st = VLM_OK;
  char where[128];
  if (!a || !b) {
    snprintf(where, sizeof(where), "graph %s", role);
    if (a || b) tell(d, where, a ? "present" : "", b ? "present" : "");
    goto out;
  }
  VLM_TRY(compare_ends(d, role, a, b, true));
  VLM_TRY(compare_ends(d, role, a, b, false));
  VLM_TRY(compare_node_lists(d, role, a, b));
  VLM_TRY(compare_constants(d, role, a, b));
out:
  return st;
}

static bool same_golden(const vlm_pack_golden *a, const vlm_pack_golden *b) {
  bool same = strcmp(a->graph, b->graph) == 0 && a->n_inputs == b->n_inputs && a->n_outputs == b->n_outputs;
  for (int32_t k = 0; same && k < a->n_inputs + a->n_outputs; k++) {
    const vlm_tensor *x = &a->tensors[k], *y = &b->tensors[k];
    same = strcmp(a->names[k], b->names[k]) == 0 && x->dtype == y->dtype && vlm_tensor_same_shape(x, y) &&
           memcmp(x->data, y->data, vlm_tensor_bytes(x)) == 0;
  }
  return same;
}

static void compare_golden(differ *d, const vlm_pack *a, const vlm_pack *b) {
  for (int32_t i = 0; i < a->n_golden || i < b->n_golden; i++) {
    char where[64];
    const vlm_pack_golden *ga = i < a->n_golden ? &a->golden[i] : NULL,
                          *gb = i < b->n_golden ? &b->golden[i] : NULL;
    snprintf(where, sizeof(where), "golden case %d", (int)i);
    if (!ga || !gb || !same_golden(ga, gb)) tell(d, where, ga ? ga->graph : NULL, gb ? gb->graph : NULL);
  }
}

vlm_status vlm_pack_diff(vlm_pack *a, vlm_pack *b, vlm_pack_difference *report, void *user, int64_t *count,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  differ d = {.report = report, .user = user, .err = err};
  vlm_bundle *ba = NULL, *bb = NULL;
  VLM_TRY(vlm_pack_bundle(&ba, a, err));
  VLM_TRY(vlm_pack_bundle(&bb, b, err));
  compare_meta(&d, a, b);
  compare_texts(&d, a, b);
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    VLM_TRY(compare_graphs(&d, vlm_role_name((vlm_role)r), ba->graphs[r], bb->graphs[r]));
  compare_golden(&d, a, b);
out:
  if (count) *count = d.count;
  vlm_text_free(&d.where);
  vlm_text_free(&d.a);
  vlm_text_free(&d.b);
  vlm_bundle_free(ba);
  vlm_bundle_free(bb);
  return st;
}
