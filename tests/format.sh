#!/usr/bin/env bash
# The tree obeys .clang-format, as clang-format 14 reads it (others lay out differently). TAP on standard output.
#   tests/format.sh           checks every .c and .h file, then that a planted line is found
#   tests/format.sh --count   how many files and lines would change
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/build_lib.sh

program=$(command -v clang-format-14 || command -v clang-format)
files() { git ls-files -co --exclude-standard '*.c' '*.h' | LC_ALL=C sort; }

# lines FILE...: "LINES FILE" of those that would change.
lines() {
  local file n
  for file in "$@"; do
    n=$("$program" "$file" | diff "$file" - | grep -c '^<')
    [ "$n" = 0 ] || echo "$n $file"
  done
}
export -f lines
export program

unformatted() { files | xargs -P "$(nproc)" -n 20 bash -c 'lines "$@"' lines | LC_ALL=C sort -k 2; }
obeys() {
  local found
  found=$(unformatted)
  [ -z "$found" ] || { echo "$found"; return 1; }
}
planted() {
  printf 'int   vlm_odd( void ){return 1 ;}\n' >"$work/odd.c" && cp .clang-format "$work" && [ -n "$(lines "$work/odd.c")" ]
}

if ! "${program:-false}" --version 2>/dev/null | grep -q 'version 14\.'; then
  skip "files are laid out as .clang-format says" "no clang-format 14 here"
elif [ "${1:-}" = --count ]; then
  unformatted | awk '{ n += $1 } END { print NR " files, " n + 0 " lines would change" }'
  exit
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  ok "files are laid out as .clang-format says" "$work/log" obeys
  ok "a line that is not is found" "$work/log" planted
fi
plan
