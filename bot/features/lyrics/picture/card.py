"""A song as a picture, to be read on a phone. Nothing here talks to Discord; drawing one takes a tenth of a second."""

import io
import unicodedata
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from PIL import Image, ImageDraw

from bot.features.lyrics.picture.typeface import MONO, MONO_BOLD, SANS, SANS_BOLD, SERIF, SERIF_BOLD, Typeface
from bot.markup import cut, sendable
from model.song import SECTION_TAG

Style = Literal["night", "paper", "typewriter"]

WIDTH = 1080
WIDE = 1660
"""Pixels of a card with one column, and with two."""

ONE_COLUMN = 36
"""Lines that one column has at most, blank ones included."""

MAX_LINES = 240
MAX_CHARACTERS = 12_000
"""What a card holds at most; a longer song ends with an ellipsis, and is whole where it is exported."""

_MARGIN = 88
_GUTTER = 56
_SIZES = (58, 52, 46, 40, 34)
"""Of the words of one column, in pixels: the largest at which no line of the song is broken."""

_SIZE_OF_TWO = 34
_LEADING = 1.42
_BLANK = 0.6
"""The height of a line, and of a blank one, in sizes."""


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours and fonts of a style."""

    top: str
    bottom: str
    text: str
    muted: str
    accent: str
    font: str
    bold: str


COLOURS: dict[Style, Colours] = {
    "night": Colours("#1a1440", "#4a2362", "#f6f2ff", "#b9add6", "#c9a7ff", SANS, SANS_BOLD),
    "paper": Colours("#fbf6ea", "#f1e6cf", "#2d2420", "#8a7761", "#a8462b", SERIF, SERIF_BOLD),
    "typewriter": Colours("#e9ece8", "#e9ece8", "#23282b", "#70797c", "#b3261e", MONO, MONO_BOLD),
}


@dataclass(frozen=True, slots=True)
class Card:
    """What is on a card."""

    title: str | None
    lyric: str
    signature: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it is drawn: indented where a long line goes on, and a tag in a colour of its own."""

    text: str
    is_tag: bool = False
    goes_on: bool = False

    @property
    def height(self) -> float:
        """In sizes of the words."""
        return _LEADING if self.text else _BLANK


def draw_card(card: Card, style: Style) -> bytes:
    """Return a card as a PNG; blocks for about 0.1 s, so call it off the event loop."""
    look = COLOURS[style]
    words, columns = _lay_out(cut(_drawable(card.lyric), MAX_CHARACTERS), look)
    width = WIDTH if len(columns) == 1 else WIDE
    title = Typeface(look.bold, 64)
    title_lines = title.wrap(_drawable(card.title or ""), width - 2 * _MARGIN)
    top = _MARGIN + len(title_lines) * 80 + (48 if title_lines else 0)
    bottom = top + max(_height(column) for column in columns) * words.size
    image = _background(look, width, round(bottom) + _MARGIN + 72)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(title_lines):
        title.draw(draw, _MARGIN, _MARGIN + 62 + number * 80, line, look.text)
    if title_lines:
        draw.rectangle((_MARGIN, top - 34, _MARGIN + 96, top - 28), fill=look.accent)
    step = (width - 2 * _MARGIN + _GUTTER) / len(columns)
    for number, column in enumerate(columns):
        _draw_column(draw, column, (_MARGIN + number * step, top), words, look)
    signature = Typeface(look.font, 28)
    signature.draw(draw, _MARGIN, image.height - _MARGIN + 24, " ".join(_drawable(card.signature).split()), look.muted)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _lay_out(lyric: str, look: Colours) -> tuple[Typeface, list[list[_Line]]]:
    """Choose the size of the words and one column or two."""
    lines = lyric.split("\n")
    if len(lines) <= ONE_COLUMN:
        faces = [Typeface(look.font, size) for size in _SIZES]
        room = WIDTH - 2 * _MARGIN
        face = next((face for face in faces if all(face.width(line) <= room for line in lines)), faces[-1])
        column = _wrapped(lines, face, room)
        if len(column) <= ONE_COLUMN:
            return face, [column]
    face = Typeface(look.font, _SIZE_OF_TWO)
    wrapped = _wrapped(lines, face, (WIDE - 2 * _MARGIN - _GUTTER) / 2)
    if len(wrapped) > MAX_LINES:
        wrapped = [*wrapped[: MAX_LINES - 1], _Line("…")]
    return face, _halves(wrapped)


def _wrapped(lines: list[str], face: Typeface, width: float) -> list[_Line]:
    wrapped: list[_Line] = []
    for line in lines:
        if SECTION_TAG.fullmatch(line.strip()):
            wrapped += [_Line(piece, is_tag=True) for piece in face.wrap(line.strip().strip("[]").upper(), width)]
        else:
            fits = face.width(line) <= width
            pieces = [line] if fits else face.wrap(line, width - face.size) or [""]
            wrapped += [_Line(piece, goes_on=number > 0) for number, piece in enumerate(pieces)]
    return wrapped


def _halves(lines: list[_Line]) -> list[list[_Line]]:
    """Split lines into two columns of nearly one height, between two stanzas where there are some near the middle."""
    heights = list(accumulate(line.height for line in lines))
    middle, tolerance = heights[-1] / 2, heights[-1] / 6
    nearest = min(range(len(lines)), key=lambda number: abs(heights[number] - middle))
    blanks = [
        number for number, line in enumerate(lines) if not line.text and abs(heights[number] - middle) < tolerance
    ]
    # Of two that are as near, the later: a longer column looks better on the left.
    off = {number: abs(heights[number] - lines[number].height / 2 - middle) for number in blanks}
    split = min(blanks, key=lambda number: (round(off[number], 3), -number)) if blanks else nearest
    return [lines[:split], lines[split:] if lines[split].text else lines[split + 1 :]]


def _height(column: list[_Line]) -> float:
    return sum(line.height for line in column)


def _draw_column(
    draw: ImageDraw.ImageDraw, column: list[_Line], corner: tuple[float, float], words: Typeface, look: Colours
) -> None:
    x, y = corner
    tags = Typeface(look.bold, round(words.size * 0.7))
    for line in column:
        baseline = y + words.size
        if line.is_tag:
            tags.draw(draw, x, baseline, line.text, look.accent)
        elif line.text:
            words.draw(draw, x + line.goes_on * words.size, baseline, line.text, look.text)
        y += line.height * words.size


def _background(look: Colours, width: int, height: int) -> Image.Image:
    """Return a card without words, its colour going from the top's to the bottom's."""
    shade = Image.linear_gradient("L").resize((width, height))
    return Image.composite(
        Image.new("RGB", (width, height), look.bottom), Image.new("RGB", (width, height), look.top), shade
    )


def _drawable(text: str) -> str:
    """Return text without what has no shape of its own: a font would draw a box for it."""
    composed = unicodedata.normalize("NFC", sendable(text)).strip()
    return "".join(
        letter for letter in composed if letter == "\n" or unicodedata.category(letter) not in {"Cf", "Cn", "Co", "Zl"}
    )
