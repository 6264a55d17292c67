#include "cli/targets_page.h"

#include "export/coverage.h"
#include "export/limits.h"

static const char INTRO[] =
    "# Targets\n"
    "\n"
    "Made from `export/targets.def`, `providers.def`, `coverage.def`, `limits.def` and `settings.def` by the "
    "CMake target `targets_md`; do not edit.\n"
    "\n"
    "`vlm-quantize --onnx-out DIR --target NAME` writes a model's files for a target; `vlm-inspect DIR "
    "--target NAME` says what it takes of them:\n"
    "partitions, nodes that stay on the CPU and why, the share of the multiplications, dims that have to be "
    "fixed (`--freeze DIM=N`). The tables\n"
    "are read from the sources named in them, ONNX Runtime as of 1.24. For the CPU provider they are checked "
    "against the graph that ONNX Runtime\n"
    "makes of exported files (`tests/export.sh`); the others are predictions, and for QNN the vendor's "
    "library has the last word when a session is\n"
    "made.\n"
    "\n"
    "| target | runs on | activations | source |\n"
    "|---|---|---|---|\n";

static const char *provider_name(vlm_provider provider) {
  static const char *const NAMES[] = {
#define X(name, ...) #name,
#include "export/providers.def"
#undef X
  };
  return NAMES[provider];
}

static vlm_status put_targets(vlm_text *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int t = 0; t < VLM_TARGET_COUNT; t++) {
    const vlm_target *target = vlm_target_get((vlm_target_id)t);
    VLM_TRY(vlm_text_print(out, err, "| `%s` | %s | %s | %s |\n", target->name, target->title,
                           vlm_dtype_name(target->activations), vlm_provider_source(target->provider)));
  }
out:
  return st;
}

static vlm_status put_limits(vlm_text *out, int32_t limits, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool any = false;
  for (int i = 0; i < VLM_LIMIT_COUNT; i++) {
    if (!(limits >> i & 1)) continue;
    VLM_TRY(vlm_text_print(out, err, "%s%s", any ? "; " : "", vlm_limit_text((vlm_limit_id)i)));
    any = true;
  }
  VLM_TRY(vlm_text_print(out, err, " | "));
out:
  return st;
}

static const char *unit_types(int32_t units) {
  if (units == VLM_UNIT_ANY) return "uint8, int8, uint16";
  if (units == (VLM_UNIT_U8 | VLM_UNIT_S8)) return "uint8, int8";
  return units == VLM_UNIT_U8 ? "uint8" : units == VLM_UNIT_S8 ? "int8" : "no";
}

static vlm_status put_row(vlm_text *out, const vlm_covered *row, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_text_print(out, err, "| %s | ", row->ops));
  VLM_TRY(put_limits(out, row->limits, err));
  VLM_TRY(vlm_text_print(out, err, "%s | ", unit_types(row->units)));
  VLM_TRY(put_limits(out, row->unit_limits, err));
  VLM_TRY(vlm_text_print(out, err, "%s | %s |\n", row->kernel, row->source));
out:
  return st;
}

static vlm_status put_settings(vlm_text *out, vlm_provider provider, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_provider_setting *s = vlm_provider_next_setting(provider, NULL);
  if (s) VLM_TRY(vlm_text_print(out, err, "\n| setting | what it does | source |\n|---|---|---|\n"));
  for (; s; s = vlm_provider_next_setting(provider, s))
    VLM_TRY(vlm_text_print(out, err, "| `%s` | %s | %s |\n", s->name, s->text, s->source));
out:
  return st;
}

static vlm_status put_gates(vlm_text *out, vlm_provider provider, vlm_error *err) {
  static const struct {
    int32_t flag;
    const char *text;
  } GATES[] = {
      {VLM_PROVIDER_TAKES_ALL, "Takes every operator as floats; listed are those with an 8-bit kernel."},
      {VLM_PROVIDER_FIXED, "Takes a node only where all dims are numbers."},
      {VLM_PROVIDER_STOPS, "Takes nothing behind a NonMaxSuppression."},
      {VLM_PROVIDER_EACH_ALONE, "Kernels of single nodes: the CPU's run between them, without copies."},
      {VLM_PROVIDER_NO_UNITS,
       "Looks at each node by itself and has neither QuantizeLinear nor DequantizeLinear: floats only."}};
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < sizeof GATES / sizeof GATES[0]; i++)
    if (vlm_provider_flags(provider) & GATES[i].flag)
      VLM_TRY(vlm_text_print(out, err, "%s\n", GATES[i].text));
  if (!(vlm_provider_flags(provider) & VLM_PROVIDER_BODIES))
    VLM_TRY(vlm_text_print(out, err,
                           "Takes nothing inside If, Loop and Scan: decoders are written as two files.\n"));
out:
  return st;
}

static vlm_status put_provider(vlm_text *out, vlm_provider provider, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t count;
  const vlm_covered *rows = vlm_coverage_rows(&count);
  VLM_TRY(vlm_text_print(out, err, "\n## %s\n\n", provider_name(provider)));
  VLM_TRY(put_gates(out, provider, err));
  VLM_TRY(vlm_text_print(
      out, err, "\n| operators | if | in 8 bits | if | kernel | source |\n|---|---|---|---|---|---|\n"));
  for (int32_t i = 0; i < count; i++)
    if (rows[i].provider == provider) VLM_TRY(put_row(out, &rows[i], err));
  VLM_TRY(put_settings(out, provider, err));
out:
  return st;
}

vlm_status vlm_targets_page(vlm_text *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_text_append(out, INTRO, sizeof INTRO - 1, err));
  VLM_TRY(put_targets(out, err));
  for (int p = 0; p < VLM_PROVIDER_COUNT; p++) VLM_TRY(put_provider(out, (vlm_provider)p, err));
out:
  return st;
}
