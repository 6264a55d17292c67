"""Matrix product and convolution cases with outputs computed by ONNX Runtime, in the ONNX backend-test layout.

Usage: .venv/bin/python tests/oracles/make_product_cases.py tests/cli/data/product_cases
Weights of uint8 x int8 cases stay within 7 bits: without VNNI, ONNX Runtime's kernels saturate on larger ones (ours never do)."""
import numpy as np

import make_op_cases as base
from make_op_cases import MS, case, f32, q, rng, scalar, u8

base.CASES.clear()


def w7(*shape):
    return rng.integers(-64, 64, shape).astype(np.int8)


for constant in (False, True):
    c = (1,) if constant else ()
    tag = "_constant" if constant else ""
    case("matmul_rows" + tag, "MatMul", [f32(2, 3, 37, 19), f32(19, 53)], constants=c)
    case("matmul_vector" + tag, "MatMul", [np.abs(f32(300)), np.abs(f32(300, 70))], constants=c)
    case("matmul_one_row" + tag, "MatMul", [f32(1, 1, 65), f32(65, 200)], constants=c)
    case("gemm_transposed" + tag, "Gemm", [f32(7, 20), f32(33, 7), f32(33)], constants=c, transA=1, transB=1, alpha=0.5, beta=2.0)
    case("conv_1x1" + tag, "Conv", [f32(2, 19, 5, 7), f32(21, 19, 1, 1), f32(21)], constants=c)
    case("conv_transpose_groups" + tag, "ConvTranspose", [f32(2, 4, 5, 6), f32(4, 3, 3, 2), f32(6)], constants=c, group=2, strides=[2, 3], pads=[1, 0, 1, 1],
         output_padding=[1, 2], dilations=[1, 2])
case("matmul_batch_broadcast", "MatMul", [f32(3, 1, 4, 5), f32(2, 5, 6)])
case("matmul_matrix_vector", "MatMul", [f32(2, 9, 40), f32(40)])
case("matmul_batched_constant", "MatMul", [f32(3, 9, 20), f32(3, 20, 33)], constants=(1,))
case("matmul_double", "MatMul", [f32(4, 7).astype(np.float64), f32(7, 3).astype(np.float64)])
case("gemm_column_addend", "Gemm", [f32(6, 4), f32(4, 5), f32(6, 1)], beta=0.25)
case("gemm_scalar_addend", "Gemm", [f32(6, 4), f32(4, 5), scalar(1.5)])
case("gemm_no_addend", "Gemm", [f32(6, 4), f32(4, 5)], transB=0)
case("conv_depthwise", "Conv", [f32(2, 6, 9, 40), f32(6, 1, 3, 3), f32(6)], group=6, pads=[1, 1, 1, 1])
case("conv_depthwise_multiplier", "Conv", [f32(1, 3, 9, 12), f32(6, 1, 3, 5)], group=3, strides=[2, 1], pads=[0, 2, 2, 2])
case("conv_groups_dilated", "Conv", [f32(2, 8, 11, 13), f32(12, 2, 3, 3), f32(12)], group=4, dilations=[2, 3], pads=[2, 0, 1, 3])
case("conv_1d", "Conv", [f32(2, 5, 50), f32(7, 5, 9)], strides=[3], pads=[4, 4])
# Small terms: a sum of 54 or 192 of them rounds by less than the tests' absolute tolerance, whatever its order.
case("conv_3d", "Conv", [f32(1, 3, 5, 6, 7, scale=0.125), f32(4, 3, 2, 3, 3, scale=0.125)], pads=[1, 0, 1, 0, 1, 1])
case("conv_patches", "Conv", [f32(1, 3, 32, 32, scale=0.125), f32(48, 3, 8, 8, scale=0.125), f32(48, scale=0.125)], strides=[8, 8], constants=(1,))
case("conv_same_lower", "Conv", [f32(1, 2, 7, 8), f32(3, 2, 4, 4)], auto_pad="SAME_LOWER", strides=[2, 2])
case("conv_transpose_same", "ConvTranspose", [f32(1, 2, 5, 5), f32(2, 3, 4, 4)], auto_pad="SAME_UPPER", strides=[2, 2])
case("ms_fused_matmul", "FusedMatMul", [f32(2, 7, 5), f32(2, 9, 7)], domain=MS, transA=1, transB=1, alpha=0.125)
case("ms_fused_gemm", "FusedGemm", [f32(6, 20), f32(20, 5), f32(5)], domain=MS, activation="Relu")
case("ms_fused_gemm_leaky", "FusedGemm", [f32(6, 20), f32(20, 5), f32(5)], domain=MS, activation="LeakyRelu", activation_alpha=0.2)
case("ms_fused_conv", "FusedConv", [f32(1, 3, 9, 9), f32(5, 3, 3, 3), f32(5)], domain=MS, activation="HardSigmoid", activation_params=[0.3, 0.4])
case("ms_fused_conv_residual", "FusedConv", [f32(1, 3, 9, 9), f32(5, 3, 3, 3), f32(5), f32(1, 5, 7, 7)], domain=MS, activation="Relu")
case("matmul_integer", "MatMulInteger", [u8(2, 9, 40), w7(40, 21), scalar(131, np.uint8)])
case("matmul_integer_u8", "MatMulInteger", [u8(9, 40), u8(40, 21), scalar(7, np.uint8), rng.integers(0, 256, 21).astype(np.uint8)], constants=(1,))
case("matmul_integer_batch", "MatMulInteger", [u8(2, 3, 4, 9), w7(3, 9, 6), scalar(3, np.uint8)])
case("qlinear_matmul", "QLinearMatMul", [u8(3, 40), *q(0.02, 120), w7(40, 9), *q(0.01, 0, np.int8), *q(0.2, 99)])
case("qlinear_matmul_columns", "QLinearMatMul",
     [u8(3, 40), *q(0.02, 120), w7(40, 3), np.array([0.01, 0.02, 0.03], np.float32), np.zeros(3, np.int8), *q(0.4, 99)], constants=(3, 4, 5))
