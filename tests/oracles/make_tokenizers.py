#!/usr/bin/env python3
"""Trains one small tokenizer of each kind and writes what the Python `tokenizers` package makes of 5,000 strings.

  tests/text/data/tokenizers/strings.jsonl        one JSON string per line
  tests/text/data/tokenizers/<kind>/tokenizer.json
  tests/text/data/tokenizers/<kind>/checks.txt    per string 12 hex digits: 6 of the hash of its ids, 6 of the hash of its decoded texts
  tests/text/data/tokenizers/<kind>/cases.jsonl   a few cases in full: {"text", "ids", "decoded", "skipped"}

Usage: .venv/bin/python tests/oracles/make_tokenizers.py [--checks-only] [folder]
--checks-only keeps the committed tokenizers (training breaks ties in any order) and strings, and rewrites checks and cases.
"""

import base64
import json
import random
import struct
import sys
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

N_STRINGS = 5000
N_CASES = 40

TEXT = """
All human beings are born free and equal in dignity and rights.
They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.
The image shows a stop sign sitting on the side of a street. A green car parked in front of a yellow building.
It's raining; don't you think we'll stay? I'd say they've left.
What is the text in the image, with regions? Locate the objects with category name in the image.
Total: $1,234.56 (incl. 20% VAT) on 2023-11-05 at 07:45.
def main(argc, argv): return x[i] += 3 * (y - 0x7F) # TODO: fix_this_name CamelCaseWord https://example.org/a?b=c&d=%20 user@mail.example
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Straße, Äpfel, Öl, Übung, Größe.
Tous les êtres humains naissent libres et égaux en dignité et en droits. L'été, où ça, cœur, garçon, Noël, déjà.
Todos los seres humanos nacen libres e iguales en dignidad y derechos. ¿Qué tal, señor? ¡Mañana, corazón!
Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Zażółć gęślą jaźń.
Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. İstanbul, Işık, çığ, ağaç.
Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.
Все люди рождаются свободными и равными в своём достоинстве и правах. Ёлка, объект, щука, Москва.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. ΣΊΣΥΦΟΣ
כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. שָׁלוֹם עֲלֵיכֶם
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. السَّلَامُ عَلَيْكُمْ ١٢٣
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। क्षत्रिय १२३
সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।
மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.
มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ
人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。
人人生而自由，在尊嚴和權利上一律平等。請問圖片裡有什麼？
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。ガラス、ﾊﾝｶｸ、東京タワー
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 한국어 시험
ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.
Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։
ሁሉም ሰው ነፃ ሆኖ ይወለዳል።
""".strip().split("\n")

EMOJI = [
    "😀",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇫🇷",
    "🇺🇸🇬🇧",
    "1️⃣",
    "❤️",
    "☕",
    "🧑🏿‍🚀",
    "👩‍❤️‍💋‍👨",
    "⚠️",
    "🤷🏻‍♀️",
    "™️",
    "©",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
]
SPACES = [
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    " \n ",
    "\u00a0",
    "\u3000",
    "\u2009",
    "\u2028",
    "\u0085",
    "\u200b",
    "\u202f",
    "\x0b",
    "\x0c",
    "\ufeff",
    "\u180e",
    "\u1680",
    "\u205f",
    "\u2029",
    "    ",
]
CONTROL = [
    "\x00",
    "\x01",
    "\x07",
    "\x08",
    "\x1b[0m",
    "\x7f",
    "\x80",
    "\x9f",
    "\u200d",
    "\u200c",
    "\u200e",
    "\u202e",
    "\u2066x\u2069",
    "\ufffd",
    "\ufffe",
    "\u00ad",
    "\u061c",
    "\U000e0041",
    "\ue000",
    "\U0010fffd",
    "\u0378",
]
MARKS = [
    chr(c)
    for c in (
        0x300,
        0x301,
        0x302,
        0x303,
        0x308,
        0x30A,
        0x323,
        0x327,
        0x328,
        0x345,
        0x483,
        0x5B8,
        0x64E,
        0x651,
        0x93C,
        0x94D,
        0xE31,
        0x20DD,
        0x20E3,
        0xFE0F,
        0x1ABE,
        0x3099,
        0x309A,
    )
]
ODD = [
    "ﬁ",
    "ﬃ",
    "①",
    "½",
    "²",
    "Ⅷ",
    "㎏",
    "㍿",
    "ﷺ",
    "ｱｲｳ",
    "Ａｂｃ１２",
    "ǅ",
    "ß",
    "ẞ",
    "İ",
    "ı",
    "ſ",
    "K",
    "Å",
    "…",
    "—",
    "“x”",
    "‘y’",
    "«z»",
    "、。",
    "！？",
    "¿¡",
    "٪",
    "५",
    "൧",
    "〇",
    "千",
    "\u1100\u1161\u11a8",
    "\uac00\u11a8",
    "e\u0301",
    "\u0958",
    "\u0344",
    "\u212b",
    "\u2126",
    "𝔘𝔫𝔦",
    "𝟘𝟙",
    "𠮷",
    "𪜀",
    "豈",
    "𞤀",
    "Ა",
    "ꙮ",
    "_",
    "__init__",
    "a_b",
    "don't",
    "DON'T",
    "we'LL",
    "I'M",
    "'s",
    "' s",
    " n't",
    "x 're",
    "do not",
    " ' ",
    "--",
    "...",
    " .",
    " ?",
    " !",
    "1 , 2",
]
SPECIAL = [
    "<s>",
    "</s>",
    "<pad>",
    "<unk>",
    "<mask>",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "[UNK]",
    "[PAD]",
    "<loc_0>",
    "<loc_1>",
    "<loc_12>",
    "<loc_123>",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<s",
    "s>",
    "</s",
    "<loc_",
    "<loc_1",
    "<loc_99>",
    "<0x41>",
    "<0xE4>",
    "<0x0a>",
    "▁",
    "##ing",
    "Ġ",
    "</w>",
    "word",
    "Word",
    "WORD",
    "<Ünï>",
    "<ünï>",
    "ab",
    "abc",
    "abcd",
    "|",
    "<sp>",
    "<sp2>",
]


