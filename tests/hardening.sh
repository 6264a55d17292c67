#!/usr/bin/env bash
# Programs and shared libraries are hardened: what their ELF headers say. TAP on standard output.
#   tests/hardening.sh BUILD
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/build_lib.sh

# hardened FILE: says what is missing; 1 when something is.
hardened() {
  local file=$1 headers dynamic names missing=()
  headers=$(LC_ALL=C readelf -W -h -l "$file") && dynamic=$(LC_ALL=C readelf -W -d "$file") || return
  names=$(LC_ALL=C readelf -W --dyn-syms "$file")
  grep -qE 'Type: +DYN' <<<"$headers" || missing+=("position independence (DYN)")
  grep -q 'GNU_RELRO' <<<"$headers" || missing+=("RELRO")
  grep -qE 'BIND_NOW|FLAGS.* NOW' <<<"$dynamic" || missing+=("immediate binding (NOW)")
  grep -qE 'GNU_STACK.* RW +0x' <<<"$headers" || missing+=("a stack that is not executable")
  grep -q '__stack_chk_fail' <<<"$names" || missing+=("stack protector")
  grep -qE '__[a-z]+_chk' <<<"$(grep -v stack_chk <<<"$names")" || missing+=("FORTIFY")
  [ ${#missing[@]} = 0 ] || { printf '%s has no %s\n' "$file" "${missing[*]}"; return 1; }
}
every() {
  local file rc=0
  for file in "$@"; do hardened "$file" || rc=1; done
  return $rc
}
# misses FILE TEXT: the check must find it.
misses() {
  local said
  ! said=$(hardened "$1") && grep -qF "$2" <<<"$said"
}

build=${1:?the folder of a build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$(cmake -LA -N "$build" 2>/dev/null) || exit 1
if grep -qE '^VLMQ_SANITIZE:BOOL=ON|^VLMQ_HARDENING:BOOL=OFF' <<<"$cache"; then
  skip "programs are hardened" "a build without hardening"
elif ! command -v readelf >/dev/null; then
  skip "programs are hardened" "no readelf here"
else
  files=$(find "$build" -maxdepth 1 \( -name 'vlm-*' -o -name 'lib*.so*' \) -type f | LC_ALL=C sort)
  ok "programs are there" "$work/log" test -n "$files"
  ok "programs and libraries are hardened" "$work/log" every $files
  cat >"$work/soft.c" <<'END'
#include <stdio.h>
int main(int argc, char **argv) {
  char text[64];
  return sprintf(text, "%s", argv[argc - 1]) < 0;
}
END
  soft() { "${CC:-cc}" -w -O2 -o "$work/soft" "$work/soft.c" "$@"; }
  hard='-fPIE -pie -Wl,-z,relro,-z,now -fstack-protector-strong -D_FORTIFY_SOURCE=2'
  plant() { soft ${hard/$1/$2} && misses "$work/soft" "$3"; }
  ok "a hardened program passes" "$work/log" eval 'soft $hard && hardened "$work/soft"'
  ok "position: found" "$work/log" plant "-fPIE -pie" "-fno-pie -no-pie" position
  ok "RELRO: found" "$work/log" plant "-z,relro" "-z,norelro" RELRO
  ok "binding: found" "$work/log" plant "-z,now" "-z,lazy" binding
  ok "stack protector: found" "$work/log" plant "-fstack-protector-strong" "-fno-stack-protector" "stack protector"
  ok "FORTIFY: found" "$work/log" plant "-D_FORTIFY_SOURCE=2" "-U_FORTIFY_SOURCE" FORTIFY
  ok "executable stack: found" "$work/log" plant "-Wl," "-Wl,-z,execstack," "a stack"
fi
plan
