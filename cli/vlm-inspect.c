/* vlm-inspect: what is inside a model, a packed file or a statistics file. */
#include "cli/inspect.h"

typedef struct {
  const char *what, *uses; /* uses: words of `fits` in options.def */
  vlm_status (*inspect)(const vlm_cli *cli, const char *path, vlm_error *err);
} kind_row;

static const kind_row ROWS[] = {
    [VLM_FILE_MODEL] = {"a model", "pipeline graph", vlm_inspect_model},
    [VLM_FILE_PACKED] = {"a packed file", "packed", vlm_inspect_pack},
    [VLM_FILE_STATISTICS] = {"a statistics file", "statistics", vlm_inspect_stats},
};

/* An option of another kind would be ignored silently. */
static vlm_status check_options(const vlm_cli *cli, const kind_row *kind, const char *path, vlm_error *err) {
  char what[300];
  snprintf(what, sizeof what, "%.240s, which is %s", path, kind->what);
  return vlm_args_fit(cli->args, kind->uses, what, err);
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_file_kind kind;
  const char *path = cli->args->positional.items[0];
  VLM_TRY(vlm_file_kind_of(&kind, path, err));
  VLM_TRY(check_options(cli, &ROWS[kind], path, err));
  VLM_TRY(ROWS[kind].inspect(cli, path, err));
out:
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('i', run, argc, argv); }
