#!/usr/bin/env bash
# What vlm-quantize exports, run in ONNX Runtime and OpenVINO (tests/oracles/check_export.py). TAP on standard output.
#   tests/export.sh [BUILD]      BUILD: folder with the programs, default build
# The runtimes come from the package index into BUILD/export-venv; without them the test is skipped, and says so.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
venv=$build/export-venv
modules='import numpy, onnx, onnxruntime, openvino, PIL, tokenizers'
skip() { printf '1..1\nok 1 - export # SKIP %s\n' "$1"; exit 0; }

[ -x "$build/vlm-quantize" ] || { echo "$build/vlm-quantize is missing: build first"; exit 1; }
if ! "$venv/bin/python" -c "$modules" 2>/dev/null; then
  python3 -m venv "$venv" >"$build/export-venv.log" 2>&1 || skip "python3 -m venv does not work here"
  timeout 300 "$venv/bin/pip" -q install numpy onnx onnxruntime openvino pillow tokenizers >>"$build/export-venv.log" 2>&1 ||
    skip "onnxruntime and openvino cannot be installed here (see $build/export-venv.log)"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$venv/bin/python" tests/oracles/check_export.py "$build" "$work" ort openvino
