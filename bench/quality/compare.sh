#!/usr/bin/env bash
# Quality of quantized models against ONNX Runtime's and NNCF's on the same samples, into docs/quality.md:   bench/quality/compare.sh [OPTION]...
# Builds Release in build/bench-release, makes build/quality-venv with the peers; options go to bench/quality/compare.py. Takes about 20 minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/bench-release venv=build/quality-venv
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DVLMQ_TESTS=OFF >/dev/null
cmake --build "$build" --parallel "$(nproc)" --target vlm-calibrate vlm-quantize vlm-eval >/dev/null
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import numpy, onnx, onnxruntime, PIL, nncf, sympy' 2>/dev/null ||
  "$venv/bin/pip" -q install numpy onnx onnxruntime pillow nncf sympy
exec "$venv/bin/python" bench/quality/compare.py "$build" -o docs/quality.md "$@"
