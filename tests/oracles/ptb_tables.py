"""Writes eval/ptb_ranges.def and eval/ptb_lower.def from a table of probed character classes (bmp_classes.json).

usage: ptb_tables.py bmp_classes.json eval/
"""
import json
import pathlib
import sys


def lower_runs(lower):
    """Groups code point -> lower code point into (first, last, stride, delta) runs."""
    keys, runs, i = sorted(lower), [], 0
    while i < len(keys):
        best = (1, 1)
        for stride in (1, 2):
            n = 1
            while lower.get(keys[i] + n * stride, 0) - n * stride == lower[keys[i]] and (
                    stride == 1 or keys[i] + n * stride - 1 not in lower):
                n += 1
            if n > best[0]:
                best = (n, stride)
        n, stride = best
        runs.append((keys[i], keys[i] + (n - 1) * stride, stride, lower[keys[i]] - keys[i]))
        i += n
    return runs


def main():
    table = json.load(open(sys.argv[1], encoding="utf-8"))
    out = pathlib.Path(sys.argv[2])
    rows = []
    for kind in ("letter", "word_only", "digit", "symbol"):
        for text in table["ranges"][kind]:
            first, _, last = text.partition("-")
            rows.append((int(first, 16), int(last or first, 16), kind.upper().replace("WORD_ONLY", "MARK")))
    lines = ["/* Character ranges as the reference tokenizer takes them: X(first, last, class), ascending. "
             "Made by tests/oracles/ptb_tables.py. */"]
    lines += [f"X(0x{a:04X}, 0x{b:04X}, {k})" for a, b, k in sorted(rows)]
    (out / "ptb_ranges.def").write_text("\n".join(lines) + "\n")
    # U+0130 lower-cases to two code points and a lone soft hyphen to "-": both are in code.
    lower = {int(k, 16): int(v, 16) for k, v in table["lowercase"]["map"].items() if k not in ("00AD", "0130")}
    lower.update({int(k, 16): ord(v) for k, v in table["special"].items() if 0x24B6 <= int(k, 16) <= 0x24CF})
    lines = ["/* Lower case beyond ASCII: X(first, last, stride, delta), ascending. Made by tests/oracles/ptb_tables.py. */"]
    lines += [f"X(0x{a:04X}, 0x{b:04X}, {s}, {d})" for a, b, s, d in lower_runs(lower)]
    (out / "ptb_lower.def").write_text("\n".join(lines) + "\n")


main()
