#!/usr/bin/env bash
# What a change costs, tried: each patch of changes.txt is applied to a copy of the tree, may touch only what
# docs/architecture.md promises, and must build and pass. Then a patch with a mistake must fail, and one that
# touches more must be found. TAP on standard output.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
. scripts/setup.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/tree number=0 failed=0
# The compiler's cache must not see that the copy lies elsewhere each time.
export CCACHE_BASEDIR=$copy CCACHE_NOHASHDIR=1

# ok NAME LOG COMMAND...: one line of TAP; what the command printed as a comment when it failed.
ok() {
  local name=$1 log=$work/log
  shift
  number=$((number + 1))
  if "$@" >"$log" 2>&1 </dev/null; then echo "ok $number - $name"; return 0; fi
  echo "not ok $number - $name"
  tail -n 40 "$log" | sed 's/^/# /'
  failed=1
  return 1
}
not() { ! "$@"; }

# caught ROW: test_kernels of the copy must build, fail and name the row. A machine that cannot run the row
# cannot tell.
caught() {
  local out rc=0
  build test_kernels || return 1
  out=$("$copy/build/tests/test_kernels" 2>&1) || rc=$?
  echo "$out"
  grep -qF "not on this machine: $1" <<<"$out" || { [ $rc != 0 ] && grep -qF "$1, k " <<<"$out"; }
}

# shows TEXT COMMAND...: it must succeed and print TEXT.
shows() {
  local text=$1 out
  shift
  out=$("$@" 2>&1) || { echo "$out"; return 1; }
  grep -qF -- "$text" <<<"$out" || { echo "no \"$text\" in:"; echo "$out"; return 1; }
}

# The tree as it is, with what is not committed yet.
copy_tree() {
  mkdir -p "$copy"
  git ls-files -co --exclude-standard -z |
    while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done |
    tar --null -T - -cf - | tar -xf - -C "$copy"
}

# touches_promised PATCH ROW FILES...: the lines that the patch adds and removes against changes.txt and the
# cost table.
touches_promised() {
  local patch=$1 row promise added removed file entry found
  row=$(grep -F "| $2 |" docs/architecture.md)
  [ -n "$row" ] || { echo "docs/architecture.md has no row \"$2\""; return 1; }
  shift 2
  declare -A left=()
  for promise in "$@"; do left[$promise]=1; done
  while read -r added removed file; do
    found=
    for promise in "${!left[@]}"; do
      entry="$file:$added"
      if [ ! -f "$copy/$file" ]; then
        [[ "+$file" == $promise ]] && found=$promise
      elif [[ "~$entry" == $promise ]] && [ "$removed" = 0 ] && grep -qF "the code that uses" <<<"$row"; then
        found=$promise
      elif [ "$promise" = "$entry" ] && [ "$removed" = 0 ] && grep -qF "\`$file\`" <<<"$row"; then
        found=$promise
      fi
    done
    [ -n "$found" ] || { echo "$file (+$added -$removed) is not promised"; return 1; }
    unset "left[$found]"
  done < <(git apply --numstat "$patch")
  [ ${#left[@]} = 0 ] || { echo "promised and not touched: ${!left[*]}"; return 1; }
}

apply() { (cd "$copy" && GIT_CEILING_DIRECTORIES=$work git apply "$@"); }

# build TARGETS...
build() {
  (cd "$copy" && { [ -e build/CMakeCache.txt ] || vlmq_configure build -DVLMQ_TESTS=ON; } &&
    cmake --build build --parallel "$(nproc)" --target "$@")
}

# works TARGETS COMMAND: builds and runs in the copy.
works() { build $1 && (cd "$copy" && timeout 300 bash -c "$2"); }
export -f shows

# row PATCH ROW FILES TARGETS COMMAND
row() {
  local patch=$PWD/tests/change/$1
  set -f
  ok "$1 touches what is promised" touches_promised "$patch" "$2" $3
  set +f
  ok "$1 applies" apply "$patch" || return
  ok "$1 builds and passes" works "$4" "$5"
  apply -R "$patch"
}

git rev-parse --git-dir >/dev/null 2>&1 || { printf '1..1\nok 1 # SKIP no git here\n'; exit 0; }
copy_tree
while IFS='|' read -r patch doc files targets command; do
  row "$(xargs <<<"$patch")" "$(xargs <<<"$doc")" "$(xargs <<<"$files")" "$(xargs <<<"$targets")" "$command"
done < <(grep -v '^#' tests/change/changes.txt)

wrong=$work/wrong.patch
sed 's/_mm512_fmadd_ps/_mm512_fmsub_ps/' tests/change/kernel_row.patch >"$wrong"
apply "$wrong"
ok "a kernel row with a mistake is caught" caught vlm_q8_row_avx512vnni
apply -R "$wrong"
ok "a file that is not promised is found" not touches_promised "$PWD/tests/change/kernel_kind.patch" \
  "kernel for an instruction set" runtime/kernels/kernels.def:1 '+runtime/kernels/*_avx2.c'
echo "1..$number"
[ $failed = 0 ]
