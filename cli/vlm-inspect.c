/* vlm-inspect: what is inside a model, a packed file or a statistics file. */
#include "cli/inspect.h"

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
} kind_row;

enum { KINDS = VLM_FILE_STATISTICS + 1 };
static const kind_row ROWS[KINDS] = {
    [VLM_FILE_MODEL] = {"a model", vlm_inspect_model, {VLM_OPT_SHAPE, VLM_OPT_DOT, VLM_OPT_DECODER, VLM_OPT_COUNT}},
    [VLM_FILE_PACKED] = {"a packed file", vlm_inspect_pack, {VLM_OPT_VERIFY, VLM_OPT_DIFF, VLM_OPT_UNPACK, VLM_OPT_DOT, VLM_OPT_SHAPE}},
    [VLM_FILE_STATISTICS] = {"a statistics file", vlm_inspect_stats, {VLM_OPT_PLOT, VLM_OPT_COUNT}},
};

static bool takes(const kind_row *kind, vlm_option_id id) {
  for (size_t i = 0; i < sizeof kind->options / sizeof kind->options[0] && kind->options[i] != VLM_OPT_COUNT; i++)
    if (kind->options[i] == id) return true;
  return false;
}

/* An option of another kind would be ignored silently. */
static vlm_status check_options(const vlm_cli *cli, const kind_row *kind, const char *path, vlm_error *err) {
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
  vlm_file_kind kind;
  VLM_CHECK(cli->args->positional.count == 1, err, VLM_USAGE, "wanted one file or folder, got %d; see vlm-inspect --help",
            cli->args->positional.count);
  const char *path = cli->args->positional.items[0];
  VLM_TRY(vlm_file_kind_of(&kind, path, err));
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
