"""A scene = screen kind + theme + device + facts; from a scene come the picture and all its captions."""
import random
import re

from canvas import PALETTES, Canvas
from kinds import KINDS

SIZES = {"phone": (216, 384), "desktop": (384, 256)}
MAX_REFERENCES = 5


def sample(key):
    """The scene of a key such as "train/17": the same on every machine (Python's Mersenne twister, string seed)."""
    rng = random.Random(key)
    name = rng.choice(list(KINDS))
    s = {"key": key, "kind": name, "theme": rng.choice(["light", "dark"]), "device": rng.choice(["phone", "desktop"]),
         "mirrored": rng.random() < .2}
    s.update(KINDS[name].sample(rng))
    return s


def chrome(c, s):
    """Status or title bar and an optional header; returns the box left for the content."""
    rng = c.rng
    if s["device"] == "phone":
        c.rect(0, 0, c.w, 14, c.card)
        c.bar_text(8, 5, 34, 4)
        for k in range(3):
            c.disc(c.w - 12 - 11 * k, 7, 3, c.weak)
        top, bottom = 14, c.h
        if rng.random() < .6:
            c.text(c.w / 2 if rng.random() < .5 else 10, 18, 14, rng.randint(1, 2), align="left", max_w=96)
            top = 40
        if rng.random() < .4:
            bottom -= 14
            c.rect(c.w * .34, c.h - 8, c.w * .66, c.h - 4, c.weak, 2)
        return 0, top, c.w, bottom
    c.rect(0, 0, c.w, 18, c.line)
    left = rng.random() < .5
    for k in range(3):
        x = 12 + 15 * k if left else c.w - 12 - 15 * k
        c.disc(x, 9, 5, c.weak)
    c.text(c.w / 2, 1, 12, 1, None, "center")
    x0 = 0
    if rng.random() < .3:
        x0 = 34
        c.rect(0, 18, x0, c.h, c.card)
        for k in range(rng.randint(3, 5)):
            c.rect(9, 30 + 30 * k, 25, 46 + 30 * k, c.line, 3)
    return x0, 18, c.w, c.h


def render(s):
    rng = random.Random(s["key"] + "/look")
    c = Canvas(*SIZES[s["device"]], rng.choice(PALETTES[s["theme"]]), s["mirrored"], rng)
    box = chrome(c, s)
    pad = rng.randint(0, 5)
    KINDS[s["kind"]].draw(c, s, (box[0] + pad, box[1] + pad, box[2] - pad, box[3] - pad))
    return c.image


def join(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def tidy(text):
    return re.sub(r"\ba orange\b", "an orange", text)


def canonical(s):
    """Fixed wording and order: what <CAPTION> is trained to say."""
    k = KINDS[s["kind"]]
    return tidy(f"a {s['theme']} {s['device']} {k.subjects[0]} with {join([f[0] for f in k.facts(s)])}")


def detailed(s):
    """What <DETAILED_CAPTION> is trained to say."""
    k = KINDS[s["kind"]]
    body = join([f[0] for f in k.facts(s)])
    return tidy(f"The image shows a {k.subjects[0]} on a {s['device']} in a {s['theme']} theme, with {body}. {k.detail(s)}")


def paraphrase(s, annotator, attempt=0):
    """One other way to say it: own grammar per annotator, synonyms, order and subset of facts by seed."""
    rng = random.Random(f"{s['key']}/annotator{annotator}/{attempt}")
    k = KINDS[s["kind"]]
    facts = k.facts(s)
    picked = list(range(len(facts)))
    if len(picked) > 3 and rng.random() < .5:
        picked.remove(rng.choice(picked[1:]))
    if annotator >= 3:
        # The first two stay together, since the second may refer to the first ("two of them").
        tail = picked[2:]
        rng.shuffle(tail)
        picked = picked[:2] + tail
    words = [rng.choice(facts[i]) if annotator != 1 or i else facts[i][rng.choice([0, 0, 1])] for i in picked]
    subject = rng.choice(k.subjects if annotator != 1 else k.subjects[:2])
    theme, device = s["theme"], rng.choice({"phone": ["phone", "mobile", "smartphone"], "desktop": ["desktop", "computer"]}[s["device"]])
    dark = rng.choice({"dark": ["dark", "dark mode", "black"], "light": ["light", "bright", "white"]}[theme])
    article = "an" if subject[0] in "aeiou" else "a"
    if annotator == 1:
        return f"{article} {subject} with {join(words)} in a {theme} {device} app"
    if annotator == 2:
        return f"{device} screen showing a {dark} {subject} with {join(words)}"
    if annotator == 3:
        return f"{article} {subject} on a {dark} background with {join(words)}"
    return f"{theme} {subject} of a {device} app that has {join(words)}"


def references(s, taken):
    """3 to 5 captions in a seeded order; `taken` holds the strings already used in the split."""
    rng = random.Random(s["key"] + "/references")
    count = rng.choice([3, 4, 4, 5, 5])
    out = [canonical(s)]
    for annotator in rng.sample([1, 2, 3, 4], count - 1):
        for attempt in range(12):
            text = tidy(paraphrase(s, annotator, attempt))
            if text not in taken and text not in out:
                break
        out.append(text)
    taken.update(out)
    rng.shuffle(out)
    return out
