"""One peer's way of quantizing one model, in a process of its own: compare.py calls

peers.py WAY MODEL CALIBRATE_FOLDER OUT.onnx

WAY: ort-minmax, ort-percentile, ort-entropy (static QDQ, per channel, u8 activations and s8 weights), ort-products (the same, MatMul and Gemm
only), ort-dynamic, nncf (post-training quantization, its defaults)."""
import pathlib
import sys
import tempfile

import numpy as np
import onnx


def arrays(folder):
    for path in sorted(pathlib.Path(folder).glob("*.npz")):
        with np.load(path) as data:
            yield {name: data[name] for name in data.files}


def prepared(model, folder):
    """ONNX Runtime's own preparation where it can do it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process
    out = str(pathlib.Path(folder) / "prepared.onnx")
    try:
        quant_pre_process(str(model), out, skip_symbolic_shape=True)
        return out
    except Exception as why:
        print(f"not prepared: {str(why)[:200]}", file=sys.stderr)
        return str(model)


def ort_static(model, folder, out, method, op_types=None):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.items = arrays(folder)

        def get_next(self):
            return next(self.items, None)

    with tempfile.TemporaryDirectory() as temporary:
        quantize_static(prepared(model, temporary), out, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=op_types,
                        calibrate_method=getattr(CalibrationMethod, method))


def ort_dynamic(model, out):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    with tempfile.TemporaryDirectory() as temporary:
        quantize_dynamic(prepared(model, temporary), out, per_channel=True, weight_type=QuantType.QInt8,
                         op_types_to_quantize=["MatMul", "Gemm", "Conv", "Attention", "LSTM"])


def nncf_static(model, folder, out):
    import nncf
    onnx.save(nncf.quantize(onnx.load(str(model)), nncf.Dataset(list(arrays(folder)))), out)


def main():
    way, model, folder, out = sys.argv[1:]
    if way == "nncf":
        nncf_static(model, folder, out)
    elif way == "ort-dynamic":
        ort_dynamic(model, out)
    elif way == "ort-products":
        ort_static(model, folder, out, "MinMax", ["MatMul", "Gemm"])
    else:
        ort_static(model, folder, out, {"ort-minmax": "MinMax", "ort-percentile": "Percentile", "ort-entropy": "Entropy"}[way])


if __name__ == "__main__":
    main()
