/* vlm-inspect: what is inside a model, a packed file or a statistics file. */
#include <string.h>

#include "cli/inspect.h"
#include "runtime/base/file.h"

static const char USAGE[] =
    "  vlm-inspect MODEL [--shape DIM=N] [--dot FILE]\n"
    "  vlm-inspect PACKED.vlmq [--verify | --diff OTHER.vlmq | --unpack DIR | --dot FILE]\n"
    "  vlm-inspect STATS.h5 [--plot DIR]\n";
static const char EXAMPLES[] =
    "  vlm-inspect florence2/                                  graphs, parameters, MACs, memory, what would be quantized\n"
    "  vlm-inspect detector.onnx --shape height=640 --shape width=640 --dot detector.dot\n"
    "  vlm-inspect florence2.vlmq --verify                     hashes and golden outputs; exit 5 if wrong\n"
    "  vlm-inspect new.vlmq --diff old.vlmq\n"
    "  vlm-inspect receipts.h5 --plot histograms/\n";

typedef struct {
  const char *what;
  vlm_status (*inspect)(const vlm_cli *cli, const char *path, vlm_error *err);
  vlm_option_id options[5]; /* that only this kind takes; VLM_OPT_COUNT ends the list */
} file_kind;

enum { MODEL, PACKED, STATISTICS, KINDS };
static const file_kind ROWS[KINDS] = {
    [MODEL] = {"a model", vlm_inspect_model, {VLM_OPT_SHAPE, VLM_OPT_DOT, VLM_OPT_DECODER, VLM_OPT_COUNT}},
    [PACKED] = {"a packed file", vlm_inspect_pack, {VLM_OPT_VERIFY, VLM_OPT_DIFF, VLM_OPT_UNPACK, VLM_OPT_DOT, VLM_OPT_SHAPE}},
    [STATISTICS] = {"a statistics file", vlm_inspect_stats, {VLM_OPT_PLOT, VLM_OPT_COUNT}},
};

/* By the first bytes; a file that has lost them is told by its name. */
static vlm_status kind_of(int *out, const char *path, vlm_error *err) {
  static const unsigned char HDF5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  size_t n = strlen(path);
  *out = MODEL;
  if (vlm_file_is_folder(path)) return VLM_OK;
  VLM_TRY(vlm_file_map(&file, path, err));
  bool hdf5 = file.bytes >= sizeof HDF5 && !memcmp(file.data, HDF5, sizeof HDF5);
  if (hdf5 || (n > 3 && !strcmp(path + n - 3, ".h5"))) *out = STATISTICS;
  else if (vlm_is_packed(path)) *out = PACKED;
out:
  vlm_file_unmap(&file);
  return st;
}

static bool takes(const file_kind *kind, vlm_option_id id) {
  for (size_t i = 0; i < sizeof kind->options / sizeof kind->options[0] && kind->options[i] != VLM_OPT_COUNT; i++)
    if (kind->options[i] == id) return true;
  return false;
}

/* An option of another kind would be ignored silently. */
static vlm_status check_options(const vlm_cli *cli, const file_kind *kind, const char *path, vlm_error *err) {
  for (int k = 0; k < KINDS; k++)
    for (size_t i = 0; i < sizeof ROWS[k].options / sizeof ROWS[k].options[0] && ROWS[k].options[i] != VLM_OPT_COUNT; i++) {
      vlm_option_id id = ROWS[k].options[i];
      if (vlm_args_has(cli->args, id) && !takes(kind, id))
        return vlm_fail(err, VLM_USAGE, "%s does not go with %s: %s is %s", vlm_option_name(id), path, path, kind->what);
    }
  return VLM_OK;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  int kind;
  VLM_CHECK(cli->args->positional.count == 1, err, VLM_USAGE, "wanted one file or folder, got %d; see vlm-inspect --help",
            cli->args->positional.count);
  const char *path = cli->args->positional.items[0];
  VLM_TRY(kind_of(&kind, path, err));
  VLM_TRY(check_options(cli, &ROWS[kind], path, err));
  VLM_TRY(ROWS[kind].inspect(cli, path, err));
out:
  return st;
}

int main(int argc, char **argv) {
  static const vlm_program program = {.name = "vlm-inspect",
                                      .summary = "shows what is inside a model, a packed file or a statistics file",
                                      .usage = USAGE,
                                      .examples = EXAMPLES,
                                      .letter = 'i',
                                      .run = run};
  return vlm_program_main(&program, argc, argv);
}
