"""The kinds of screen. Each has `sample` (facts), `draw` and `facts` (what a caption may say).

A fact is a list of noun phrases that all fit after "with"; the first is the canonical wording.
`detail` is one further sentence for the long description. Sides are those really seen, so they
pass through `left`/`right`, which know about mirrored layouts.
"""
import math

from canvas import ACCENTS, COLORS

NUM = "zero one two three four five six seven eight nine ten".split()
ORD = "first second third fourth fifth sixth".split()
SHAPES = ["circle", "square", "triangle"]
KINDS = {}


def kind(cls):
    KINDS[cls.__name__.lower()] = cls
    return cls


def many(n, noun):
    return f"{NUM[n]} {noun}{'' if n == 1 else 's'}"


def of_them(n, total):
    return "none of them" if n == 0 else "all of them" if n == total else f"{NUM[n]} of them"


def listing(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def side(s, name):
    """Left and right swap in a mirrored layout."""
    if not s["mirrored"]:
        return name
    return name.replace("left", "#").replace("right", "left").replace("#", "right")


def pair(rng):
    return rng.sample(ACCENTS, 2)


def rows(box, n, share=1.0):
    """n equal horizontal bands of the box."""
    x0, y0, x1, y1 = box
    h = (y1 - y0) * share / n
    return [(x0, y0 + i * h, x1, y0 + (i + 1) * h) for i in range(n)]


@kind
class Settings:
    subjects = ["settings page", "settings screen", "preferences page", "options menu", "set of toggles"]

    def sample(rng):
        n = rng.randint(2, 6)
        return {"on": [rng.random() < .5 for _ in range(n)], "color": rng.choice(ACCENTS)}

    def draw(c, s, box):
        c.rect(box[0], box[1], box[2], box[1] + 26, s["color"])
        c.text(box[0] + 10, box[1] + 5, 13, 1, "white")
        for (x0, y0, x1, y1), on in zip(rows((box[0], box[1] + 28, box[2], box[3]), len(s["on"])), s["on"]):
            m, r = (y0 + y1) / 2, 13
            c.rect(x0 + 8, y1 - 2, x1 - 8, y1 - 1, c.line)
            c.text(x0 + 14, m - 12, 13, 1)
            c.bar_text(x0 + 14, m + 7, x0 + 90)
            c.rect(x1 - 70, m - r, x1 - 14, m + r, s["color"] if on else c.line, radius=r)
            c.disc(x1 - 14 - r if on else x1 - 70 + r, m, r - 3, "white" if on else c.weak)

    def facts(s):
        n, k = len(s["on"]), sum(s["on"])
        where = side(s, "right")
        return [[many(n, "switch").replace("switchs", "switches"), many(n, "toggle"), many(n, "sliding switch").replace("switchs", "switches")],
                [f"{of_them(k, n)} on", f"{k and NUM[k] or 'no'} toggle{'' if k == 1 else 's'} enabled",
                 f"{NUM[n - k] if n - k else 'none'} switched off"],
                [f"a {s['color']} header", f"a {s['color']} bar at the top", f"{s['color']} as the accent color"],
                [f"the switches on the {where}", f"controls along the {where} edge", f"labels opposite the {where} hand switches"]]

    def detail(s):
        return "From top to bottom the switches are " + listing(["on" if v else "off" for v in s["on"]]) + "."


@kind
class Login:
    subjects = ["login form", "sign-in form", "login screen", "sign-in page", "account form"]

    def sample(rng):
        logo, button = pair(rng)
        return {"fields": rng.randint(1, 4), "button": button, "logo": logo, "shape": rng.choice(SHAPES),
                "check": rng.choice(["no", "empty", "ticked"])}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        mid, half = (x0 + x1) / 2, min(110, (x1 - x0) / 2 - 16)
        step = (y1 - y0) / 8
        c.shape(s["shape"], mid, y0 + step, step * .85, s["logo"])
        for i in range(s["fields"]):
            y = y0 + step * (2.2 + i)
            c.rect(mid - half, y, mid + half, y + step * .72, c.bg, 4, c.fg, 2)
            c.bar_text(mid - half + 8, y + step * .36 - 3, mid - half + 30 + 9 * (i % 3))
        y = y0 + step * 6.2
        if s["check"] != "no":
            c.rect(mid - half, y, mid - half + 18, y + 18, s["button"] if s["check"] == "ticked" else c.bg, 0, c.fg, 2)
            if s["check"] == "ticked":
                c.tick(mid - half + 9, y + 9, 8, "white", 3)
            c.bar_text(mid - half + 26, y + 6, mid - half + 96)
        c.rect(mid - half, y0 + step * 7.05, mid + half, y0 + step * 7.9, s["button"], 5)
        c.text(mid, y0 + step * 7.05 + step * .42 - 8, 12, 1, "white", "center")

    def facts(s):
        box = {"no": ["no checkbox", "no box to tick"], "empty": ["an empty checkbox", "an unticked checkbox"],
               "ticked": ["a ticked checkbox", "a checked box"]}[s["check"]]
        return [[f"a {s['logo']} {s['shape']} as logo", f"a {s['logo']} {s['shape']} on top", f"a {s['logo']} {s['shape']} logo"],
                [many(s["fields"], "text field"), many(s["fields"], "input field"), many(s["fields"], "entry box") .replace("boxs", "boxes")],
                box,
                [f"a {s['button']} button", f"a wide {s['button']} button", f"a {s['button']} button below"]]

    def detail(s):
        what = {"no": "There is nothing to tick", "empty": "The checkbox above it is still empty",
                "ticked": "The checkbox above it is already ticked"}[s["check"]]
        return f"The {s['button']} button is at the bottom. {what}."


@kind
class Rowlist:
    subjects = ["list", "contact list", "mail list", "list of entries", "inbox"]

    def sample(rng):
        n = rng.randint(3, 6)
        icon, mark = pair(rng)
        return {"n": n, "shape": rng.choice(["round", "square"]), "icon": icon, "mark": mark,
                "selected": rng.choice([-1] + list(range(n)) * 2)}

    def draw(c, s, box):
        for i, (x0, y0, x1, y1) in enumerate(rows(box, s["n"])):
            m, r = (y0 + y1) / 2, min(15, (y1 - y0) / 2 - 3)
            if i == s["selected"]:
                c.rect(x0, y0, x1, y1, s["mark"])
            c.rect(x0, y1 - 1, x1, y1, c.line)
            (c.disc(x0 + 28, m, r, s["icon"], "white", 1) if s["shape"] == "round" else
             c.rect(x0 + 28 - r, m - r, x0 + 28 + r, m + r, s["icon"], 0, "white", 1))
            c.text(x0 + 54, m - 14, 13, 1, "white" if i == s["selected"] else None)
            c.bar_text(x0 + 54, m + 6, x0 + 110 + (i * 37) % 40, 4, "white" if i == s["selected"] else None)

    def facts(s):
        sel = ("no row selected", "nothing highlighted", "no entry marked") if s["selected"] < 0 else (
            f"the {ORD[s['selected']]} row selected in {s['mark']}", f"row {NUM[s['selected'] + 1]} highlighted in {s['mark']}",
            f"a {s['mark']} {ORD[s['selected']]} entry")
        icons = f"{s['shape']} {s['icon']} icons"
        where = side(s, "left")
        return [[many(s["n"], "row"), f"{NUM[s['n']]} entries", many(s["n"], "item")],
                [f"{icons} on the {where}", f"{icons} at the {where} side", f"{s['icon']} {s['shape']} pictures to the {where}"],
                list(sel)]

    def detail(s):
        below = s["n"] - 1 - s["selected"]
        if s["selected"] < 0:
            return f"Every row has a {s['shape']} icon and two lines of text."
        return (f"The selected row is {s['mark']}, " + f"with {NUM[s['selected']] if s['selected'] else 'no'} "
                f"row{'' if s['selected'] == 1 else 's'} above it and {NUM[below] if below else 'no'} "
                f"row{'' if below == 1 else 's'} below it.")


def levels(n, trend, rng):
    """n heights in 0..1 that clearly follow the trend."""
    t = [i / (n - 1) for i in range(n)]
    base = {"rising": [.2 + .75 * v for v in t], "falling": [.95 - .75 * v for v in t],
            "peak": [.95 - 1.5 * abs(v - .5) for v in t], "dip": [.2 + 1.5 * abs(v - .5) for v in t]}[trend]
    return [max(.1, min(1, b + rng.uniform(-.04, .04))) for b in base]


TREND = {"rising": ["values rising to the right", "an upward trend", "growing values"],
         "falling": ["values falling to the right", "a downward trend", "shrinking values"],
         "peak": ["a peak in the middle", "the highest values in the center", "a hump in the middle"],
         "dip": ["a dip in the middle", "the lowest values in the center", "a valley in the middle"]}


@kind
class Barchart:
    subjects = ["bar chart", "column chart", "bar graph", "statistics page", "bar diagram"]

    def sample(rng):
        n = rng.randint(3, 6)
        color, mark = pair(rng)
        trend = rng.choice(list(TREND))
        return {"n": n, "color": color, "mark": mark, "trend": trend, "levels": levels(n, trend, rng), "mirrored": False,
                "marked": rng.choice([-1, -1] + list(range(n))), "legend": rng.choice(["top", "bottom"])}

    def draw(c, s, box):
        x0, y0, x1, y1 = box[0] + 16, box[1] + 34, box[2] - 10, box[3] - 34
        for k in range(4):
            y = y0 + (y1 - y0) * k / 4
            c.rect(x0, y, x1, y + 1, c.line)
        c.rect(x0, y0 - 6, x0 + 2, y1, c.fg)
        c.rect(x0, y1, x1, y1 + 2, c.fg)
        w = (x1 - x0) / s["n"]
        for i, v in enumerate(s["levels"]):
            c.rect(x0 + (i + .2) * w, y1 - v * (y1 - y0), x0 + (i + .85) * w, y1, s["mark"] if i == s["marked"] else s["color"])
        y = box[1] + 8 if s["legend"] == "top" else box[3] - 24
        c.rect(x0 + 20, y, x0 + 36, y + 16, s["color"])
        c.text(x0 + 44, y, 12, 1, None)
        c.bar_text(x0 + 110, y + 4, x0 + 160, 7)

    def facts(s):
        out = [[f"{NUM[s['n']]} {s['color']} bars", f"{NUM[s['n']]} columns in {s['color']}", f"{NUM[s['n']]} {s['color']} columns"],
               TREND[s["trend"]]]
        if s["marked"] >= 0:
            o = ORD[s["marked"]]
            out[0] = [f"{NUM[s['n']]} bars mostly {s['color']}", f"{NUM[s['n']]} columns", f"{NUM[s['n']]} bars in {s['color']} and {s['mark']}"]
            out.append([f"the {o} bar in {s['mark']}", f"a {s['mark']} {o} bar", f"the {o} column highlighted in {s['mark']}"])
        return out + [[f"a legend at the {s['legend']}", f"the legend placed at the {s['legend']}", f"a key at the {s['legend']}"]]

    def detail(s):
        end = {"rising": "the tallest bar is the last one", "falling": "the tallest bar is the first one",
               "peak": "the outer bars are the shortest", "dip": "the outer bars are the tallest"}[s["trend"]]
        one = f"Only one bar is {s['mark']}" if s["marked"] >= 0 else f"Every bar is {s['color']}"
        return f"{one} and {end}."


@kind
class Linechart:
    subjects = ["line chart", "line graph", "curve", "trend graph", "line plot"]

    def sample(rng):
        trend = rng.choice(list(TREND))
        return {"color": rng.choice(ACCENTS), "trend": trend, "levels": levels(7, trend, rng), "filled": rng.random() < .5,
                "dots": rng.random() < .5, "limit": rng.choice(["no", "top", "bottom"]), "mirrored": False, "cards": rng.randint(0, 3)}

    def draw(c, s, box):
        x0, y0, x1, y1 = box[0] + 16, box[1] + 14, box[2] - 14, box[3] - (48 if s["cards"] else 14)
        pts = [(x0 + (x1 - x0) * i / 6, y1 - 8 - (y1 - y0 - 8) * (.12 + .7 * v)) for i, v in enumerate(s["levels"])]
        if s["filled"]:
            c.poly(pts + [(x1, y1), (x0, y1)], tuple((a + 2 * b) // 3 for a, b in zip(c.bg, COLORS[s["color"]])))
        c.rect(x0, y0 - 4, x0 + 2, y1, c.fg)
        c.rect(x0, y1 - 2, x1, y1, c.fg)
        if s["limit"] != "no":
            y = y0 + 4 if s["limit"] == "top" else y1 - 14
            for k in range(8):
                c.rect(x0 + (x1 - x0) * k / 8, y, x0 + (x1 - x0) * (k + .6) / 8, y + 5, c.fg)
        c.path(pts, s["color"], 6)
        if s["dots"]:
            for x, y in pts:
                c.disc(x, y, 9, "white", c.fg, 2)
        for k in range(s["cards"]):
            w = (x1 - x0) / 3
            c.rect(x0 + k * w, box[3] - 38, x0 + (k + .85) * w, box[3] - 6, s["color"], 5)

    def facts(s):
        out = [[f"a {s['color']} line", f"one {s['color']} curve", f"a thick {s['color']} line"], TREND[s["trend"]],
               ["the area below filled", "a shaded area below", "a filled area"] if s["filled"] else
               ["no filling below", "an empty area below", "nothing shaded"]]
        out.append(["round markers", "dots on the line", "white points"] if s["dots"] else ["no markers", "no dots", "a plain stroke"])
        if s["limit"] != "no":
            out.append([f"a dashed line at the {s['limit']}", f"a dashed limit near the {s['limit']}", f"a broken line at the {s['limit']}"])
        if s["cards"]:
            out.append([f"{many(s['cards'], 'tile')} below", f"{many(s['cards'], 'colored box')}".replace("boxs", "boxes") + " below", f"{many(s['cards'], 'card')} under it"])
        return out

    def detail(s):
        end = {"rising": "The line ends higher than it starts", "falling": "The line ends lower than it starts",
               "peak": "The line goes up and then down", "dip": "The line goes down and then up"}[s["trend"]]
        return f"{end}, and it is {'marked by dots' if s['dots'] else 'drawn without dots'}."


@kind
class Piechart:
    subjects = ["pie chart", "circle chart", "share diagram", "pie diagram", "round chart"]

    def sample(rng):
        n = rng.randint(2, 5)
        colors = rng.sample(ACCENTS, n)
        big = rng.uniform(.46, .58) if n < 3 else rng.uniform(.40, .5)
        if n == 2:
            big = rng.uniform(.62, .75)
        return {"n": n, "colors": colors, "big": big, "ring": rng.random() < .5, "start": rng.uniform(0, 360),
                "legend": rng.choice(["right", "bottom", "top", "no"])}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        wide = s["legend"] == "right"
        cx, cy = x0 + (x1 - x0) * (.36 if wide else .5), y0 + (y1 - y0) * {"bottom": .4, "top": .6}.get(s["legend"], .5)
        r = min((x1 - x0) * (.33 if wide else .45), (y1 - y0) * (.37 if s["legend"] in ("bottom", "top") else .45))
        parts = [s["big"]] + [(1 - s["big"]) / (s["n"] - 1)] * (s["n"] - 1)
        a = s["start"]
        for color, p in zip(s["colors"], parts):
            c.draw.pieslice(c.box(cx - r, cy - r, cx + r, cy + r), a, a + 360 * p, c.color(color), c.bg, 3)
            a += 360 * p
        if s["ring"]:
            c.disc(cx, cy, r * .52, c.bg)
        for i, color in enumerate(s["colors"]):
            if wide:
                x, y = x0 + (x1 - x0) * .76, cy + (i - (s["n"] - 1) / 2) * 30 - 8
            elif s["legend"] != "no":
                x, y = x0 + (x1 - x0) * (i + .25) / s["n"], y0 + 6 if s["legend"] == "top" else y1 - 24
            else:
                break
            c.rect(x, y, x + 16, y + 16, color)
            c.bar_text(x + 20, y + 5, x + 34, 6)

    def facts(s):
        leg = {"no": ["no legend", "the legend left out", "no key"],
               "right": [f"a legend on the {side(s, 'right')}", f"its key on the {side(s, 'right')} side", f"labels to the {side(s, 'right')}"],
               "bottom": ["a legend at the bottom", "its key below", "labels below"], "top": ["a legend at the top", "its key above", "labels above"]}[s["legend"]]
        return [[many(s["n"], "slice"), many(s["n"], "sector"), many(s["n"], "part")],
                [f"the largest slice {s['colors'][0]}", f"a dominant {s['colors'][0]} part", f"{s['colors'][0]} as the biggest share"],
                ["a hole in the middle", "a hollow center", "the shape of a ring"] if s["ring"] else ["a full disc", "no hole", "a solid center"],
                leg]

    def detail(s):
        order = [c for c in ACCENTS if c in s["colors"][1:]]
        return f"The {s['colors'][0]} slice is the largest and the rest is {listing(order)}."


@kind
class Chat:
    subjects = ["chat", "conversation", "chat window", "message thread", "messenger screen"]

    def sample(rng):
        n = rng.randint(3, 6)
        own = [rng.random() < .5 for _ in range(n)]
        return {"own": own, "color": rng.choice(ACCENTS), "keys": rng.random() < .4, "wide": [rng.uniform(.42, .6) for _ in range(n)]}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        foot = 70 if s["keys"] else 30
        for i, (_, a, _, b) in enumerate(rows((x0, y0 + 2, x1, y1 - foot), len(s["own"]))):
            w, own = (x1 - x0) * s["wide"][i], s["own"][i]
            bx = (x1 - 8 - w, x1 - 8) if own else (x0 + 8, x0 + 8 + w)
            c.rect(bx[0], a + 3, bx[1], b - 4, s["color"] if own else c.line, 9)
            c.bar_text(bx[0] + 10, (a + b) / 2 - 3, bx[0] + w * .75, 5, "white" if own else c.fg)
        y = y1 - foot + 2
        c.rect(x0 + 6, y, x1 - 44, y + 24, c.bg, 10, c.weak, 2)
        c.disc(x1 - 22, y + 12, 12, s["color"])
        if s["keys"]:
            c.rect(x0, y + 27, x1, y1, c.card)
            for r in range(3):
                for k in range(9):
                    w = (x1 - x0) / 9
                    c.rect(x0 + k * w + 2, y + 29 + r * 13, x0 + (k + 1) * w - 2, y + 39 + r * 13, c.fg, 2)

    def facts(s):
        n, k, where, color = len(s["own"]), sum(s["own"]), side(s, "right"), s["color"]
        mine = ([f"no {color} ones", "no own replies", "all of them gray"] if not k else
                [f"{NUM[k]} {color} on the {where}", f"{many(k, 'own reply').replace('replys', 'replies')} in {color}", f"{NUM[k]} {color} bubble{'s' * (k > 1)} at the {where}"])
        last = color if s["own"][-1] else "gray"
        return [[many(n, "message"), many(n, "bubble"), many(n, "speech bubble")], mine if k else ["all of them gray", "no own replies", "gray bubbles only"],
                [f"the last one {last}", f"a {last} one at the end", f"{last} as the latest"],
                ["an open keyboard", "the keyboard shown", "keys at the bottom"] if s["keys"] else ["an input line at the bottom", "no keyboard", "a box to type in"]]

    def detail(s):
        names = [s["color"] if v else "gray" for v in s["own"]]
        return "From top to bottom the messages are " + listing(names) + "."


@kind
class Map:
    subjects = ["map", "city map", "street map", "map view", "navigation screen"]
    CORNERS = ["upper left", "upper right", "lower left", "lower right"]

    def sample(rng):
        cells = rng.sample([(i, j) for i in range(3) for j in range(3)], 6)
        return {"pins": cells[:rng.randint(1, 5)], "pin": rng.choice(["red", "orange", "purple"]), "park": rng.choice(Map.CORNERS + ["no"]),
                "river": rng.choice(["across", "down", "no"]), "off": rng.uniform(-.06, .06), "route": rng.random() < .4, "mirrored": False}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        w, h = x1 - x0, y1 - y0
        if s["park"] != "no":
            px, py = (0 if "left" in s["park"] else .66), (0 if "upper" in s["park"] else .66)
            c.rect(x0 + w * px, y0 + h * py, x0 + w * (px + .34), y0 + h * (py + .34), (70, 150, 84))
        for k in range(5):
            c.rect(x0 + w * (k + .45) / 5, y0, x0 + w * (k + .45) / 5 + 5, y1, c.line)
            c.rect(x0, y0 + h * (k + .45) / 5, x1, y0 + h * (k + .45) / 5 + 5, c.line)
        if s["river"] == "across":
            y = y0 + h * (.5 + s["off"])
            c.path([(x0 + w * k / 12, y + h * .03 * math.sin(k)) for k in range(13)], (70, 140, 226), 24)
        elif s["river"] == "down":
            x = x0 + w * (.5 + s["off"])
            c.path([(x + w * .04 * math.sin(k), y0 + h * k / 12) for k in range(13)], (70, 140, 226), 24)
        spots = [(x0 + w * (i + .5) / 3, y0 + h * (j + .5) / 3) for i, j in s["pins"]]
        if s["route"] and len(spots) > 1:
            c.path(spots, c.fg, 5)
        for x, y in spots:
            c.poly([(x - 13, y - 6), (x + 13, y - 6), (x, y + 22)], s["pin"])
            c.disc(x, y - 10, 15, s["pin"])
            c.disc(x, y - 10, 6, "white")

    def facts(s):
        n = len(s["pins"])
        out = [[f"{NUM[n]} {s['pin']} pin{'s' * (n > 1)}", f"{NUM[n]} {s['pin']} marker{'s' * (n > 1)}", f"{NUM[n]} place{'s' * (n > 1)} marked in {s['pin']}"]]
        if s["route"] and n > 1:
            out.append(["a route between them", "a line joining them", "the places joined by a route"])
        out.append({"across": ["a river running across", "a river from side to side", "blue water going across"],
                    "down": ["a river running down", "a river from top to bottom", "blue water going down"],
                    "no": ["no river", "no water", "dry land only"]}[s["river"]])
        out.append(["no park", "no green area", "no park to see"] if s["park"] == "no" else
                   [f"a park in the {s['park']}", f"a green area at the {s['park']}", f"greenery in the {s['park']} corner"])
        return out

    def detail(s):
        n = [sum(1 for p in s["pins"] if p[1] == k) for k in range(3)]
        at = [f"{NUM[k]} in the {name}" for k, name in zip(n, ["upper", "middle", "lower"]) if k]
        return f"Of the pins there {'is' if n[next(i for i in range(3) if n[i])] == 1 else 'are'} {listing([a + (' third' if i == len(at) - 1 else '') for i, a in enumerate(at)])}."


@kind
class Receipt:
    subjects = ["receipt", "bill", "invoice", "sales slip", "payment receipt"]

    def sample(rng):
        head, stamp = pair(rng)
        return {"n": rng.randint(2, 6), "head": head, "stamp": stamp, "paid": rng.random() < .5, "code": rng.choice(["bars", "square", "no"])}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        mid, half = (x0 + x1) / 2, min(110, (x1 - x0) / 2 - 14)
        c.rect(mid - half, y0 + 4, mid + half, y1 - 4, (252, 252, 248), 0, c.weak, 1)
        c.rect(mid - half, y0 + 4, mid + half, y0 + 4 + (y1 - y0) * .12, s["head"])
        c.text(mid, y0 + (y1 - y0) * .07 - 6, 12, 1, "white", "center")
        top, step = y0 + (y1 - y0) * .18, (y1 - y0) * .075
        for i in range(s["n"]):
            y = top + i * step
            c.bar_text(mid - half + 12, y, mid - half + 70 + (i * 29) % 30, step * .45, (90, 90, 96))
            c.bar_text(mid + half - 48, y, mid + half - 12, step * .45, (90, 90, 96))
        y = y0 + (y1 - y0) * .66
        c.rect(mid - half + 8, y, mid + half - 8, y + 4, (20, 20, 24))
        c.rect(mid + half - 70, y + 8, mid + half - 10, y + 18, (20, 20, 24))
        if s["paid"]:
            c.disc(mid - half * .45, y0 + (y1 - y0) * .78, 22, None, s["stamp"], 6)
            c.tick(mid - half * .45, y0 + (y1 - y0) * .78, 14, s["stamp"], 6)
        cy = y0 + (y1 - y0) * .87
        if s["code"] == "bars":
            x = mid - half * .05
            for k, wdt in enumerate([4, 2, 6, 3, 2, 5, 3, 6, 2, 4]):
                c.rect(x, cy - 18, x + wdt, cy + 16, (10, 10, 12))
                x += wdt + (3, 4)[k % 2]
        elif s["code"] == "square":
            for k in range(36):
                i, j = k % 6, k // 6
                if (i * 7 + j * 5 + i * j) % 3 != 1:
                    c.rect(mid + half * .2 + i * 7, cy - 22 + j * 7, mid + half * .2 + (i + 1) * 7, cy - 22 + (j + 1) * 7, (10, 10, 12))

    def facts(s):
        code = {"bars": ["a bar code", "a striped code at the bottom", "a barcode below"],
                "square": ["a square code", "a QR code at the bottom", "a QR code below"], "no": ["no code", "no code to scan", "nothing to scan"]}[s["code"]]
        return [[f"a {s['head']} header", f"a {s['head']} top band", f"{s['head']} heading"], [many(s["n"], "item"), many(s["n"], "position"), f"{many(s['n'], 'line')} of goods"],
                [f"a {s['stamp']} stamp", f"a {s['stamp']} tick in a ring", f"a round {s['stamp']} mark"] if s["paid"] else ["no stamp", "no mark on it", "the stamp missing"], code]

    def detail(s):
        return ("It has been marked as paid" if s["paid"] else "It has not been marked as paid") + " and the total stands below a black line."


@kind
class Dialog:
    subjects = ["dialog", "dialog box", "pop-up", "message box", "alert"]
    ICONS = {"error": ("a red cross", "an error sign", "red"), "warning": ("a yellow triangle", "a warning sign", "yellow"),
             "done": ("a green tick", "a success sign", "green"), "info": ("a blue dot", "an info sign", "blue")}

    def sample(rng):
        n = rng.randint(1, 3)
        return {"icon": rng.choice(list(Dialog.ICONS)), "n": n, "main": rng.randrange(n), "color": rng.choice(ACCENTS),
                "place": rng.choice(["middle", "bottom", "top"]), "lines": rng.randint(1, 3)}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        dim = tuple(v // 2 for v in c.bg)
        c.rect(x0, y0, x1, y1, dim)
        for k in range(5):
            c.bar_text(x0 + 10, y0 + 10 + k * (y1 - y0) / 5, x0 + (x1 - x0) * .7, 10, tuple((v + 40) // 2 for v in dim))
        h, half = (y1 - y0) * .58, min(130, (x1 - x0) / 2 - 10)
        mid = (x0 + x1) / 2
        top = {"top": y0 + 4, "middle": (y0 + y1 - h) / 2, "bottom": y1 - h - 4}[s["place"]]
        c.rect(mid - half, top, mid + half, top + h, c.bg, 8, c.fg, 2)
        iy, r = top + h * .23, 21
        if s["icon"] == "warning":
            c.shape("triangle", mid, iy, r, "yellow")
            c.rect(mid - 2, iy - 6, mid + 3, iy + 8, (20, 20, 20))
        else:
            c.disc(mid, iy, r, {"error": "red", "done": "green", "info": "blue"}[s["icon"]])
            if s["icon"] == "error":
                c.cross(mid, iy, 9, "white", 5)
            elif s["icon"] == "done":
                c.tick(mid, iy, 14, "white", 5)
            else:
                c.rect(mid - 3, iy - 3, mid + 3, iy + 12, "white")
                c.disc(mid, iy - 9, 4, "white")
        for k in range(s["lines"]):
            c.bar_text(mid - half * .7, top + h * (.47 + .09 * k), mid + half * .7, h * .045, c.fg)
        w = 2 * half / s["n"]
        for k in range(s["n"]):
            a = mid - half + k * w
            c.rect(a + 6, top + h * .77, a + w - 6, top + h * .94, s["color"] if k == s["main"] else c.line, 4)

    def facts(s):
        a, b, color = Dialog.ICONS[s["icon"]]
        where = {1: ["only"], 2: ["left", "right"], 3: ["left", "middle", "right"]}[s["n"]][s["main"]]
        where = side(s, where)
        main = [f"a {s['color']} button", f"one wide {s['color']} button", f"a single {s['color']} button"] if s["n"] == 1 else [
            f"{NUM[s['n']]} buttons", f"{NUM[s['n']]} buttons to choose from", f"a choice of {NUM[s['n']]} buttons"]
        out = [[a, b, f"{a} icon"], [f"{many(s['lines'], 'line')} of text", f"a text of {many(s['lines'], 'line')}", f"{many(s['lines'], 'text line')}"], main]
        if s["n"] > 1:
            out.append([f"the {where} one {s['color']}", f"the {where} button in {s['color']}", f"a {s['color']} {where} button"])
        return out + [[f"the box in the {s['place']}" if s["place"] == "middle" else f"the box at the {s['place']}",
                       f"its box at the {s['place']} of the screen", f"the {s['place']} of the screen covered"]]

    def detail(s):
        kind_of = {"error": "reports an error", "warning": "gives a warning", "done": "confirms a success", "info": "gives some information"}[s["icon"]]
        return f"It {kind_of} above a dimmed page and offers {many(s['n'], 'button')}."


@kind
class Player:
    subjects = ["music player", "audio player", "song player", "media player", "player"]

    def sample(rng):
        cover, shape = pair(rng)
        return {"cover": cover, "shape": rng.choice(SHAPES + ["star"]), "playing": rng.random() < .5, "progress": rng.choice([.15, .5, .85]),
                "accent": rng.choice([a for a in ACCENTS if a != cover]), "heart": rng.random() < .4}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        mid, h = (x0 + x1) / 2, y1 - y0
        r = h * .25
        r = min(r, (x1 - x0) * .38)
        c.rect(mid - r, y0 + 6, mid + r, y0 + 6 + 2 * r, s["cover"])
        c.shape(s["shape"], mid, y0 + 6 + r, r * .6, "white")
        y = y0 + h * .62
        c.text(mid, y - 16 - h * .02, 12, 1, None, "center") if h > 250 else None
        c.rect(x0 + 24, y, x1 - 24, y + 9, c.line)
        x = x0 + 24 + (x1 - x0 - 48) * s["progress"]
        c.rect(x0 + 24, y, x, y + 9, s["accent"])
        c.disc(x, y + 4, 11, s["accent"])
        y = y0 + h * .83
        q = min(30, h * .13)
        c.disc(mid, y, q, c.fg)
        if s["playing"]:
            c.rect(mid - q * .45, y - q * .5, mid - q * .12, y + q * .5, c.bg)
            c.rect(mid + q * .12, y - q * .5, mid + q * .45, y + q * .5, c.bg)
        else:
            c.draw.polygon([(mid - q * .35, y - q * .55), (mid - q * .35, y + q * .55), (mid + q * .6, y)], c.bg)
        for d in (-1, 1):
            c.poly([(mid + d * 50, y - 9), (mid + d * 50, y + 9), (mid + d * 66, y)], c.weak)
        if s["heart"]:
            x = x1 - 26
            c.disc(x - 6, y - 5, 8, "red")
            c.disc(x + 6, y - 5, 8, "red")
            c.poly([(x - 14, y - 2), (x + 14, y - 2), (x, y + 15)], "red")

    def facts(s):
        p = {.15: ["the bar near its start", "little of it played", "the song just begun"], .5: ["the bar half full", "half of it played", "the song half way through"],
             .85: ["the bar near its end", "most of it played", "the song almost over"]}[s["progress"]]
        return [[f"a {s['shape']} on a {s['cover']} cover", f"a {s['cover']} cover showing a {s['shape']}", f"a white {s['shape']} on {s['cover']}"],
                ["a pause button", "the music running", "a pause sign"] if s["playing"] else ["a play button", "the music stopped", "a play sign"],
                [p[0].replace("the bar", f"the {s['accent']} bar"), p[1], p[2]],
                ["a red heart", "the song liked", "a heart"] if s["heart"] else ["no heart", "no like given", "the heart missing"]]

    def detail(s):
        return f"The song is {'playing' if s['playing'] else 'paused'} and has been {'liked' if s['heart'] else 'left without a like'}, and its bar is {s['accent']}."


@kind
class Calendar:
    subjects = ["calendar", "month view", "calendar page", "month calendar", "date picker"]

    def sample(rng):
        cells = rng.sample([(i, j) for i in range(7) for j in range(5)], 6)
        color, mark = pair(rng)
        return {"day": cells[0], "marks": cells[1:1 + rng.randint(0, 4)], "color": color, "mark": mark, "round": rng.random() < .5}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        w, h = (x1 - x0 - 12) / 7, (y1 - y0 - 22) / 5
        for i in range(7):
            c.bar_text(x0 + 6 + i * w + w * .3, y0 + 7, x0 + 6 + i * w + w * .7, 6, c.fg)
        for i in range(7):
            for j in range(5):
                a, b = x0 + 6 + i * w, y0 + 20 + j * h
                c.rect(a + 1, b + 1, a + w - 1, b + h - 1, c.card, 0, c.line, 1)
                if (i, j) == s["day"]:
                    c.rect(a + 1, b + 1, a + w - 1, b + h - 1, s["color"])
                if (i, j) in s["marks"]:
                    r = min(w, h) * .36
                    c.disc(a + w / 2, b + h / 2, r, s["mark"]) if s["round"] else c.rect(a + w / 2 - r, b + h / 2 - r, a + w / 2 + r, b + h / 2 + r, s["mark"])

    def facts(s):
        i, j = s["day"]
        third = side(s, "left" if i < 2 else "right" if i > 4 else "middle")
        n, form = len(s["marks"]), "round" if s["round"] else "square"
        marks = ["no events", "no event marked", "an empty month"] if not n else [
            f"{NUM[n]} {form} {s['mark']} event{'s' * (n > 1)}", f"{NUM[n]} {s['mark']} mark{'s' * (n > 1)}", f"{NUM[n]} {form} {s['mark']} mark{'s' * (n > 1)}"]
        return [[f"a {s['color']} day in the {ORD[j]} week", f"the {ORD[j]} row holding a {s['color']} day", f"a day of week {NUM[j + 1]} selected in {s['color']}"],
                [f"that day {'in' if third == 'middle' else 'on'} the {third}", f"the chosen day {'in' if third == 'middle' else 'on'} the {third}", f"the selection {'in' if third == 'middle' else 'on'} the {third}"], marks]

    def detail(s):
        early = sum(1 for m in s["marks"] if m[1] < 2)
        if not s["marks"]:
            return f"Nothing but the {s['color']} day is marked."
        return f"Of the events {NUM[early] if early else 'none'} {'is' if early == 1 else 'are'} in the first two weeks."


@kind
class Gallery:
    subjects = ["photo gallery", "picture gallery", "photo album", "image grid", "album"]

    def sample(rng):
        cols, n_rows = rng.choice([(2, 2), (2, 3), (3, 2), (3, 3)])
        n = cols * n_rows
        return {"cols": cols, "rows": n_rows, "ticked": sorted(rng.sample(range(n), rng.randint(0, 3))), "color": rng.choice(ACCENTS),
                "plus": rng.choice(["left", "right", "no"]), "scene": [rng.randrange(3) for _ in range(n)]}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        w, h = (x1 - x0) / s["cols"], (y1 - y0) / s["rows"]
        for k, what in enumerate(s["scene"]):
            a, b = x0 + (k % s["cols"]) * w + 3, y0 + (k // s["cols"]) * h + 3
            x, y = a + w - 6, b + h - 6
            c.rect(a, b, x, y, [(150, 196, 226), (228, 196, 160), (120, 130, 150)][what])
            if what == 0:
                c.rect(a, b + h * .6, x, y, (120, 160, 110))
            elif what == 1:
                c.poly([(a, y), (a + w * .4, b + h * .35), (x - 2, y)], (150, 116, 92))
            else:
                c.disc(a + w * .7, b + h * .3, min(w, h) * .12, (224, 224, 214))
            if k in s["ticked"]:
                c.rect(a, b, x, y, None, 0, s["color"], 5)
                c.disc(a + w / 2 - 3, b + h / 2 - 3, 17, s["color"], "white", 2)
                c.tick(a + w / 2 - 3, b + h / 2 - 3, 12, "white", 4)
        if s["plus"] != "no":
            x, y = (x0 + 24 if s["plus"] == "left" else x1 - 24), y1 - 22
            c.disc(x, y, 19, c.bg, c.fg, 2)
            c.rect(x - 10, y - 2, x + 10, y + 3, c.fg)
            c.rect(x - 2, y - 10, x + 3, y + 10, c.fg)

    def facts(s):
        k = len(s["ticked"])
        grid = f"{NUM[s['cols']]} columns and {NUM[s['rows']]} rows"
        t = ["no picture ticked", "nothing selected", "no selection"] if not k else [
            f"{many(k, 'picture')} ticked in {s['color']}", f"{many(k, 'photo')} selected in {s['color']}", f"{s['color']} ticks on {NUM[k]}"]
        where = side(s, s["plus"])
        p = ["no plus button", "no button to add", "nothing to add with"] if s["plus"] == "no" else [
            f"a plus button on the {where}", f"a round plus in the lower {where}", f"an add button at the {where}"]
        return [[grid, f"{NUM[s['cols'] * s['rows']]} pictures in {NUM[s['cols']]} columns", f"{NUM[s['rows']]} rows of {NUM[s['cols']]} photos"], t, p]

    def detail(s):
        n = s["cols"] * s["rows"]
        return f"There are {NUM[n]} pictures and {NUM[len(s['ticked'])] if s['ticked'] else 'none'} of them {'is' if len(s['ticked']) == 1 else 'are'} selected."


@kind
class Lock:
    subjects = ["lock screen", "code screen", "passcode screen", "PIN entry", "keypad screen"]

    def sample(rng):
        total = rng.choice([4, 6])
        return {"total": total, "filled": rng.randint(0, total), "form": rng.choice(["round", "square"]), "color": rng.choice(ACCENTS),
                "open": rng.random() < .5, "finger": rng.random() < .5}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        mid, h = (x0 + x1) / 2, y1 - y0
        y = y0 + h * .14
        dx = 12 if s["open"] else 0
        c.draw.arc(c.box(mid - 11 + dx, y - 24, mid + 11 + dx, y + 8), 180, 360, c.color(s["color"]), 6)
        c.rect(mid - 18, y - 8, mid + 18, y + 18, s["color"], 3)
        y = y0 + h * .31
        for i in range(s["total"]):
            x = mid + (i - (s["total"] - 1) / 2) * 29
            c.disc(x, y, 11, s["color"] if i < s["filled"] else None, c.fg, 2)
        w, kh = min(56, (x1 - x0) / 3.6), h * .145
        for k in range(12):
            if k in (9, 11) and not (k == 11 and s["finger"]):
                continue
            x, y = mid + (k % 3 - 1) * w, y0 + h * .47 + (k // 3) * kh
            r = min(w, kh) * .42
            fill = s["color"] if k == 11 else c.line
            c.disc(x, y, r, fill) if s["form"] == "round" else c.rect(x - r * 1.1, y - r, x + r * 1.1, y + r, fill)

    def facts(s):
        f, t = s["filled"], s["total"]
        fill = [f"{NUM[f] if f else 'none'} of {NUM[t]} dots filled", f"{NUM[f] if f else 'no'} digit{'' if f == 1 else 's'} entered out of {NUM[t]}",
                f"{NUM[t]} dots, {NUM[f] if f else 'none'} filled"]
        return [[f"a {s['color']} {'open' if s['open'] else 'closed'} padlock", f"a{'n open' if s['open'] else ' closed'} {s['color']} padlock on top",
                 f"{s['color']} as color of the {'open' if s['open'] else 'closed'} lock"], fill,
                [f"{s['form']} keys", f"a pad of {s['form']} keys", f"{s['form']} buttons"],
                [f"a {s['color']} key at the bottom", f"one {s['color']} key", "one colored key"] if s["finger"] else ["no colored key", "gray keys only", "all keys gray"]]

    def detail(s):
        rest = s["total"] - s["filled"]
        return f"The padlock is {'open' if s['open'] else 'closed'} and {NUM[rest] if rest else 'no'} digit{'' if rest == 1 else 's'} {'is' if rest == 1 else 'are'} still missing."


@kind
class Weather:
    subjects = ["weather page", "weather forecast", "weather screen", "forecast page", "weather report"]

    def sample(rng):
        n = rng.randint(3, 5)
        return {"sky": rng.choice(["sun", "cloud", "rain", "snow", "flash"]), "n": n, "marked": rng.choice([-1] + list(range(n)) * 2),
                "color": rng.choice(ACCENTS), "wind": rng.choice(["no", "low", "high"])}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        mid, y, r = (x0 + x1) / 2, y0 + (y1 - y0) * .26, 28
        if s["sky"] == "sun":
            for k in range(8):
                a = k * math.pi / 4
                c.path([(mid + 30 * math.cos(a), y + 30 * math.sin(a)), (mid + 44 * math.cos(a), y + 44 * math.sin(a))], "yellow", 6)
            c.disc(mid, y, 26, "yellow", (200, 150, 20), 1)
        else:
            grey = (176, 182, 192) if sum(c.bg) < 380 else (120, 128, 142)
            c.disc(mid - 22, y, 19, grey)
            c.disc(mid + 2, y - 12, 24, grey)
            c.disc(mid + 26, y, 17, grey)
            c.rect(mid - 22, y, mid + 26, y + 18, grey)
            for k in (-1, 0, 1):
                x = mid + 22 * k
                if s["sky"] == "rain":
                    c.path([(x + 3, y + 22), (x - 4, y + 42)], (40, 110, 235), 7)
                elif s["sky"] == "snow":
                    c.disc(x, y + 32, 8, "white", c.fg, 1)
            if s["sky"] == "flash":
                c.poly([(mid + 8, y + 6), (mid - 12, y + 28), (mid, y + 28), (mid - 6, y + 48), (mid + 16, y + 22), (mid + 4, y + 22)], "yellow")
        top = y0 + (y1 - y0) * .6
        w = (x1 - x0 - 12) / s["n"]
        for k in range(s["n"]):
            a = x0 + 6 + k * w
            c.rect(a + 3, top, a + w - 3, y1 - (y1 - y0) * .14, s["color"] if k == s["marked"] else c.card, 4, c.weak, 2)
            c.bar_text(a + w * .3, top + 8, a + w * .7, 6, c.fg)
            c.bar_text(a + w * .3, top + 22, a + w * .6, 6)
        if s["wind"] != "no":
            c.rect(x0 + 9, y1 - 18, x1 - 9, y1 - 5, c.line)
            c.rect(x0 + 9, y1 - 18, x0 + 9 + (x1 - x0 - 18) * (.2 if s["wind"] == "low" else .85), y1 - 5, s["color"])

    def facts(s):
        sky = {"sun": ["a yellow sun", "sunny weather", "a shining sun"], "cloud": ["a gray cloud", "cloudy weather", "a plain cloud"],
               "rain": ["a rain cloud", "rainy weather", "rain falling"], "snow": ["a snow cloud", "snowy weather", "snow falling"],
               "flash": ["a storm cloud", "stormy weather", "a flash of lightning"]}[s["sky"]]
        m = s["marked"] if not s["mirrored"] else (s["n"] - 1 - s["marked"] if s["marked"] >= 0 else -1)
        mark = ["none of them highlighted", "no day picked", "no card marked"] if m < 0 else [
            f"the {ORD[m]} from the left {s['color']}", f"the {ORD[m]} card from the left in {s['color']}", f"card {NUM[m + 1]} from the left in {s['color']}"]
        wind = {"no": ["no bar", "no bar below", "nothing below"],
                "low": [f"a nearly empty {s['color']} bar", f"a {s['color']} bar almost empty", "a low bar at the bottom"],
                "high": [f"a nearly full {s['color']} bar", f"a {s['color']} bar almost full", "a high bar at the bottom"]}[s["wind"]]
        return [sky, [f"{NUM[s['n']]} day cards", f"{NUM[s['n']]} forecast cards", f"a forecast for {NUM[s['n']]} days"], mark, wind]

    def detail(s):
        sky = {"sun": "It is sunny", "cloud": "It is cloudy", "rain": "It is raining", "snow": "It is snowing", "flash": "There is a thunderstorm"}[s["sky"]]
        return f"{sky} today and the row below covers {NUM[s['n']]} days."


@kind
class Downloads:
    subjects = ["download page", "download list", "transfer list", "progress page", "list of downloads"]

    def sample(rng):
        n = rng.randint(2, 5)
        color, button = pair(rng)
        return {"full": [rng.random() < .45 for _ in range(n)], "part": [rng.choice([.2, .5]) for _ in range(n)], "color": color,
                "button": button, "wide": rng.random() < .5}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        for i, (a, b, d, e) in enumerate(rows((x0, y0, x1, y1 - 44), len(s["full"]))):
            m = (b + e) / 2
            c.text(a + 12, m - 20, 12, 1)
            c.rect(a + 12, m, d - 12, m + 14, c.line, 0, c.fg, 1)
            c.rect(a + 12, m, a + 12 + (d - a - 24) * (1 if s["full"][i] else s["part"][i]), m + 14, s["color"])
        mid, half = (x0 + x1) / 2, (x1 - x0) * (.44 if s["wide"] else .18)
        c.rect(mid - half, y1 - 38, mid + half, y1 - 8, s["button"], 6)

    def facts(s):
        n, k = len(s["full"]), sum(s["full"])
        form = "wide" if s["wide"] else "small"
        return [[f"{NUM[n]} {s['color']} progress bars", f"{NUM[n]} bars in {s['color']}", f"{NUM[n]} {s['color']} files in transfer"],
                [f"{of_them(k, n)} full", f"{NUM[k] if k else 'no'} download{'' if k == 1 else 's'} complete", f"{NUM[k] if k else 'none'} finished"],
                [f"a {form} {s['button']} button", f"a {form} {s['button']} button at the bottom", f"a {s['button']} {form} button below"]]

    def detail(s):
        names = ["full" if f else "half full" if p == .5 else "nearly empty" for f, p in zip(s["full"], s["part"])]
        return "From top to bottom the bars are " + listing(names) + "."


@kind
class Table:
    subjects = ["table", "data table", "spreadsheet", "sheet", "table of numbers"]

    def sample(rng):
        head, mark = pair(rng)
        n = rng.randint(3, 6)
        return {"rows": n, "cols": rng.randint(2, 5), "head": head, "mark": mark, "kind_of": rng.choice(["row", "column", "no"]), "at": rng.random()}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        w, h = (x1 - x0 - 12) / s["cols"], (y1 - y0 - 12) / (s["rows"] + 1)
        at = Table.at(s)
        for j in range(s["rows"] + 1):
            for i in range(s["cols"]):
                a, b = x0 + 6 + i * w, y0 + 6 + j * h
                hit = j and (s["kind_of"] == "row" and j - 1 == at or s["kind_of"] == "column" and i == at)
                c.rect(a, b, a + w, b + h, s["head"] if j == 0 else s["mark"] if hit else c.bg, 0, c.fg, 2)
                c.bar_text(a + w * .22, b + h / 2 - 3, a + w * .68, 6, "white" if j == 0 or hit else c.weak)

    def at(s):
        return -1 if s["kind_of"] == "no" else int(s["at"] * (s["rows"] if s["kind_of"] == "row" else s["cols"]))

    def facts(s):
        at = Table.at(s)
        if s["kind_of"] == "column" and s["mirrored"]:
            at = s["cols"] - 1 - at
        if s["kind_of"] == "no":
            m = ["no cell highlighted", "nothing highlighted", "plain cells"]
        else:
            tail = " from the left" if s["kind_of"] == "column" else ""
            m = [f"the {ORD[at]} {s['kind_of']}{tail} {s['mark']}", f"{s['kind_of']} {NUM[at + 1]}{tail} highlighted in {s['mark']}", f"a {s['mark']} {ORD[at]} {s['kind_of']}{tail}"]
        return [[f"a {s['head']} header", f"a {s['head']} head row", f"its head row in {s['head']}"],
                [f"{NUM[s['cols']]} columns", f"cells in {NUM[s['cols']]} columns", f"{NUM[s['cols']]} columns of cells"],
                [f"{NUM[s['rows']]} rows", f"{NUM[s['rows']]} data rows", f"{NUM[s['rows']]} lines below the head"], m]

    def detail(s):
        m = "no part of it is highlighted" if s["kind_of"] == "no" else f"one {s['kind_of']} is highlighted in {s['mark']}"
        return f"Below the {s['head']} header there are {NUM[s['rows']]} rows, and {m}."


@kind
class Videocall:
    subjects = ["video call", "video meeting", "video conference", "online meeting", "group call"]

    def sample(rng):
        n = rng.choice([1, 2, 3, 4, 6])
        return {"n": n, "off": rng.randint(0, min(2, n - 1)) if n > 1 else 0, "speaker": rng.random(), "color": rng.choice(ACCENTS),
                "muted": rng.random() < .5, "order": rng.random()}

    def draw(c, s, box):
        x0, y0, x1, y1 = box
        y1 -= 42
        cols, n_rows = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2), 6: (2, 3)}[s["n"]]
        w, h = (x1 - x0) / cols, (y1 - y0) / n_rows
        off = set((int(s["order"] * s["n"]) + k) % s["n"] for k in range(s["off"]))
        for k in range(s["n"]):
            a, b = x0 + (k % cols) * w + 3, y0 + (k // cols) * h + 3
            x, y, r = a + w - 6, b + h - 6, min(w, h) * .17
            c.rect(a, b, x, y, (8, 8, 10) if k in off else (186, 200, 214))
            cx = (a + x) / 2
            if k in off:
                c.path([(cx - r, b + h / 2 - r), (cx + r, b + h / 2 + r)], (200, 200, 200), 3)
            else:
                skin = [(224, 172, 140), (150, 100, 74), (240, 200, 170)][k % 3]
                c.draw.pieslice(c.box(cx - 2.1 * r, b + h * .58, cx + 2.1 * r, b + h * .58 + 4.2 * r), 180, 360, (70, 84, 110))
                c.rect(a, y, x, y + 6, c.bg)
                c.disc(cx, b + h * .4, r, skin)
            if k == Videocall.at(s):
                c.rect(a - 1, b - 1, x + 1, y + 1, None, 0, s["color"], 6)
        mid = (x0 + x1) / 2
        c.disc(mid, y1 + 21, 18, "red")
        c.rect(mid - 10, y1 + 18, mid + 10, y1 + 24, "white")
        x = mid - 60
        c.disc(x, y1 + 21, 18, c.line)
        c.rect(x - 4, y1 + 9, x + 5, y1 + 27, c.fg, 4)
        if s["muted"]:
            c.path([(x - 15, y1 + 7), (x + 15, y1 + 35)], "red", 6)

    def at(s):
        return int(s["speaker"] * s["n"])

    def facts(s):
        k, n = s["off"], s["n"]
        at = Videocall.at(s)
        if n == 1:
            spot = "only"
        elif n < 4:
            spot = {2: ["upper", "lower"], 3: ["top", "middle", "bottom"]}[n][at]
        else:
            spot = {4: ["upper", "lower"], 6: ["upper", "middle", "lower"]}[n][at // 2] + " " + side(s, ["left", "right"][at % 2])
        off = ["all cameras on", "every camera on", "no camera turned off"] if not k else [
            f"{many(k, 'camera')} off", f"{many(k, 'black tile')}", f"{many(k, 'participant')} without picture"]
        return [[many(n, "tile"), many(n, "participant"), many(n, "picture")], off,
                [f"the {spot} one framed in {s['color']}", f"a {s['color']} frame around the {spot} one", f"the {spot} tile outlined in {s['color']}"],
                ["the microphone muted", "a muted microphone", "the sound switched off"] if s["muted"] else ["the microphone on", "an active microphone", "the microphone open"]]

    def detail(s):
        seen = s["n"] - s["off"]
        return f"{NUM[seen].capitalize()} {'person' if seen == 1 else 'people'} can be seen, above a red button to hang up."
