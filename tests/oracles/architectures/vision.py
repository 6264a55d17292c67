"""Vision encoders, with and without the projector of a vision-language model, and MobileNetV3."""

from functools import partial

import torch
import torch.nn.functional as F
import torchvision
from timm.layers import LayerNorm2d
from timm.models import fastvit
from timm.utils import reparameterize_model
from torch import nn
from transformers import (BlipVisionConfig, BlipVisionModel, CLIPVisionConfig, CLIPVisionModel, DeiTConfig, DeiTModel, SiglipVisionConfig,
                          SiglipVisionModel, SmolVLMConfig, SmolVLMModel, ViTConfig, ViTModel)

from .export import Graph, rand, randomise, settle

PIXELS = {"pixel_values": {0: "batch_size"}}


class Call(nn.Module):
    """A module seen through a function that picks what becomes a graph output."""

    def __init__(self, module, function):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *args):
        return self.function(self.module, *args)


def images(side, batches=(2,), seed=100):
    return [{"pixel_values": rand(seed + b, b, 3, side, side)} for b in batches]


def batched(outputs):
    return PIXELS | {o: {0: "batch_size"} for o in outputs}


# ---- CLIP, SigLIP ----

def clip_config(full):
    if full:
        return CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336,
                                patch_size=14, projection_dim=768)
    return CLIPVisionConfig(hidden_size=16, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2, image_size=42, patch_size=14)


def siglip_config(full):
    if full:
        return SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, image_size=384,
                                  patch_size=14)
    return SiglipVisionConfig(hidden_size=16, intermediate_size=44, num_hidden_layers=2, num_attention_heads=2, image_size=48, patch_size=14)


def encoder_graphs(model, config, seed, full, folded=0):
    """last_hidden_state and pooler_output, as Optimum's feature extraction."""
    outputs = ["last_hidden_state", "pooler_output"]
    call = Call(randomise(model, seed), lambda m, x: tuple(m(x, return_dict=False)[:2]))
    sets = images(config.image_size, (1,) if full else (1, 2))
    graphs = [Graph("model", call, sets, outputs, batched(outputs), folded=folded)]
    if not full:
        graphs.append(Graph("dynamo", call, images(config.image_size, (1,)), outputs, dynamo=True, folded=folded))
    return graphs


def clip(full):
    config = clip_config(full)
    return encoder_graphs(CLIPVisionModel(config), config, 1, full)


def siglip(full):
    config = siglip_config(full)
    return encoder_graphs(SiglipVisionModel(config), config, 2, full, config.hidden_size**2)  # the query of the pooling head is a weight


# ---- projectors ----

class LdpV2(nn.Module):
    """MobileVLM v2: linear-GELU-linear, 2 x 2 average pooling, depthwise 3 x 3 with a residual as position generator."""

    def __init__(self, d, out):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(d, out), nn.GELU(), nn.Linear(out, out))
        self.peg = nn.Conv2d(out, out, 3, padding=1, groups=out)

    def forward(self, x):
        x = self.mlp(x)
        b, n, c = x.shape
        side = int(n**0.5)
        x = F.adaptive_avg_pool2d(x.transpose(1, 2).reshape(b, c, side, side), (side // 2, side // 2))
        x = self.peg(x) + x
        return x.flatten(2).transpose(1, 2)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over C of NCHW."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LdpBlock(nn.Module):
    """MobileNetV3's inverted residual with LayerNorm in place of BatchNorm."""

    def __init__(self, c, stride):
        super().__init__()
        self.depthwise = nn.Sequential(nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False), ChannelNorm(c), nn.Hardswish())
        self.fc1, self.fc2 = nn.Conv2d(c, c // 4, 1), nn.Conv2d(c // 4, c, 1)
        self.project = nn.Sequential(nn.Conv2d(c, c, 1, bias=False), ChannelNorm(c))
        self.same = stride == 1

    def forward(self, x):
        y = self.depthwise(x)
        y = y * F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(y, 1)))))
        y = self.project(y)
        return x + y if self.same else y


class LdpV1(nn.Module):
    """MobileVLM v1: linear-GELU-linear and two blocks, the second with stride 2."""

    def __init__(self, d, out):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(d, out), nn.GELU(), nn.Linear(out, out))
        self.blocks = nn.Sequential(LdpBlock(out, 1), LdpBlock(out, 2))

    def forward(self, x):
        x = self.mlp(x)
        b, n, c = x.shape
        side = int(n**0.5)
        x = self.blocks(x.permute(0, 2, 1).reshape(b, c, side, side))
        return x.flatten(2).transpose(1, 2)


def mlp2x(d, out):
    return nn.Sequential(nn.Linear(d, out), nn.GELU(), nn.Linear(out, out))


def features(tower, projector, pick, side, seed):
    both = randomise(nn.ModuleDict({"tower": tower, "projector": projector}), seed)
    call = Call(both, lambda m, x: m["projector"](pick(m["tower"], x)))
    return Graph("vision_encoder", call, images(side), ["image_features"], batched(["image_features"]))


def clip_features(projector, seed, side=42):
    """LLaVA's choice: the last layer but one, without the class token; what comes behind it is left out, as exporters do."""
    config = clip_config(False)
    config.image_size = side
    tower = CLIPVisionModel(config)
    tower.vision_model.encoder.layers = tower.vision_model.encoder.layers[:-1]
    tower.vision_model.post_layernorm = nn.Identity()
    return features(tower, projector, lambda m, x: m(x).last_hidden_state[:, 1:], side, seed)


