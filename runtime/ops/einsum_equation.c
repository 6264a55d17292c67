#include "runtime/ops/einsum_equation.h"

#include <ctype.h>
#include <string.h>

enum { ELLIPSIS = 52 }; /* labels from here on count the ellipsis dims from the right */

static int letter(char ch) {
  if (ch >= 'a' && ch <= 'z') return ch - 'a';
  return ch >= 'A' && ch <= 'Z' ? 26 + ch - 'A' : -1;
}

/* One term up to a comma, an arrow or the end. dims < 0: the output, whose ellipsis has `dots` dims. */
static vlm_status parse_term(vlm_op_call *c, const char **text, int dims, int dots, int *labels, int *rank) {
  vlm_status st = VLM_OK;
  const char *p = *text;
  int letters = 0, n = 0;
  bool dotted = false;
  for (const char *q = p; *q && *q != ',' && *q != '-'; q++) letters += letter(*q) >= 0;
  if (dims >= 0) dots = dims - letters;
  for (; *p && *p != ',' && *p != '-'; p++) {
    if (isspace((unsigned char)*p)) continue;
    int k = letter(*p);
    if (k < 0) {
      VLM_CHECK(strncmp(p, "...", 3) == 0, c->err, VLM_INPUT, "equation holds '%c'", *p);
      VLM_CHECK(dots >= 0, c->err, VLM_INPUT,
                "a term of the equation has more letters than its operand dims");
      VLM_CHECK(!dotted, c->err, VLM_INPUT, "a term of the equation has more than one ellipsis");
      VLM_CHECK(n + dots <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED,
                "Einsum of more than %d dims is not supported", VLM_MAX_RANK);
      dotted = true;
      for (int i = 0; i < dots; i++) labels[n++] = ELLIPSIS + dots - 1 - i;
      p += 2;
    } else {
      VLM_CHECK(n < VLM_MAX_RANK, c->err, VLM_UNSUPPORTED, "Einsum of more than %d dims is not supported",
                VLM_MAX_RANK);
      labels[n++] = k;
    }
  }
  VLM_CHECK(dims < 0 || n == dims, c->err, VLM_INPUT,
            "a term of the equation has %d labels, its operand %d dims", n, dims);
  VLM_CHECK(n <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED, "Einsum of more than %d dims is not supported",
            VLM_MAX_RANK);
  *rank = n;
  *text = p;
out:
  return st;
}

/* Without an arrow: the ellipsis, then the labels that occur once, in alphabetical order (capitals first). */
static void implicit_output(vlm_einsum *e, const int *uses, int dots) {
  int n = 0, *out = e->label[e->operands];
  for (int i = dots - 1; i >= 0; i--) out[n++] = ELLIPSIS + i;
  for (int pass = 0; pass < 2; pass++)
    for (int k = pass ? 0 : 26; k < (pass ? 26 : 52); k++)
      if (uses[k] == 1 && n < 2 * VLM_MAX_RANK) out[n++] = k;
  e->rank[e->operands] = n;
}

vlm_status vlm_einsum_parse(vlm_op_call *c, vlm_einsum *e) {
  vlm_status st = VLM_OK;
  const char *p = vlm_arg_string(c, 0, "");
  int uses[VLM_EINSUM_LABELS] = {0}, dots = 0;
  memset(e, 0, sizeof *e);
  e->operands = c->n_in;
  VLM_CHECK(c->n_in >= 1 && c->n_in <= VLM_EINSUM_OPERANDS, c->err, VLM_UNSUPPORTED,
            "Einsum of %d operands is not supported", c->n_in);
  for (int i = 0; i < VLM_EINSUM_LABELS; i++) e->size[i] = -1;
  for (int k = 0; k < c->n_in; k++) {
    VLM_CHECK(c->in[k], c->err, VLM_INPUT, "input %d is missing", k);
    VLM_CHECK(k == 0 || *p == ',', c->err, VLM_INPUT, "equation has %d terms, the node %d inputs", k,
              c->n_in);
    p += k > 0;
    VLM_TRY(parse_term(c, &p, c->in[k]->rank, 0, e->label[k], &e->rank[k]));
    for (int i = 0; i < e->rank[k]; i++) {
      int l = e->label[k][i];
      int64_t n = c->in[k]->dims[i];
      uses[l]++;
      if (l >= ELLIPSIS && l - ELLIPSIS + 1 > dots) dots = l - ELLIPSIS + 1;
      bool fits = e->size[l] < 0 || e->size[l] == n || e->size[l] == 1 || n == 1;
      VLM_CHECK(fits, c->err, VLM_INPUT, "a label of the equation stands for %lld and for %lld",
                (long long)e->size[l], (long long)n);
      if (e->size[l] < 0 || e->size[l] == 1) e->size[l] = n;
    }
  }
  if (*p == '-') {
    VLM_CHECK(p[1] == '>', c->err, VLM_INPUT, "equation holds '-' without '>'");
    p += 2;
    VLM_TRY(parse_term(c, &p, -1, dots, e->label[e->operands], &e->rank[e->operands]));
  } else {
    implicit_output(e, uses, dots);
  }
  VLM_CHECK(*p == 0 && e->rank[e->operands] <= VLM_MAX_RANK, c->err, VLM_INPUT,
            "equation does not end after its output");
  for (int i = 0; i < e->rank[e->operands]; i++) {
    int l = e->label[e->operands][i];
    VLM_CHECK(uses[l] > 0 && !e->in_output[l], c->err, VLM_INPUT,
              "an output label of the equation is unknown or repeated");
    e->in_output[l] = true;
  }
  e->labels = VLM_EINSUM_LABELS;
out:
  return st;
}
