#!/usr/bin/env bash
# The conformance figures: one line per suite in the ONNX backend-test layout, then the sum. Suites that are not there are left out.
#   tests/conformance.sh [BUILD]      BUILD: folder with vlm-run, default build; suites are extracted to BUILD/suites
# A line per failure follows its suite, and one per unsupported case with -v. Exit 1 when a case failed or nothing was run.
set -uo pipefail
verbose=0
[ "${1:-}" != -v ] || { verbose=1; shift; }
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
run=$build/vlm-run
[ -x "$run" ] || { echo "$run is missing: build first (./test.sh, or cmake --build $build --target vlm-run)"; exit 1; }

passed=0 failed=0 unsupported=0

# line NAME PASSED FAILED UNSUPPORTED
line() { printf '%-34s %6d passed %4d failed %4d unsupported\n' "$@"; }

# suite NAME FOLDER [OPTION]...
suite() {
  local out rc=0 p f u known
  [ -d "$2" ] || { printf '%-34s not here\n' "$1"; return; }
  out=$("$run" --check "$2" -v "${@:3}" 2>&1) || rc=$?
  read -r p f u < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) unsupported$/\1 \2 \3/p' <<<"$out" | tail -1)
  if [ -z "${u:-}" ]; then # no closing line: the program itself went wrong
    p=0 f=1 u=0
    tail -3 <<<"$out"
  fi
  [ "$rc" = 0 ] || [ "$f" != 0 ] || f=1
  known=$(sed -nE 's/^failed ([^:]*):.*/\1/p' <<<"$out" | grep -cxF -f <(grep -v '^#' tests/conformance_known.txt))
  f=$((f - known))
  line "$1" "$p" "$f" "$u"
  [ "$known" = 0 ] || echo "  $known more differ from reference data that is wrong (tests/conformance_known.txt)"
  grep -E '^failed' <<<"$out" | grep -vwF -f <(grep -v '^#' tests/conformance_known.txt) | sed 's/^/  /'
  [ $verbose = 0 ] || grep -E '^unsupported' <<<"$out" | sed 's/^/  /'
  passed=$((passed + p)) failed=$((failed + f)) unsupported=$((unsupported + u))
}

# Every archive once, into a folder of its name.
for archive in ../shared/data/suites/*.tar.zst; do
  [ -e "$archive" ] || continue
  folder=$build/suites/$(basename "$archive" .tar.zst)
  [ -d "$folder" ] && continue
  rm -rf "$folder.part" && mkdir -p "$folder.part" && tar --zstd -xf "$archive" -C "$folder.part" && mv "$folder.part" "$folder" || exit 1
done

suite "ONNX backend suite" "$build/suites/onnx-backend-data"
suite "libonnx-testdata (Debian)" /usr/share/libonnx-testdata/data
# Whole models: outputs near 1 are sums of sums, and their float32 step is above the usual 1e-7.
suite "libonnx models" "$build/suites/libonnx-models" --atol 1e-6
suite "trained models" ../shared/data/models
line "all" $passed $failed $unsupported
[ $failed = 0 ] && [ $passed != 0 ]
