#!/usr/bin/env bash
# Runs of single graphs against ONNX Runtime and OpenVINO, alternating, into docs/performance.md:   bench/compare.sh [OPTION]...
# Builds Release in build/bench-release, makes build/bench-venv with the two peers; options go to bench/compare.py. The machine should be idle.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/bench-release venv=build/bench-venv
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DVLMQ_TESTS=OFF >/dev/null
cmake --build "$build" --parallel "$(nproc)" --target bench_graph bench_kernels vlm-calibrate vlm-quantize >/dev/null
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import numpy, onnx, onnxruntime, openvino' 2>/dev/null || "$venv/bin/pip" -q install numpy onnx onnxruntime openvino
exec "$venv/bin/python" bench/compare.py "$build" -o docs/performance.md "$@"
