#!/usr/bin/env bash
# What a camera's frame of 1920 x 1080 costs as 768 x 768, in instructions, against converting it to RGB first. TAP on standard output.
#   tests/yuv.sh BUILD
set -uo pipefail
program=$(cd "${1:?the folder of the build}" && pwd)/tests/test_yuv || exit 1
command -v valgrind >/dev/null || { printf '1..1\nok 1 - frames # SKIP valgrind is not here\n'; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 1..1
count() {
  valgrind --tool=callgrind --callgrind-out-file="$work/out" "$program" "$1" >/dev/null 2>&1
  sed -n 's/^summary: //p' "$work/out"
}
nothing=$(count --nothing) straight=$(count --straight) convert=$(count --convert)
straight=$((straight - nothing)) convert=$((convert - nothing))
echo "# straight $straight, converting first $convert"
if [ $((straight * 4)) -le $convert ]; then echo "ok 1 - at least 4 times fewer instructions"; else echo "not ok 1 - at least 4 times fewer instructions"; exit 1; fi
