/* What a hostile file does to a node: one small change at a time, chosen by a seeded generator. */
#ifndef VLM_TESTS_HOSTILE_MUTATE_H
#define VLM_TESTS_HOSTILE_MUTATE_H

#include "tests/ops/hostile_trial.h"

static const int64_t ODD[] = {
    0,         -1,        1,  2, 3, 7, 64, 65535, 1 << 30, INT32_MAX, INT64_C(1) << 32, INT64_C(1) << 62,
    INT64_MAX, INT64_MIN, -2, -8};
static inline int64_t odd_int(void) { return ODD[below((int)(sizeof ODD / sizeof ODD[0]))]; }

static inline double odd_real(void) {
  static const double values[] = {0, -1, 0.5, 1e-30, 1e30, 3e38, -3e38, 1e300};
  int i = below(10);
  return i < 8 ? values[i] : i == 8 ? (double)__builtin_nanf("") : (double)__builtin_inff();
}

static inline int some_input(const trial *t) {
  for (int tries = 0; t->n_in && tries < 8; tries++) {
    int k = below(t->n_in);
    if (t->given[k]) return k;
  }
  return -1;
}

static inline void mutate_dim(trial *t) {
  int k = some_input(t);
  if (k < 0 || t->in[k].rank == 0) return;
  int64_t *d = &t->in[k].dims[below(t->in[k].rank)];
  const int64_t choice[] = {0, 1, *d + 1, *d - 1, *d * 2, *d / 2, 17, 2, 40};
  *d = choice[below(9)];
  if (*d < 0) *d = 0;
  if (vlm_tensor_count(&t->in[k]) > SMALL) *d = 1;
}

static inline void mutate_rank(trial *t) {
  int k = some_input(t), at;
  if (k < 0) return;
  vlm_tensor *x = &t->in[k];
  switch (below(5)) {
    case 0: x->rank = 0; break;
    case 1: x->rank = 1, x->dims[0] = 0; break;
    case 2:
      if (x->rank > 0) x->rank--;
      break;
    case 3:
      if (x->rank == 0) break;
      at = below(x->rank--);
      memmove(x->dims + at, x->dims + at + 1, (size_t)(x->rank - at) * sizeof *x->dims);
      break;
    default:
      if (x->rank == VLM_MAX_RANK) break;
      at = below(x->rank + 1);
      memmove(x->dims + at + 1, x->dims + at, (size_t)(x->rank++ - at) * sizeof *x->dims);
      x->dims[at] = 1 + below(2);
  }
}

static inline void mutate_type(trial *t) {
  int k = some_input(t);
  if (k >= 0)
    t->in[k].dtype = below(6) ? TYPES[below(N_TYPES)].dtype : (vlm_dtype)(1 + below(VLM_DTYPE_COUNT - 1));
}

static inline void mutate_presence(trial *t) {
  if (t->n_in == 0) return;
  int k = below(t->n_in);
  if (t->given[k] && below(4) == 0 && t->n_in < MAX_IO - 1) {
    t->given[t->n_in] = true;
    t->n_values[t->n_in] = -1;
    t->in[t->n_in++] = t->in[k];
  } else if (below(4) == 0) {
    t->n_in = k;
  } else {
    t->given[k] = !t->given[k];
    if (t->in[k].dtype == VLM_NONE)
      t->in[k] = (vlm_tensor){.dtype = TYPES[below(N_TYPES)].dtype, .rank = 1, .dims = {below(4)}};
  }
}

static inline void mutate_values(trial *t) {
  int k = some_input(t);
  if (k < 0) return;
  int64_t count = vlm_tensor_count(&t->in[k]);
  if (count < 1) return;
  int n = count > MAX_LIST ? MAX_LIST : (int)count;
  for (int i = t->n_values[k] < 0 ? 0 : t->n_values[k]; i < n; i++) {
    t->reals[k][i] = made_up(t->in[k].dtype, (uint64_t)i);
    t->values[k][i] = (int64_t)t->reals[k][i];
  }
  if (t->n_values[k] < n) t->n_values[k] = n;
  int at = below(n);
  t->values[k][at] = odd_int();
  t->reals[k][at] = odd_real();
}

static inline void mutate_text(trial *t, int a) {
  char *text = t->texts[a];
  size_t size = strlen(text);
  switch (below(4)) {
    case 0: text[below((int)size + 1)] = '\0'; break;
    case 1:
      if (size) text[below((int)size)] = (char)(1 + below(126));
      break;
    case 2: /* the text several times over */
      for (size_t n = size; size && n + size < sizeof t->texts[a] - 1; n += size)
        memcpy(text + n, text, size), text[n + size] = '\0';
      break;
    default: memset(text, "a.,-x"[below(5)], sizeof t->texts[a] - 1);
  }
}

