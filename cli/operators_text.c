#include "cli/operators_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buffer.h"
#include "runtime/base/memory.h"
#include "runtime/ops/op.h"

static const char INTRO[] =
    "# Operators\n"
    "\n"
    "Made from the operator table (`runtime/ops/ops.def`) by the CMake target `operators_md`; do not edit.\n"
    "\n"
    "- Opsets: the versions of the operator's domain for which a row holds; `+` = up to the newest known.\n"
    "- Inputs and outputs: how many; `+` = any number from there.\n"
    "- Types: element types of the first input. float = float16, bfloat16, float32, float64; small float = "
    "float8e4m3fn, float8e4m3fnuz, float8e5m2, float8e5m2fnuz, float4e2m1; int = all integers; any = every "
    "type; number = float and int.\n"
    "- Attributes: a default stands after `=`; **bold** = required; everything else may be left out. Any "
    "other attribute is refused.\n";

typedef struct {
  const char *domain;
  bool import_only;
  const char *title, *text;
} domain_section;

static const domain_section SECTIONS[] = {
    {"", false, "ai.onnx", ""},
    {"", true, "ai.onnx: replaced on import",
     "Sequences of tensors exist in files only. The pass `sequences` follows each one as a list of tensors "
     "and puts Split, Squeeze, Unsqueeze,\n"
     "Concat, Gather, Identity and constants in the place of these operators (through If as well). What "
     "cannot be followed is refused with the\n"
     "node and the reason: a position that is not constant (unless the pieces are slices of size 1), an "
     "unknown number of pieces, a sequence\n"
     "that a Loop or Scan carries, one that is an input or output of the model.\n\n"},
    {"ai.onnx.preview", false, "ai.onnx.preview", ""},
    {"com.microsoft", false, "com.microsoft", ""},
    {"vlm", false, "vlm: our own, made by clean-up passes and lowering; not part of ONNX files", ""},
};

static int by_name(const void *a, const void *b) {
  const vlm_op *x = *(const vlm_op *const *)a, *y = *(const vlm_op *const *)b;
  int order = strcmp(x->name, y->name);
  return order ? order : x->since - y->since;
}

/* "7-12", "13+", "5" */
static void version_text(char *text, size_t size, const vlm_op *op) {
  if (op->until == 0) snprintf(text, size, "%d+", op->since);
  else if (op->until == op->since) snprintf(text, size, "%d", op->since);
  else snprintf(text, size, "%d-%d", op->since, op->until);
}

static void count_text(char *text, size_t size, int least, int most) {
  if (most < 0) snprintf(text, size, "%d+", least);
  else if (most == least) snprintf(text, size, "%d", least);
  else snprintf(text, size, "%d-%d", least, most);
}

/* One "name:type=default" of op.h. */
static vlm_status put_attribute(vlm_text *out, const char *spec, size_t length, const char *separator,
                                vlm_error *err) {
  static const char *const TYPES[][2] = {{"i", "int"},   {"f", "float"}, {"s", "string"},  {"t", "tensor"},
                                         {"g", "graph"}, {"is", "ints"}, {"fs", "floats"}, {"ss", "strings"}};
  char type[8] = "";
  const char *colon = memchr(spec, ':', length), *end = spec + length;
  if (!colon) return vlm_fail(err, VLM_INTERNAL, "attribute \"%.*s\" has no type", (int)length, spec);
  size_t n = strcspn(colon + 1, "!= ");
  if (n < sizeof type) memcpy(type, colon + 1, n);
  const char *name = NULL, *rest = colon + 1 + n;
  for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
    if (!strcmp(type, TYPES[i][0])) name = TYPES[i][1];
  if (!name) return vlm_fail(err, VLM_INTERNAL, "attribute \"%.*s\" has an unknown type", (int)length, spec);
  const char *mark = rest < end && *rest == '!' ? "**" : "";
  const char *given = rest < end && *rest == '=' ? rest : end;
  return vlm_text_print(out, err, "%s%s%.*s%s %s%.*s", separator, mark, (int)(colon - spec), spec, mark, name,
                        (int)(end - given), given);
}

static vlm_status put_attributes(vlm_text *out, const char *attrs, vlm_error *err) {
  const char *separator = "";
  for (const char *at = attrs ? attrs : ""; *(at += strspn(at, " "));) {
    size_t length = strcspn(at, " ");
    vlm_status st = put_attribute(out, at, length, separator, err);
    if (st != VLM_OK) return st;
    separator = ", ";
    at += length;
  }
  return VLM_OK;
}

