"""A tiny Florence-2: DaViT vision tower, projector, BART encoder and decoder. Follows the published architecture
(window attention and channel attention blocks, post-norm BART), at about 4 M parameters."""
import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = {"dims": [24, 48, 96, 192], "depths": [1, 1, 1, 1], "heads": [1, 2, 4, 8], "groups": [1, 2, 4, 8], "window": 6,
          "mlp_ratio": [2, 2, 4, 4], "d_model": 192, "layers": 2, "text_heads": 6, "ffn": 768, "vocab": 1200, "max_positions": 256}


class ConvEmbed(nn.Module):
    def __init__(self, cin, cout, patch, stride, pad, prenorm):
        super().__init__()
        self.proj = nn.Conv2d(cin, cout, patch, stride, pad)
        self.prenorm = prenorm
        self.norm = nn.LayerNorm(cin if prenorm else cout)

    def forward(self, x):
        if self.prenorm:
            x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = self.proj(x)
        if not self.prenorm:
            x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class WindowAttention(nn.Module):
    def __init__(self, dim, heads, window):
        super().__init__()
        self.heads, self.window, self.scale = heads, window, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):  # [B, H, W, C]
        b, h, w, c = x.shape
        ws = self.window
        pad_r, pad_b = (ws - w % ws) % ws, (ws - h % ws) % ws
        x = F.pad(x, (0, 0, 0, pad_r, 0, pad_b))
        hp, wp = x.shape[1], x.shape[2]
        x = x.view(b, hp // ws, ws, wp // ws, ws, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, ws * ws, c)
        n_win = x.shape[0]
        qkv = self.qkv(x).reshape(n_win, ws * ws, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        a = torch.softmax((q * self.scale) @ k.transpose(-2, -1), -1)
        x = self.proj((a @ v).transpose(1, 2).reshape(n_win, ws * ws, c))
        x = x.view(b, hp // ws, wp // ws, ws, ws, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(b, hp, wp, c)
        return x[:, :h, :w, :].contiguous()


class ChannelAttention(nn.Module):
    """Tokens and channels swap roles: the softmax runs over the channels of a group."""

    def __init__(self, dim, groups):
        super().__init__()
        self.groups = groups
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):  # [B, H, W, C]
        b, h, w, c = x.shape
        n = h * w
        qkv = self.qkv(x.reshape(b, n, c)).reshape(b, n, 3, self.groups, c // self.groups).permute(2, 0, 3, 4, 1)
        q, k, v = qkv.unbind(0)  # [B, G, C/G, N]
        a = torch.softmax((q * n ** -0.5) @ k.transpose(-1, -2), -1)
        x = (a @ v).permute(0, 3, 1, 2).reshape(b, h, w, c)
        return self.proj(x)


class Block(nn.Module):
    """Depthwise conv, attention, depthwise conv, MLP; each on a residual path."""

    def __init__(self, dim, attention, ratio):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(dim, dim, 3, 1, 1, groups=dim) for _ in range(2))
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = attention
        self.mlp = Mlp(dim, dim * ratio)

    def forward(self, x):  # [B, C, H, W]
        x = (x + self.conv1(x)).permute(0, 2, 3, 1)
        x = (x + self.attention(self.norm1(x))).permute(0, 3, 1, 2)
        x = (x + self.conv2(x)).permute(0, 2, 3, 1)
        return (x + self.mlp(self.norm2(x))).permute(0, 3, 1, 2)


class Vision(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.stages = nn.ModuleList()
        cin = 3
        for i, dim in enumerate(cfg["dims"]):
            layers = [ConvEmbed(cin, dim, *((7, 4, 3, False) if i == 0 else (3, 2, 1, True)))]
            for _ in range(cfg["depths"][i]):
                layers.append(Block(dim, WindowAttention(dim, cfg["heads"][i], cfg["window"]), cfg["mlp_ratio"][i]))
                layers.append(Block(dim, ChannelAttention(dim, cfg["groups"][i]), cfg["mlp_ratio"][i]))
            self.stages.append(nn.Sequential(*layers))
            cin = dim
        d, c = cfg["d_model"], cfg["dims"][-1]
        self.row_embed, self.column_embed = nn.Embedding(50, c // 2), nn.Embedding(50, c - c // 2)
        # Position 0 of Florence-2's cosine table over frames: sin 0 and cos 0.
        self.register_buffer("temporal", torch.tensor([0.0, 1.0]).repeat(c // 2)[None, None, :])
        self.image_projection = nn.Parameter(torch.randn(c, d) * c ** -0.5)
        self.image_norm = nn.LayerNorm(d)

    def forward(self, pixel_values):
        x = pixel_values
        for stage in self.stages:
            x = stage(x)
        h, w = x.shape[-2:]
        column = self.column_embed(torch.arange(w, device=x.device))
        row = self.row_embed(torch.arange(h, device=x.device))
        pos = torch.cat([column.unsqueeze(0).repeat(h, 1, 1), row.unsqueeze(1).repeat(1, w, 1)], -1)
        x = x.permute(0, 2, 3, 1) + pos.unsqueeze(0)
        x = x.flatten(1, 2) + self.temporal
        x = torch.cat([x.mean(1, keepdim=True), x], 1)
        return self.image_norm(x @ self.image_projection)


class Attention(nn.Module):
    """BART's attention; keys and values go in and out as [B, heads, T, head_dim] for the cache."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.head_dim = heads, dim // heads
        self.scaling = self.head_dim ** -0.5
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))

    def shape(self, x):
        return x.view(x.shape[0], -1, self.heads, self.head_dim).transpose(1, 2).contiguous()

    def forward(self, x, source=None, past=None, mask=None):
        """source: cross attention; past: cached (k, v), of which a cross cache is used as it is."""
        b, t, c = x.shape
        q = self.shape(self.q_proj(x) * self.scaling)
        if source is not None:
            k, v = past if past is not None else (self.shape(self.k_proj(source)), self.shape(self.v_proj(source)))
        else:
            k, v = self.shape(self.k_proj(x)), self.shape(self.v_proj(x))
            if past is not None:
                k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        n = b * self.heads
        w = torch.bmm(q.view(n, t, self.head_dim), k.view(n, -1, self.head_dim).transpose(1, 2))
        if mask is not None:
            w = (w.view(b, self.heads, t, -1) + mask).view(n, t, -1)
        out = torch.bmm(torch.softmax(w, -1), v.view(n, -1, self.head_dim))
        out = out.view(b, self.heads, t, self.head_dim).transpose(1, 2).reshape(b, t, c)
        return self.out_proj(out), (k, v)


def expand_mask(mask, dtype, length):
    """int64 [B, S] of ones and zeros to additive [B, 1, T, S], the BART way."""
    b, s = mask.shape
    inverted = 1.0 - mask[:, None, None, :].expand(b, 1, length, s).to(dtype)
    return inverted.masked_fill(inverted.to(torch.bool), torch.finfo(dtype).min)


def causal_mask(length, dtype, device):
    full = torch.full((length, length), torch.finfo(dtype).min, device=device)
    cond = torch.arange(length, device=device)
    return full.masked_fill(cond < (cond + 1).view(length, 1), 0)[None, None]


class EncoderLayer(nn.Module):
    def __init__(self, dim, heads, ffn):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(dim, heads), nn.LayerNorm(dim)
        self.fc1, self.fc2, self.final_layer_norm = nn.Linear(dim, ffn), nn.Linear(ffn, dim), nn.LayerNorm(dim)

    def forward(self, x, mask):
        x = self.self_attn_layer_norm(x + self.self_attn(x, mask=mask)[0])
        return self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x))))


class DecoderLayer(EncoderLayer):
    def __init__(self, dim, heads, ffn):
        super().__init__(dim, heads, ffn)
        self.encoder_attn, self.encoder_attn_layer_norm = Attention(dim, heads), nn.LayerNorm(dim)

    def forward(self, x, source, past, mask, cross_mask):
        past = past or (None, None)
        y, own = self.self_attn(x, past=past[0], mask=mask)
        x = self.self_attn_layer_norm(x + y)
        y, cross = self.encoder_attn(x, source=source, past=past[1], mask=cross_mask)
        x = self.encoder_attn_layer_norm(x + y)
        return self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x)))), (own, cross)


class Positions(nn.Module):
    """Learned positions with BART's offset of 2."""

    def __init__(self, count, dim):
        super().__init__()
        self.table = nn.Embedding(count + 2, dim)

    def forward(self, start, length, device):
        return self.table(torch.arange(start, start + length, device=device) + 2)


class Encoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg["d_model"]
        self.positions, self.layernorm_embedding = Positions(cfg["max_positions"], d), nn.LayerNorm(d)
        self.layers = nn.ModuleList(EncoderLayer(d, cfg["text_heads"], cfg["ffn"]) for _ in range(cfg["layers"]))

    def forward(self, attention_mask, inputs_embeds):
        t = inputs_embeds.shape[1]
        x = self.layernorm_embedding(inputs_embeds + self.positions(0, t, inputs_embeds.device))
        mask = None if attention_mask is None else expand_mask(attention_mask, x.dtype, t)
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Decoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg["d_model"]
        self.positions, self.layernorm_embedding = Positions(cfg["max_positions"], d), nn.LayerNorm(d)
        self.layers = nn.ModuleList(DecoderLayer(d, cfg["text_heads"], cfg["ffn"]) for _ in range(cfg["layers"]))

    def forward(self, inputs_embeds, source, encoder_mask, past=None):
        """past: per layer ((k, v), (cross k, cross v)); source may be a placeholder when the cross cache is there."""
        t = inputs_embeds.shape[1]
        start = past[0][0][0].shape[2] if past is not None else 0
        x = self.layernorm_embedding(inputs_embeds + self.positions(start, t, inputs_embeds.device))
        # As in BART: one new token needs no causal mask, so a traced with-past graph holds for one token only.
        mask = causal_mask(t, x.dtype, x.device) if past is None else None
        cross_mask = None if encoder_mask is None else expand_mask(encoder_mask, x.dtype, t)
        present = []
        for i, layer in enumerate(self.layers):
            x, kv = layer(x, source, None if past is None else past[i], mask, cross_mask)
            present.append(kv)
        return x, present


class Captioner(nn.Module):
    def __init__(self, cfg=CONFIG):
        super().__init__()
        self.cfg = cfg
        self.vision, self.encoder, self.decoder = Vision(cfg), Encoder(cfg), Decoder(cfg)
        self.shared = nn.Embedding(cfg["vocab"], cfg["d_model"], padding_idx=1)
        self.register_buffer("final_logits_bias", torch.zeros(1, cfg["vocab"]))
        self.apply(init)
        with torch.no_grad():
            self.shared.weight[1].zero_()

    def logits(self, hidden):
        return F.linear(hidden, self.shared.weight) + self.final_logits_bias

    def encode(self, features, prompt):
        """features [B, 37, D], prompt: list of ids, the same for the whole batch (so nothing is padded)."""
        ids = torch.tensor(prompt, device=features.device)[None].expand(features.shape[0], -1)
        return self.encoder(None, torch.cat([features, self.shared(ids)], 1))


def init(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, std=0.7 * m.in_features ** -0.5)
        if m.bias is not None:
            nn.init.zeros_(m.bias)
    elif isinstance(m, nn.Embedding):
        # Small, since the shared table is also lm_head; the 50-row tables are added to unnormalised image tokens.
        nn.init.normal_(m.weight, std=0.2 if m.num_embeddings == 50 else 0.04)