case("conv_integer", "ConvInteger", [u8(1, 3, 9, 9), u8(4, 3, 3, 3), scalar(100, np.uint8), scalar(120, np.uint8)], pads=[1, 1, 1, 1])
case("conv_integer_groups", "ConvInteger", [u8(2, 4, 7, 7), u8(6, 2, 2, 2), scalar(9, np.uint8)], group=2, strides=[2, 1])
case("qlinear_conv", "QLinearConv",
     [u8(1, 3, 9, 9), *q(0.02, 110), w7(4, 3, 3, 3), np.array([0.01, 0.02, 0.03, 0.005], np.float32), np.zeros(4, np.int8), *q(0.25, 90),
      rng.integers(-2000, 2000, 4).astype(np.int32)], constants=(3, 4, 5, 8), pads=[1, 1, 1, 1])
case("qlinear_conv_depthwise", "QLinearConv",
     [u8(1, 4, 9, 9), *q(0.02, 110), u8(4, 1, 3, 3), *q(0.01, 77), *q(0.25, 90)], constants=(3, 4, 5), group=4)
case("ms_dynamic_quantize_matmul", "DynamicQuantizeMatMul", [f32(5, 40), w7(40, 9), scalar(0.013), scalar(0, np.int8), f32(9)], domain=MS, constants=(1,))
case("ms_dynamic_quantize_columns", "DynamicQuantizeMatMul",
     [f32(2, 5, 40), w7(40, 9), np.abs(f32(9)) * 0.01, rng.integers(-9, 9, 9).astype(np.int8)], domain=MS)
case("ms_matmul_integer_to_float", "MatMulIntegerToFloat",
     [u8(5, 40), w7(40, 9), scalar(0.02), np.abs(f32(9)) * 0.01, scalar(99, np.uint8), np.zeros(9, np.int8), f32(9)], domain=MS)
case("ms_qgemm", "QGemm", [u8(6, 20), *q(0.02, 120), w7(20, 5), *q(0.01, 0, np.int8), rng.integers(-900, 900, 5).astype(np.int32), *q(0.1, 100)],
     domain=MS, constants=(3, 4, 5))
case("ms_qgemm_float", "QGemm", [u8(6, 20), *q(0.02, 120), w7(5, 20), np.abs(f32(5)) * 0.01, np.zeros(5, np.int8), rng.integers(-900, 900, 5).astype(np.int32)],
     domain=MS, constants=(3, 4, 5), transB=1, alpha=2.0)
for bits, block in ((4, 32), (4, 16)):
    blocks = -(-70 // block)
    case(f"ms_matmul_nbits_{bits}_{block}", "MatMulNBits", [f32(3, 70), u8(11, blocks, block * bits // 8), np.abs(f32(11 * blocks)) * 0.1], domain=MS,
         constants=(1, 2), K=70, N=11, bits=bits, block_size=block)
    case(f"ms_matmul_nbits_zero_{bits}_{block}", "MatMulNBits",
         [f32(2, 3, 70), u8(11, blocks, block * bits // 8), np.abs(f32(11 * blocks)) * 0.1, u8(11 * (-(-blocks * bits // 8)))], domain=MS,
         constants=(1, 2, 3), K=70, N=11, bits=bits, block_size=block)

for kind, name in enumerate(("fp4", "nf4")):
    case(f"ms_matmul_bnb4_{name}", "MatMulBnb4", [f32(2, 3, 70), u8(-(-11 * 70 // 2)), np.abs(f32(-(-11 * 70 // 32)))], domain=MS, constants=(1, 2),
         K=70, N=11, block_size=32, quant_type=kind)

base.main()