def ldp_v1(d, out, seed):
    sets = [{"hidden_states": rand(seed, 1, 16, d)}, {"hidden_states": rand(seed + 1, 2, 16, d)}]
    axes = {n: {0: "batch_size"} for n in ("hidden_states", "image_features")}
    return Graph("projector_ldp_v1", randomise(LdpV1(d, out), seed), sets, ["image_features"], axes)


def siglip_features(projector, seed):
    config = siglip_config(False)
    config.vision_use_head = False
    return features(SiglipVisionModel(config), projector, lambda m, x: m(x).last_hidden_state, config.image_size, seed)


# ---- FastVLM ----

class FastVit(nn.Module):
    """FastViTHD: the five stages of fastvit_mci3, narrow, branches folded into single convolutions as exported; then mlp2x."""

    def __init__(self, out):
        super().__init__()
        dims, pos = (8, 8, 16, 32, 32), partial(fastvit.RepConditionalPosEnc, spatial_shape=(7, 7))
        self.tower = fastvit.FastVit(layers=(1, 2, 1, 1, 1), embed_dims=dims, mlp_ratios=(2,) * 5, downsamples=(False, True, True, True, True),
                                     se_downsamples=(False,) * 5, pos_embs=(None, None, None, pos, pos), num_classes=0,
                                     token_mixers=("repmixer", "repmixer", "repmixer", "attention", "attention"), lkc_use_act=True,
                                     stem_use_scale_branch=False, norm_layer=partial(LayerNorm2d, eps=1e-5), layer_scale_init_value=0.5)
        self.projector = mlp2x(64, out)

    def forward(self, x):
        x = self.tower.forward_features(x)
        return self.projector(x.flatten(2).transpose(1, 2))


def fast_vit(out, seed):
    model = randomise(FastVit(out), seed)
    settle(model, rand(seed, 4, 3, 72, 72))
    model.tower = reparameterize_model(model.tower)
    return Graph("vision_encoder", model.eval(), images(72, (1,)), ["image_features"], batched(["image_features"]))


# ---- SmolVLM ----

def smol_features(m, pixel_values, pixel_attention_mask):
    """The image part of SmolVLMModel.forward; padding images stay, since their removal depends on the data."""
    side, patch = pixel_values.shape[-1], m.config.vision_config.patch_size
    pixels = pixel_values.reshape(-1, 3, side, side)
    mask = pixel_attention_mask.reshape(-1, side, side)
    grid = mask.unfold(1, patch, patch).unfold(2, patch, patch)
    seen = (grid.sum(dim=(-1, -2)) > 0).bool()
    return m.connector(m.vision_model(pixel_values=pixels, patch_attention_mask=seen).last_hidden_state)


def smol_vision(out, seed):
    vision = dict(hidden_size=16, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16)
    text = dict(model_type="llama", hidden_size=out, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=32,
                pad_token_id=0)
    config = SmolVLMConfig(vision_config=vision, text_config=text, scale_factor=2, image_token_id=7)
    config._attn_implementation = config.vision_config._attn_implementation = "eager"
    model = randomise(SmolVLMModel._from_config(config, attn_implementation="eager"), seed)
    mask = torch.ones(1, 2, 64, 64, dtype=torch.bool)
    part = mask.clone()
    part[0, 0, 32:] = False  # below a wide image
    part[0, 1, :, 48:] = False  # beside a tall one
    sets = [{"pixel_values": rand(seed + k, 1, 2, 3, 64, 64), "pixel_attention_mask": m} for k, m in enumerate((mask, part))]
    return Graph("vision_encoder", Call(model, smol_features), sets, ["image_features"], oracle="ort")


# ---- ViT family ----

def vit_kind(kind, config, seed, name="encoder_model"):
    model = randomise(kind(config), seed)
    call = Call(model, lambda m, x: m(x).last_hidden_state)
    return Graph(name, call, images(config.image_size), ["last_hidden_state"], batched(["last_hidden_state"]))


SMALL_VIT = dict(hidden_size=16, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16)


def vit_encoder(seed):
    return vit_kind(partial(ViTModel, add_pooling_layer=False), ViTConfig(**SMALL_VIT), seed)


def deit_encoder(seed):
    return vit_kind(partial(DeiTModel, add_pooling_layer=False), DeiTConfig(**SMALL_VIT), seed)


def blip_vision(seed):
    return vit_kind(BlipVisionModel, BlipVisionConfig(**SMALL_VIT), seed, "vision_encoder")


# ---- MobileNetV3 ----

def mobilenet(full):
    make = torchvision.models.mobilenetv3
    graphs = []
    for size in ("large",) if full else ("small", "large"):
        kind = "mobilenet_v3_" + size
        setting, last = make._mobilenet_v3_conf(kind, width_mult=1.0 if full else 0.1, reduced_tail=not full)
        model = randomise(make.MobileNetV3(setting, last, num_classes=1000 if full else 10), 3)
        side = 224 if full else 48
        settle(model, rand(4, 4 if full else 32, 3, side, side))
        graphs.append(Graph(size, model, images(side, (1,) if full else (2,)), ["logits"], batched(["logits"])))
    return graphs
