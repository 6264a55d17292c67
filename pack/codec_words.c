/* docs/format-words.txt, which is part of the format. */
#include "pack/codec.h"

const char vlm_codec_words[] =
    "{\"tool\": \"vlm-quantize 0.1.0\", \"model\": \"\", \"statistics\": \"\", \"calibration_samples\": 16}"
    "{\"graphs\": {\"model\": {\"nodes\": [{\"name\": \"\", \"op_type\": \"\", \"decision\": \"float\", \"reason"
    "\": \"\", \"decision\": \"static\", \"decision\": \"dynamic\", \"decision\": \"weight_only\", \"weights\""
    ": , \"sqnr_db\": , \"range\": \"minmax\", \"scale\": , \"zero_point\": 128}]}}} pixel_values input"
    "_ids attention_mask inputs_embeds encoder_hidden_states encoder_attention_mask decoder_i"
    "nput_ids past_key_values. present. .decoder.key .encoder.value last_hidden_state logits "
    "batch_size sequence_length batch channels height width input output config.json preproce"
    "ssor_config.json generation_config.json tokenizer_config.json vlm.json vision embed enco"
    "der decoder_first decoder_step com.microsoft FusedMatMul transA transB transBatchA alpha"
    " beta ConvTranspose MaxPool AveragePool GlobalAveragePool BatchNormalization InstanceNor"
    "malization GroupNormalization LayerNormalization SimplifiedLayerNormalization epsilon Re"
    "size Upsample Concat Split Slice Gather Unsqueeze Squeeze Expand Shape Cast Where Equal "
    "Range Constant ConstantOfShape value ReduceMean keepdims axes Pow Sqrt Erf Tanh Sigmoid "
    "HardSwish HardSigmoid Clip LeakyRelu PRelu Softmax Gelu approximate Relu Mul Div Sub Add"
    " Flatten Reshape allowzero Transpose perm LSTM GRU direction hidden_size linear_before_r"
    "eset If then_branch else_branch Loop Scan body Einsum equation auto_pad NOTSET SAME_UPPE"
    "R dilations group kernel_shape pads strides Conv Gemm Identity DynamicQuantizeLinear vlm"
    ".DynamicMatMul _scale _zero_point _quantized .weight .bias MatMul_ axisQuantizeLinear_0D"
    "equantizeLinear_1QuantizeLinearDequantizeLinearMatMulmodelgraphencoder-decoderdecoder-on"
    "lyfamilyMETAPREPTOKNTEXTGRPHWGHTTENSQPARCALBGOLD";
