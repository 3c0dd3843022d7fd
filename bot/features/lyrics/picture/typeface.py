"""Fonts for cards: Source Sans and Source Serif, and DejaVu for the letters that those lack."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count, groupby

from fontTools.ttLib import TTFont
from PIL import ImageDraw
from PIL.ImageFont import FreeTypeFont, Layout, truetype

SANS = "font_source_sans_pro/SourceSansPro-Regular.ttf"
SANS_BOLD = "font_source_sans_pro/SourceSansPro-Bold.ttf"
SERIF = "font_source_serif_pro/SourceSerifPro-Regular.ttf"
SERIF_BOLD = "font_source_serif_pro/SourceSerifPro-Bold.ttf"
MONO = "matplotlib/DejaVuSansMono.ttf"
MONO_BOLD = "matplotlib/DejaVuSansMono-Bold.ttf"
FALLBACK = "matplotlib/DejaVuSans.ttf"
"""``package/file``; DejaVu comes with matplotlib, which draws the report of a training run."""

_FOLDERS = {"matplotlib": "mpl-data/fonts/ttf"}


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font at a size in pixels, with another one for the letters that it lacks; what both lack shows as a box."""

    name: str
    size: int

    def width(self, text: str) -> float:
        """Return how many pixels a line of text takes."""
        return sum(font.getlength(run) for font, run in self._runs(text))

    def draw(self, draw: ImageDraw.ImageDraw, x: float, baseline: float, text: str, colour: str) -> None:
        """Draw a line of text whose letters stand on ``baseline``."""
        for font, run in self._runs(text):
            draw.text((x, baseline), run, font=font, fill=colour, anchor="ls")
            x += font.getlength(run)

    def wrap(self, line: str, width: float) -> list[str]:
        """Break a line between words so that each piece fits, and within a word that is too long by itself."""
        pieces, piece = [], ""
        for word in line.split():
            longer = f"{piece} {word}" if piece else word
            if self.width(longer) <= width:
                piece = longer
                continue
            if piece:
                pieces.append(piece)
            while self.width(word) > width:
                fits = next(n for n in count(1) if self.width(word[: n + 1]) > width)
                pieces.append(word[:fits])
                word = word[fits:]  # noqa: PLW2901 - the rest of the same word
            piece = word
        return [*pieces, piece] if piece else pieces

    def _runs(self, text: str) -> Iterator[tuple[FreeTypeFont, str]]:
        """Yield stretches of text with the font that has their letters."""
        for missing, run in groupby(text, key=lambda letter: ord(letter) not in _letters(self.name)):
            yield _font(FALLBACK if missing else self.name, self.size), "".join(run)


def _path(name: str) -> str:
    package, _, file = name.partition("/")
    return str(files(package).joinpath(_FOLDERS.get(package, "files"), file))


@cache
def _font(name: str, size: int) -> FreeTypeFont:
    # The other engine is not on every machine, and fails on some texts.
    return truetype(_path(name), size, layout_engine=Layout.BASIC)


@cache
def _letters(name: str) -> frozenset[int]:
    """Return the code points that a font has letters for."""
    with TTFont(_path(name), lazy=True) as font:
        return frozenset(font.getBestCmap())
