#!/usr/bin/env bash
# Small files that ask for much (tests/oracles/make_bombs.py): each ends with the right exit within 60 seconds of the processor
# (what is quadratic takes hours), and a refused one takes no more memory than docs/limits.md says.
# TAP on standard output; `--table` prints a Markdown table instead.   tests/bombs.sh BUILD [--table]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD build=$(cd "$1" && pwd) table=${2:-}
command -v python3 >/dev/null || { echo "1..0 # SKIP python3 is not here"; exit 0; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
python3 "$root/tests/oracles/make_bombs.py" . >list || exit 1
# Exit code, processor seconds (user) and peak memory in KiB of a command.
cat >measure.py <<'PY'
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
try:
    code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=open("err", "w"), timeout=240).returncode
except subprocess.TimeoutExpired:
    code = 124
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, f"{used.ru_utime + used.ru_stime:.2f}", used.ru_maxrss)
PY
printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }" >x.npy
head -c 16 /dev/zero >>x.npy

# commands KIND FILE: one command per line.
commands() {
  case $1 in
    model)
      echo "vlm-inspect $2"
      echo "vlm-run $2 --input x=x.npy --output-dir out$n"
      ;;
    tokenizer)
      cp -r "$root/datasets/captioner/bundle" "bundle$n" && cp "$2" "bundle$n/tokenizer.json"
      echo "vlm-run bundle$n $root/datasets/screens/test/test_0000.png --prompt aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      ;;
    image) echo "vlm-run $root/datasets/captioner/bundle $2" ;;
    array) echo "vlm-run $root/tests/onnx/data/gemm_rows.onnx --input x=$2 --output-dir out$n" ;;
    captions) echo "vlm-eval --metrics-only $2 $2" ;;
  esac
}

base=$(python3 measure.py "$build/vlm-run" --version | cut -d' ' -f3)
n=0 tests=0 failed=0
[ "$table" = --table ] && printf '| file | bytes | program | exit | seconds | MiB above its size |\n|---|---|---|---|---|---|\n'
while read -r name kind exits; do
  n=$((n + 1))
  size=$(stat -c %s "$name")
  while read -r program arguments; do
    # shellcheck disable=SC2086 # words of the command
    read -r code time peak < <(python3 measure.py "$build/$program" $arguments)
    above=$(((peak - base - size / 1024) / 1024)) why=''
    [[ ,$exits, == *,$code,* ]] || why="exit $code, wanted $exits: $(tail -c 200 err)"
    [ "$code" != 2 ] || [ $above -lt $((64 + size * 100 / 1048576)) ] || why="$why; $above MiB above its size: $(tail -c 200 err)"
    tests=$((tests + 1))
    if [ "$table" = --table ]; then echo "| $name | $size | $program | $code | $time | $above |${why:+ ${why#; }}"
    elif [ -z "$why" ]; then echo "ok $tests - $name: $program"
    else
      failed=$((failed + 1))
      echo "not ok $tests - $name: $program"
      echo "# ${why#; }"
    fi
  done < <(commands "$kind" "$name")
done <list
[ "$table" = --table ] || echo "1..$tests"
[ $failed = 0 ]