def random_char(rng):
    while True:
        c = rng.choice(
            [
                rng.randrange(0x20, 0x250),
                rng.randrange(0x250, 0x3000),
                rng.randrange(0x3000, 0xD800),
                rng.randrange(0xE000, 0x10000),
                rng.randrange(0x10000, 0x1FFFF),
                rng.randrange(0x20000, 0x2FA1E),
            ]
        )
        # Libraries differ in their Unicode version: only characters that are as they were in version 3.2.
        if unicodedata.ucd_3_2_0.category(chr(c)) == unicodedata.category(chr(c)) != "Cn":
            return chr(c)


def make_atom(rng, words):
    kind = rng.randrange(20)
    if kind < 7:
        return rng.choice(words)
    if kind == 7:
        return rng.choice(EMOJI)
    if kind == 8:
        return rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 5])
    if kind == 9:
        return rng.choice(CONTROL)
    if kind == 10:
        return rng.choice("aeoucAEn ךगका가") + "".join(rng.choice(MARKS) for _ in range(rng.randrange(1, 4)))
    if kind in (11, 12):
        return rng.choice(ODD)
    if kind in (13, 14, 15):
        return rng.choice(SPECIAL)
    if kind == 16:
        return str(rng.randrange(10 ** rng.randrange(1, 9)))
    if kind == 17:
        return rng.choice(".,;:!?-_'\"()[]{}<>/\\|@#$%^&*+=~`") * rng.choice([1, 1, 2, 3])
    if kind == 18:
        return "".join(random_char(rng) for _ in range(rng.randrange(1, 4)))
    word = rng.choice(words)
    return word[: rng.randrange(len(word)) + 1].upper() if rng.random() < 0.5 else word[rng.randrange(len(word)) :]


def make_strings():
    rng = random.Random(20240601)
    words = [w for line in TEXT for w in line.split(" ")]
    # Scripts without blanks: cut into short pieces.
    words = [w[i : i + 9] for w in words for i in range(0, len(w), 9)]
    strings = [
        "",
        " ",
        "  ",
        "\n",
        "a",
        "Ġ",
        "▁",
        " a",
        "a ",
        "\u0000",
        "<s>",
        " <s> ",
        "<s></s>",
        "x<mask>y",
        "x <mask> y",
        " <mask>",
        "<loc_12><loc_123>",
        "What does the image describe?",
        "A green car parked in front of a yellow building.",
        "a" * 60,
        " " * 40,
        "word" * 10,
        "é" * 20,
        "supercalifragilisticexpialidocious" * 3 + "zzzzzzz",
    ]
    while len(strings) < N_STRINGS:
        text = ""
        for _ in range(rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 6])):
            text += rng.choice(["", "", " ", " ", " "]) + make_atom(rng, words)
        if rng.random() < 0.3 and text.startswith(" "):
            text = text[1:]
        strings.append(text)
    return strings


# ---- a character map in SentencePiece's format ----


