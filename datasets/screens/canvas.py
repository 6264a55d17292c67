"""A small drawing surface: flat shapes, filler text, and left-right mirroring for right-to-left layouts."""
import math

from PIL import Image, ImageDraw, ImageFont

FONT_ROOT = "/usr/share/fonts/truetype/"
# Debian packages fonts-dejavu-core, fonts-liberation2, fonts-lato, fonts-open-sans; only rendered, never copied.
FONTS = ["dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf", "dejavu/DejaVuSerif.ttf",
         "liberation2/LiberationSans-Regular.ttf", "liberation2/LiberationSerif-Regular.ttf",
         "lato/Lato-Regular.ttf", "lato/Lato-Bold.ttf", "open-sans/OpenSans-Regular.ttf"]
WIDE_FONT = "dejavu/DejaVuSans.ttf"  # the one with Greek, Cyrillic and Hebrew letters
WORDS = {
    "latin": "Home Search Account Total Amber Lunch River Nova Today Sleep Mail Sound Light Profile Save Cancel "
             "Travel Coffee Paper Garden Update Number Street Music Cloud Photos Budget Team Order Delta".split(),
    "greek": "Αρχή Σήμερα Ήχος Φως Δρόμος Ομάδα Καφές Χαρτί Σύνολο Νερό Ώρα Μέρα".split(),
    "cyrillic": "Домой Поиск Итого Сегодня Звук Свет Река Кофе Музыка Чай Город Почта".split(),
    "hebrew": "שלום בית אור מים היום קפה עיר רחוב סך חדש דואר קול".split(),
}
COLORS = {"red": (214, 44, 44), "orange": (246, 146, 22), "green": (38, 166, 78), "blue": (36, 108, 232),
          "purple": (140, 58, 190), "yellow": (248, 208, 40), "white": (250, 250, 250), "gray": (140, 142, 148)}
ACCENTS = ["red", "orange", "green", "blue", "purple"]
PALETTES = {  # background, card, line, strong text, weak text
    "light": [((255, 255, 255), (240, 241, 244), (214, 216, 222), (28, 28, 32), (150, 152, 160)),
              ((247, 246, 240), (255, 255, 255), (218, 214, 204), (40, 36, 30), (158, 152, 140)),
              ((238, 243, 250), (255, 255, 255), (206, 214, 226), (20, 30, 48), (140, 150, 168)),
              ((244, 240, 248), (255, 255, 255), (216, 208, 224), (38, 28, 46), (154, 144, 164))],
    "dark": [((18, 18, 20), (42, 43, 48), (66, 68, 74), (238, 238, 240), (122, 124, 132)),
             ((28, 30, 37), (52, 56, 66), (78, 82, 94), (232, 234, 240), (132, 136, 148)),
             ((16, 22, 38), (38, 48, 72), (62, 74, 102), (230, 236, 246), (116, 128, 156)),
             ((34, 27, 33), (60, 50, 58), (86, 74, 84), (244, 236, 240), (140, 126, 136))],
}
_fonts = {}


def font(name, size):
    key = (name, size)
    if key not in _fonts:
        _fonts[key] = ImageFont.truetype(FONT_ROOT + name, size)
    return _fonts[key]


class Canvas:
    """Coordinates are those of a left-to-right layout; `mirrored` flips them on the way out."""

    def __init__(self, width, height, palette, mirrored, rng):
        self.w, self.h, self.mirrored, self.rng = width, height, mirrored, rng
        self.bg, self.card, self.line, self.fg, self.weak = palette
        self.image = Image.new("RGB", (width, height), self.bg)
        self.draw = ImageDraw.Draw(self.image)
        self.script = "hebrew" if mirrored else rng.choice(["latin"] * 5 + ["greek", "cyrillic"])
        self.font_name = rng.choice(FONTS) if self.script == "latin" else WIDE_FONT
        self.jitter = rng.randint(-10, 10)

    def color(self, name):
        """A colour name, or a ready triple; named colours get the same small shift in one image."""
        if not isinstance(name, str):
            return name
        return tuple(max(0, min(255, v + self.jitter)) for v in COLORS[name])

    def box(self, x0, y0, x1, y1):
        if self.mirrored:
            x0, x1 = self.w - x1, self.w - x0
        return [round(x0), round(y0), max(round(x0), round(x1) - 1), max(round(y0), round(y1) - 1)]

    def rect(self, x0, y0, x1, y1, fill=None, radius=0, outline=None, width=1):
        fill = None if fill is None else self.color(fill)
        outline = None if outline is None else self.color(outline)
        if radius:
            b = self.box(x0, y0, x1, y1)
            radius = min(radius, (b[2] - b[0]) // 2, (b[3] - b[1]) // 2)
            self.draw.rounded_rectangle(b, max(radius, 0), fill, outline, width)
        else:
            self.draw.rectangle(self.box(x0, y0, x1, y1), fill, outline, width)

    def disc(self, x, y, r, fill=None, outline=None, width=1):
        fill = None if fill is None else self.color(fill)
        outline = None if outline is None else self.color(outline)
        self.draw.ellipse(self.box(x - r, y - r, x + r, y + r), fill, outline, width)

    def points(self, pts):
        return [((self.w - 1 - x) if self.mirrored else x, y) for x, y in pts]

    def poly(self, pts, fill):
        self.draw.polygon(self.points(pts), self.color(fill))

    def path(self, pts, fill, width):
        self.draw.line(self.points(pts), self.color(fill), width, joint="curve")

    def text(self, x, y, size, words=1, fill=None, align="left", max_w=None):
        """Filler words: they say nothing the captions speak of."""
        s = " ".join(self.rng.choice(WORDS[self.script]) for _ in range(words))
        f = font(self.font_name, size)
        while max_w and len(s) > 2 and f.getlength(s) > max_w:
            s = s[:-1]
        wide = f.getlength(s)
        if align == "center":
            x -= wide / 2
        elif align == "right":
            x -= wide
        if self.mirrored:
            x = self.w - x - wide
        self.draw.text((round(x), round(y)), s, font=f, fill=self.color(fill or self.fg))

    def bar_text(self, x0, y, x1, height=5, fill=None):
        """A line of unreadable text as a bar, as in a wireframe."""
        self.rect(x0, y, x1, y + height, fill or self.weak, radius=2)

    def shape(self, name, x, y, r, fill):
        if name == "circle":
            self.disc(x, y, r, fill)
        elif name == "square":
            self.rect(x - r * .9, y - r * .9, x + r * .9, y + r * .9, fill)
        elif name == "triangle":
            self.poly([(x, y - r), (x + r, y + r * .85), (x - r, y + r * .85)], fill)
        elif name == "star":
            self.poly([(x + (r if k % 2 == 0 else r * .42) * math.sin(k * math.pi / 5),
                        y - (r if k % 2 == 0 else r * .42) * math.cos(k * math.pi / 5)) for k in range(10)], fill)

    def tick(self, x, y, r, fill, width=3):
        self.path([(x - r * .6, y), (x - r * .15, y + r * .5), (x + r * .65, y - r * .5)], fill, width)

    def cross(self, x, y, r, fill, width=3):
        self.path([(x - r, y - r), (x + r, y + r)], fill, width)
        self.path([(x - r, y + r), (x + r, y - r)], fill, width)
