#!/usr/bin/env bash
# The Python package, installed into a virtual environment of its own, with the library and the programs of a build. TAP on standard output.
#   tests/python.sh BUILD
set -uo pipefail
build=$(cd "${1:?the folder of the build}" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() { printf '1..1\nok 1 - python # SKIP %s\n' "$1"; exit 0; }
fail() {
  printf '1..1\nnot ok 1 - %s\n' "$1"
  tail -n 15 "$work/log" | cut -c1-300 | sed 's/^/# /'
  exit 1
}

python=
for each in /usr/bin/python3 python3; do # Debian's first: what a version manager offers may be a stub
  if "$each" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)' 2>/dev/null; then python=$each; break; fi
done
[ -n "$python" ] || skip "no python3 (3.10 or newer) with venv"
"$python" -m venv "$work/venv" >"$work/log" 2>&1 || skip "python3 -m venv does not work here"
timeout 300 "$work/venv/bin/pip" install -q 'setuptools>=70.1' numpy pandas >"$work/log" 2>&1 || skip "numpy and pandas cannot be installed here"

# A copy of the sources: building a wheel leaves folders behind, and a checkout stays clean.
mkdir "$work/source"
cp -r CMakeLists.txt python "$work/source/" # its version number, which the package takes, stands in CMakeLists.txt
cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || fail "cmake --install"
VLMQ_PREFIX=$work/prefix "$work/venv/bin/pip" install -q --no-build-isolation "$work/source/python" >"$work/log" 2>&1 || fail "pip install ./python"
rm -r "$work/prefix" "$work/source" # what is tested is what was installed
VLMQ_TEST_ROOT=$PWD "$work/venv/bin/python" python/tests/test_vlmq.py