def make_charsmap(rules):
    """Darts-clone double array over UTF-8 keys plus zero-terminated replacements."""
    texts, offsets = b"", {}
    for with_ in sorted(set(rules.values())):
        offsets[with_] = len(texts)
        texts += with_.encode() + b"\0"
    root = {}
    for what, with_ in rules.items():
        node = root
        for byte in what.encode():
            node = node.setdefault(byte, {})
        node[None] = offsets[with_]
    units, used = [0], [True]

    def place(labels):
        """A block offset whose cells are free for all labels."""
        offset = 1
        while any(offset ^ label < len(used) and used[offset ^ label] for label in labels) or offset % 256 == 0:
            offset += 1
        for label in labels:
            while offset ^ label >= len(units):
                units.append(0)
                used.append(False)
            used[offset ^ label] = True
        return offset

    def build(node, index):
        labels = [0 if key is None else key for key in node]
        offset = place(labels)
        relative = index ^ offset
        assert relative < 1 << 21
        units[index] |= (relative << 10) | (0x100 if None in node else 0)
        for key, child in node.items():
            at = offset ^ (0 if key is None else key)
            if key is None:
                units[at] = (1 << 31) | child
            else:
                units[at] = key
                build(child, at)

    build(root, 0)
    while len(units) % 256:
        units.append(0)
    trie = b"".join(struct.pack("<I", unit) for unit in units)
    return struct.pack("<I", len(trie)) + trie + texts


def charsmap():
    rules = {}
    for c in (
        list(range(0xA0, 0x180))
        + list(range(0x2000, 0x2070))
        + list(range(0x2100, 0x2190))
        + list(range(0x3300, 0x3360))
        + list(range(0xFB00, 0xFB07))
        + list(range(0xFF01, 0xFFA0))
    ):
        form = unicodedata.normalize("NFKC", chr(c))
        if form != chr(c):
            rules[chr(c)] = form
    for base in "aeioucnAEIOUCN":
        for mark in "\u0300\u0301\u0302\u0303\u0308\u0327":
            form = unicodedata.normalize("NFKC", base + mark)
            if len(form) == 1:
                rules[base + mark] = form
    for c in "\t\n\r\u200b\u200e\ufeff\u2028\u3000":
        rules[c] = " "
    for c in "\x01\x07\x08\x7f\u00ad":
        rules[c] = ""
    return make_charsmap(rules)


# ---- the kinds ----

GPT2_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
QWEN = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def train(tokenizer, trainer, lines=TEXT):
    tokenizer.train_from_iterator(lines * 2, trainer)
    return tokenizer


def byte_bpe(size, pre, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    return train(
        tokenizer,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=GPT2_SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
    )


def bart():
    t = byte_bpe(800, pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.add_special_tokens(
        [AddedToken("<mask>", lstrip=True, special=True)] + [AddedToken(f"<loc_{k}>", special=True) for k in (0, 1, 12, 123)]
    )
    t.add_tokens(
        [
            AddedToken("word", single_word=True),
            AddedToken("<sp>", rstrip=True, normalized=False),
            AddedToken("abc"),
            AddedToken("ab"),
            AddedToken("abcd"),
        ]
    )
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return t


def qwen2():
    t = byte_bpe(
        800,
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(QWEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        ),
    )
    t.normalizer = normalizers.NFC()
    t.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def llama3():
    t = byte_bpe(
        700,
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        ),
        ignore_merges=True,
    )
    t.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    t.post_processor = processors.Sequence(
        [processors.ByteLevel(), processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)])]
    )
    return t


def smollm2():
    t = byte_bpe(
        700,
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)]
        ),
    )
    t.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return t


def bloom():
    t = byte_bpe(
        600,
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(BLOOM), "merged_with_next"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        ),
    )
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip(left=True, right=False)])
    return t


def sentencepiece_bpe(normalizer, pre):
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if normalizer:
        t.normalizer = normalizer
    # Trained on words; used without a pre-tokenizer, as LLaMA does.
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    train(
        t, trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False, max_token_length=12), TEXT[:15]
    )
    state = json.loads(t.to_str())
    size = len(state["model"]["vocab"])
    for byte in range(256):
        state["model"]["vocab"][f"<0x{byte:02X}>"] = size + byte
    state["pre_tokenizer"] = pre
    t = Tokenizer.from_str(json.dumps(state))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return t


def llama():
    t = sentencepiece_bpe(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None)
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_tokens([AddedToken("<sp>", normalized=True), AddedToken("word", normalized=True, single_word=True, lstrip=True)])
    return t