/* Element types of input 0, row by row: for this document alone. */
static const char *const types_of_rows[] = {
#define VLM_OP_ROW(domain, name, since, until, min_in, max_in, min_out, max_out, attrs, types, flags, infer, \
                   prepare, run)                                                                             \
  types,
#include "runtime/ops/ops.def"
#undef VLM_OP_ROW
};

static vlm_status put_row(vlm_text *out, const vlm_op *op, vlm_error *err) {
  vlm_status st = VLM_OK;
  char versions[32], inputs[32], outputs[32];
  int32_t count;
  const vlm_op *first = vlm_op_table(&count);
  version_text(versions, sizeof versions, op);
  count_text(inputs, sizeof inputs, op->min_in, op->max_in);
  count_text(outputs, sizeof outputs, op->min_out, op->max_out);
  VLM_TRY(vlm_text_print(out, err, "| %s | %s | %s | %s | %s | ", op->name, versions, inputs, outputs,
                         types_of_rows[op - first]));
  VLM_TRY(put_attributes(out, op->attrs, err));
  VLM_TRY(vlm_text_print(out, err, " |\n"));
out:
  return st;
}

/* The rows of a section, sorted; *names = how many different operators they are. */
static vlm_status pick_rows(const vlm_op ***rows, int32_t *count, int32_t *names,
                            const domain_section *section, vlm_error *err) {
  int32_t total;
  const vlm_op *table = vlm_op_table(&total);
  *count = *names = 0;
  vlm_status st = vlm_new(rows, total, err);
  if (st != VLM_OK) return st;
  for (int32_t i = 0; i < total; i++)
    if (!strcmp(table[i].domain, section->domain) &&
        !!(table[i].flags & VLM_OP_IMPORT) == section->import_only)
      (*rows)[(*count)++] = &table[i];
  if (*count) qsort(*rows, (size_t)*count, sizeof **rows, by_name);
  for (int32_t i = 0; i < *count; i++)
    *names += i == 0 || strcmp((*rows)[i]->name, (*rows)[i - 1]->name) != 0;
  return VLM_OK;
}

static vlm_status put_section(vlm_text *out, const domain_section *section, int32_t *rows_seen,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_op **rows = NULL;
  int32_t count, names;
  VLM_TRY(pick_rows(&rows, &count, &names, section, err));
  VLM_TRY(vlm_text_print(out, err, "\n## %s\n\n%sOperators: %d.\n\n", section->title, section->text, names));
  VLM_TRY(vlm_text_print(
      out, err,
      "| operator | opsets | inputs | outputs | types | attributes |\n|---|---|---|---|---|---|\n"));
  for (int32_t i = 0; i < count; i++) VLM_TRY(put_row(out, rows[i], err));
  *rows_seen += count;
out:
  vlm_free(rows);
  return st;
}

/* Whether a section above, or an earlier row, has brought the domain of row i. */
static bool is_told(const vlm_op *table, int32_t i) {
  for (size_t s = 0; s < sizeof SECTIONS / sizeof SECTIONS[0]; s++)
    if (!strcmp(SECTIONS[s].domain, table[i].domain)) return true;
  for (int32_t k = 0; k < i; k++)
    if (!strcmp(table[k].domain, table[i].domain)) return true;
  return false;
}

/* A domain that nobody has written about gets a section by its name. */
static vlm_status put_other_domains(vlm_text *out, int32_t *rows_seen, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t total;
  const vlm_op *table = vlm_op_table(&total);
  for (int32_t i = 0; i < total; i++) {
    const domain_section section = {table[i].domain, false, table[i].domain, ""};
    if (!is_told(table, i)) VLM_TRY(put_section(out, &section, rows_seen, err));
  }
out:
  return st;
}

vlm_status vlm_operators_text(vlm_text *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t total, seen = 0;
  vlm_op_table(&total);
  VLM_TRY(vlm_text_append(out, INTRO, sizeof INTRO - 1, err));
  for (size_t s = 0; s < sizeof SECTIONS / sizeof SECTIONS[0]; s++)
    VLM_TRY(put_section(out, &SECTIONS[s], &seen, err));
  VLM_TRY(put_other_domains(out, &seen, err));
  VLM_CHECK(seen == total, err, VLM_INTERNAL, "%d rows of the operator table are in no section",
            total - seen);
out:
  return st;
}
