#!/bin/sh
# Makes <repo>/.venv with everything the dataset, training and oracle scripts use.
# Versions are pinned because the exporter's output (and so the committed graphs) depends on them.
#   sh datasets/captioner/venv.sh
# Debian packages used: python3 python3-venv fonts-dejavu-core fonts-liberation2 fonts-lato fonts-open-sans
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-/usr/bin/python3}
[ -d .venv ] || "$PYTHON" -m venv .venv
.venv/bin/pip install -q "numpy<2.3" "onnx==1.17.0" "onnxruntime==1.22.0" "tokenizers==0.21.1" "pillow==11.2.1"
.venv/bin/pip install -q "torch==2.6.0"
.venv/bin/python -c "import torch, onnx, onnxruntime, tokenizers, PIL, numpy; print(torch.__version__, onnx.__version__, onnxruntime.__version__, numpy.__version__)"