def llama_meta():
    t = sentencepiece_bpe(None, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False})
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=30))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    train(t, trainers.WordPieceTrainer(vocab_size=1100, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.add_tokens([AddedToken("<Ünï>", normalized=True), AddedToken("Word", normalized=False)])
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return t


def bert_cased():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.Digits()]
    )
    t.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    train(t, trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def unigram(byte_fallback=False):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    t.decoder = decoders.Metaspace(prepend_scheme="always")
    train(
        t, trainers.UnigramTrainer(vocab_size=900, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    )
    if byte_fallback:
        state = json.loads(t.to_str())
        state["model"]["byte_fallback"] = True
        state["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
        state["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "Lowercase"}]}
        state["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True}
        state["decoder"] = {
            "type": "Sequence",
            "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True}],
        }
        t = Tokenizer.from_str(json.dumps(state))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    t.post_processor = (
        processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
        if not byte_fallback
        else processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    )
    return t


def unigram_bytes():
    return unigram(byte_fallback=True)


def clip():
    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", fuse_unk=False))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    t.decoder = decoders.BPEDecoder(suffix="</w>")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    train(
        t,
        trainers.BpeTrainer(
            vocab_size=900,
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    t.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False
    )
    return t


def subword_bpe():
    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=False))
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.CharDelimiterSplit("_")]
    )
    train(
        t,
        trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>"], continuing_subword_prefix="##", show_progress=False),
        TEXT[:11],
    )
    t.decoder = decoders.Sequence([decoders.WordPiece(prefix="##", cleanup=False), decoders.Replace(Regex(r"\s+"), " ")])
    t.add_tokens([AddedToken("<Ünï>", normalized=True, rstrip=True), AddedToken("WORD", normalized=True, single_word=True)])
    return t


def wordlevel():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    t.pre_tokenizer = pre_tokenizers.Split(Regex(r"(?<=\w)\W+(?=\w)|\h{2}"), "contiguous")
    train(t, trainers.WordLevelTrainer(vocab_size=400, special_tokens=["<unk>", "<pad>", "|"], show_progress=False))
    t.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token="|", cleanup=True)
    return t


def no_decoder():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.pre_tokenizer = pre_tokenizers.Split("e", "merged_with_previous", invert=True)
    train(t, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False), TEXT[:7])
    t.normalizer = normalizers.Sequence([normalizers.ByteLevel()])
    return t


KINDS = [
    bart,
    qwen2,
    llama3,
    smollm2,
    bloom,
    llama,
    llama_meta,
    bert,
    bert_cased,
    unigram,
    unigram_bytes,
    clip,
    subword_bpe,
    wordlevel,
    no_decoder,
]


# ---- output ----


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return (h ^ (h >> 24) ^ (h >> 48)) & 0xFFFFFF


def check(tokenizer, text):
    ids = tokenizer.encode(text).ids
    decoded, skipped = tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)
    h_ids = fnv(b"".join(struct.pack("<i", i) for i in ids))
    h_text = fnv(decoded.encode() + b"\0" + skipped.encode())
    return f"{h_ids:06x}{h_text:06x}", {"text": text, "ids": ids, "decoded": decoded, "skipped": skipped}


def write_kind(folder, make, strings, checks_only):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    if not checks_only:
        state = json.loads(make().to_str())
        if make.__name__ == "bart" and isinstance(state["model"]["merges"][0], list):  # the older notation
            state["model"]["merges"] = [" ".join(pair) for pair in state["model"]["merges"]]
        path.write_text(json.dumps(state, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(path))
    lines, cases = [], []
    for i, text in enumerate(strings):
        line, case = check(tokenizer, text)
        lines.append(line)
        if i < N_CASES:
            cases.append(case)
    (folder / "checks.txt").write_text("\n".join(lines) + "\n")
    (folder / "cases.jsonl").write_text("".join(json.dumps(c, ensure_ascii=False) + "\n" for c in cases), encoding="utf-8", newline="\n")
    print(folder.name, path.stat().st_size, "bytes,", len(json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]), "tokens")


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    checks_only = "--checks-only" in sys.argv
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent / "text/data/tokenizers"
    root.mkdir(parents=True, exist_ok=True)
    if checks_only:
        strings = [json.loads(line) for line in (root / "strings.jsonl").read_text(encoding="utf-8").split("\n") if line]
    else:
        strings = make_strings()
        (root / "strings.jsonl").write_text(
            "".join(
                json.dumps(s, ensure_ascii=False).replace("\x85", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
                + "\n"
                for s in strings
            ),
            encoding="utf-8",
            newline="\n",
        )
    for make in KINDS:
        write_kind(root / make.__name__, make, strings, checks_only)


if __name__ == "__main__":
    main()
