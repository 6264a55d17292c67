"""Seeds of the fuzz targets from the test data that is there: tests/fuzz/corpus/NAME/seed-*. Small files alone; made again, they are the same.

usage: fuzz_seeds.py
"""
import pathlib
import struct

import read_pack

ROOT = pathlib.Path(__file__).parents[2]
TESTS, CORPUS = ROOT / "tests", ROOT / "tests/fuzz/corpus"
KINDS = {name.decode(): k for k, name in enumerate(read_pack.NAMES)}
TEXTS = 7  # rows of runtime/bundle/texts.def
PREPROCESSOR = 2


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def files(pattern, most, count):
    found = sorted(p for p in TESTS.glob(pattern) if "fuzz" not in p.parts and p.is_file() and p.stat().st_size <= most)
    return found[:: max(1, len(found) // count)][:count]


def copy(target, pattern, most, count, before=b""):
    for path in files(pattern, most, count):
        put(target, path.name, before + path.read_bytes())


def sections(path):
    out = b"\1"
    for name, codec, blob, raw, _ in read_pack.sections(path.read_bytes()):
        blob = struct.pack("<H", raw) + blob if codec == 2 else blob
        out += struct.pack("<HBB", len(blob), KINDS[name], codec) + blob
    return out


def main():
    copy("onnx", "onnx/data/[!b]*.onnx", 1000, 40)
    copy("pack", "pack/data/1.*/*.vlmq", 2000, 40, b"\0")
    put("pack", "sections", sections(TESTS / "pack/data/1.1/good.vlmq"))
    copy("image", "calib/data/images/*.*", 1500, 30)
    copy("image", "calib/data/odd/*.*", 800, 40)
    copy("npy", "calib/data/npy/*.npy", 400, 20)
    copy("npz", "calib/data/npy/*.npz", 1500, 10)
    copy("captions", "cli/data/captions/*.*", 2000, 15)
    for path in files("hub/data/processors/*.json", 2000, 30):
        put("bundle", path.name, b"\0" * PREPROCESSOR + path.read_bytes() + b"\0" * (TEXTS - PREPROCESSOR))
    put("bundle", "list", b"\0" * TEXTS + b'[{"op":"resize","width":8,"height":8,"filter":"bicubic"},{"op":"layout","order":"NCHW"}]')
    put("bundle", "texts", b'{"vocab_size": 5, "max_position_embeddings": 9}\0{"eos_token_id": [1], "max_length": 4}\0')
    for k, pattern in enumerate((r"'s|\p{L}+| ?\p{N}{1,3}|\s+(?!\S)", r"[^\r\n\p{L}]?+[a-z&&[^b]]*", r"(?i:x|y)\b\h", r"(a*)*b")):
        put("regex", str(k), pattern.encode() + b"\0It's 12 tests, aaaaaaaaaaaaaaaaaaaaaaaaaa \xc3\xa9")
    for k, model in enumerate((b'"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]', b'"type":"WordLevel","vocab":{"a":0,"[UNK]":1},"unk_token":"[UNK]"',
                               b'"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1.5]]',
                               b'"type":"WordPiece","vocab":{"[UNK]":0,"a":1,"##b":2},"unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100')):
        put("tokenizer", str(k), b'{"added_tokens":[{"id":3,"content":"<s>","special":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},'
            b'{"type":"Replace","pattern":{"String":"a"},"content":"bb"}]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true},"post_processor":null,'
            b'"decoder":{"type":"ByteLevel"},"model":{' + model + b"}}")
    for k in range(6):
        put("api", str(k), bytes((k * 37 + i * i * 11) % 256 for i in range(40)))
    copy("statistics", "cli/data/hostile/stats_version2.h5", 50000, 1)
    put("graph", "simplest", b"\0")


main()
