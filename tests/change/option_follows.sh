#!/usr/bin/env bash
# With option.patch applied: the row alone made help, checks, manual page and completion of `vlm-inspect --top N`, and
# its use shortens the tables. Prints what is wrong.      tests/change/option_follows.sh BUILD
set -uo pipefail
build=$1 bundle=datasets/captioner/bundle wrong=0
check() { "${@:2}" >/dev/null 2>&1 || { echo "not so: $1"; wrong=1; }; }
prints() { grep -qE -- "$1" <<<"$("${@:2}" 2>&1)"; }
left() { "$build/vlm-inspect" "$bundle" "$@" | sed '1,/^weights left float/d' | grep -cvE 'B  in [0-9]+ more'; }

check "the help has it" prints '^  --top N +the N largest' env COLUMNS=100 "$build/vlm-inspect" --help
check "its bounds are checked" prints '--top 0: wanted a whole number from 1 to 10000$' "$build/vlm-inspect" "$bundle" --top 0
check "it is suggested" prints 'unknown option --tip, did you mean --top\?' "$build/vlm-inspect" "$bundle" --tip 3
check "another program says whose it is" prints '--top does not belong to this program but to vlm-inspect' "$build/vlm-run" x --top 3
check "the manual page has it" grep -qF '\fB\-\-top\fR\fI N\fR' "$build/manuals/man1/vlm-inspect.1"
check "bash completes it" bash -c '. "$0"; COMP_WORDS=(vlm-inspect --to) COMP_CWORD=1; _vlm_inspect; [ "${COMPREPLY[*]}" = --top ]' \
  "$build/manuals/bash/vlm-inspect"
check "zsh and fish have it" grep -q -- "--top\|-l top" "$build/manuals/zsh/_vlm-inspect" "$build/manuals/fish/vlm-inspect.fish"
check "two rows" [ "$(left --top 2)" = 2 ]
check "as many as before without it" [ "$(left)" = 12 ]
exit $wrong
