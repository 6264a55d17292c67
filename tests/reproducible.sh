#!/usr/bin/env bash
# Two builds in different folders give the same bytes. TAP on standard output.
#   tests/reproducible.sh          some of the archives, with debug information
#   tests/reproducible.sh all      programs and libraries as well
# Without the compiler's cache, which would give one object to both.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. scripts/setup.sh
. tests/build_lib.sh
export CCACHE_DISABLE=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
targets='vlmq-base vlmq-graph vlmq-image'
[ "${1:-}" != all ] || targets=all

# build FOLDER: a copy of the tree there, and its build.
build() {
  mkdir -p "$1" && git ls-files -co --exclude-standard -z |
    while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done |
    tar --null -T - -cf - | tar -xf - -C "$1"
  (cd "$1" && vlmq_configure build -DVLMQ_TESTS=OFF -DCMAKE_C_FLAGS=-g && cmake --build build --parallel "$(nproc)" --target $targets)
}
outputs() { (cd "$1/build" && find . -maxdepth 1 -type f \( -name 'lib*' -o -name 'vlm-*' \) | LC_ALL=C sort); }
compare() {
  local file rc=0 files
  files=$(outputs "$work/one")
  [ -n "$files" ] && [ "$files" = "$(outputs "$two")" ] || { echo "not the same files: $files"; return 1; }
  for file in $files; do cmp "$work/one/build/$file" "$two/build/$file" || rc=1; done
  return $rc
}
# No folder of this machine in what was built.
clean() { (cd "$work/one/build" && ! grep -l -aF "$work" $(outputs "$work/one")); }

git rev-parse --git-dir >/dev/null 2>&1 || { skip "same bytes" "no git here"; plan; exit; }
two="$work/a folder with another name"
ok "a build" "$work/log" build "$work/one" &&
  ok "a build in another folder" "$work/log" build "$two" &&
  ok "same bytes" "$work/log" compare &&
  ok "no name of a folder in them" "$work/log" clean &&
  printf 'x' >>"$(find "$two/build" -maxdepth 1 -name 'lib*' | head -1)" &&
  ok "a difference is found" "$work/log" eval '! compare'
plan