static inline void mutate_list(vlm_attr *x, int64_t *ints, float *floats) {
  switch (below(4)) {
    case 0: x->count = below(x->count + 1); break;
    case 1:
      if (x->count < MAX_LIST - 1) {
        ints[x->count] = odd_int();
        floats[x->count++] = (float)odd_real();
      }
      break;
    default:
      if (x->count == 0) break;
      int i = below(x->count);
      ints[i] = below(3) ? odd_int() : (int64_t)((uint64_t)ints[i] + 1 - (uint64_t)below(3));
      floats[i] = (float)odd_real();
  }
}

static inline void mutate_names(vlm_attr *x, const char **strings) {
  static const char *const odd[] = {"", "Relu", "LeakyRelu", "%s%n", "Affine", "a,b"};
  if (x->count && below(3)) strings[below(x->count)] = odd[below(6)];
  else x->count = below(x->count + 1);
}

/* Another version of the operator, or one that there is none of. */
static inline void mutate_opset(trial *t) {
  bool known;
  t->opset = 1 + below(28);
  const vlm_op *op = vlm_op_find(t->domain, t->name, t->opset, &known);
  if (op) t->op = op;
}

/* An attribute that the operator has and the node does not. */
static inline void add_attr(trial *t) {
  int n = 0, at;
  for (const char *p = t->op->attrs; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) n++;
  if (n == 0 || t->n_attrs == MAX_ATTRS) return;
  const char *p = t->op->attrs;
  for (at = below(n); at > 0; at--) p += strcspn(p, " "), p += strspn(p, " ");
  size_t size = strcspn(p, ":");
  for (int a = 0; a < t->n_attrs; a++)
    if (strlen(t->names[a]) == size && strncmp(t->names[a], p, size) == 0) return;
  if (kind_of(t->op, p, size) == VLM_ATTR_NONE) return;
  char text[128];
  int length = snprintf(text, sizeof text, "%.*s=%lld", (int)size, p, (long long)odd_int());
  for (int more = below(4); more > 0; more--) length += snprintf(text + length, 24, ",%d", below(5));
  read_attr(t, text, (size_t)length);
}

static inline void mutate_attr(trial *t) {
  if (t->n_attrs == 0 || below(3) == 0) {
    add_attr(t);
    return;
  }
  int a = below(t->n_attrs);
  vlm_attr *x = &t->attrs[a];
  if (below(10) == 0) {
    x->kind = VLM_ATTR_NONE;
    return;
  }
  if (x->kind == VLM_ATTR_INT)
    x->u.i = below(3) ? odd_int() : (int64_t)((uint64_t)x->u.i + 1 - (uint64_t)below(3));
  if (x->kind == VLM_ATTR_FLOAT) x->u.f = (float)odd_real();
  if (x->kind == VLM_ATTR_STRING) mutate_text(t, a);
  if (x->kind == VLM_ATTR_STRINGS) mutate_names(x, t->strings[a]);
  if (x->kind == VLM_ATTR_INTS || x->kind == VLM_ATTR_FLOATS) mutate_list(x, t->ints[a], t->floats[a]);
}

/* The pointers into the trial itself, after a copy. */
static inline void repoint(trial *t) {
  for (int a = 0; a < t->n_attrs; a++) {
    vlm_attr *x = &t->attrs[a];
    x->name = t->names[a];
    if (x->kind == VLM_ATTR_INTS) x->u.ints = t->ints[a];
    if (x->kind == VLM_ATTR_FLOATS) x->u.floats = t->floats[a];
    if (x->kind == VLM_ATTR_STRING) x->u.s = t->texts[a];
    if (x->kind == VLM_ATTR_STRINGS) x->u.strings = t->strings[a];
  }
}

static inline void mutate(trial *t) {
  switch (below(10)) {
    case 0:
    case 1:
    case 2: mutate_dim(t); break;
    case 3: mutate_rank(t); break;
    case 4: mutate_type(t); break;
    case 5: mutate_presence(t); break;
    case 6: mutate_values(t); break;
    case 7: mutate_attr(t); break;
    case 8: mutate_opset(t); break;
    default:
      if (below(3) == 0 && t->n_out < MAX_IO - 1) t->n_out++;
      else if (t->n_out) t->wanted[below(t->n_out)] = false;
  }
}

#endif
