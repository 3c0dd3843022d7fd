"""What stands between the songs of a text file."""

import enum
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from model.song import BOS_TOKEN, EOS_TOKEN
from train.config import Unit
from train.songs.formats.headers import opening_front_matter

MAX_SONG_LINES = 200
"""Lines in one song; a file without separators that has more is many songs, or a book."""

TOKEN = re.compile("|".join(map(re.escape, (BOS_TOKEN, EOS_TOKEN))))
_RULE = re.compile(r"\s*(?P<sign>[-=*_~#+—–])(?:\s*(?P=sign)){2,}\s*")  # noqa: RUF001
_RULES_BY_RANK = "-=*_~#+—–"  # noqa: RUF001
_TITLED = re.compile(r"(?:(?P<number>\d{1,4})[.)]|(?P<level>#{1,3}))[ \t]+(?P<title>\S.*?)\s*")
_HEAD_LINES = 60

Line = tuple[int, str]
"""Its number, from 1, and its text."""


class Kind(enum.Enum):
    """What separates songs; the value is how a person reads it."""

    TOKEN = f"songs apart by {EOS_TOKEN} or {BOS_TOKEN}"
    GIVEN = "songs apart by the line that --separator names"
    RULE = "songs apart by a line of"
    TITLES = "songs apart by lines of their number or heading, and their title"
    BLANK_LINES = "songs apart by two or more blank lines"
    NONE = f"one song: no {EOS_TOKEN}, no line of dashes or the like, no two blank lines"
    WHOLE = "one song, as the other files of the folder are, or as its front matter says"
    STANZA = "nothing between songs: a sample is a stanza, apart by a blank line"
    LINE = "nothing between songs or stanzas: a sample is a line"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is cut into songs."""

    kind: Kind
    mark: str = ""
    """The sign of the rules, or the separator that was given."""

    def __str__(self) -> str:
        dashes = f" {'dashes' if self.mark == '-' else 'signs'} ({self.mark * 3})" if self.kind is Kind.RULE else ""
        return self.kind.value + dashes


@dataclass(frozen=True, slots=True)
class Part:
    """The lines between two separators, and the number of the first of them."""

    start: int
    lines: list[str]
    title: str | None = None
    """The title that stood in the separator."""


def find_layout(lines: Iterator[Line], unit: Unit, separator: str | None = None) -> Layout:
    """Decide what separates songs: a token anywhere wins over lines of dashes and the like, those over blank lines.

    Where nothing does, the text is one song if ``unit`` says so, or is auto and the text is not too long for that.
    """
    survey = _Survey(separator)
    head: list[str] = []
    for _, line in lines:
        if len(head) < _HEAD_LINES:
            head.append(line)
        if survey.add(line):
            return Layout(Kind.TOKEN)
    return survey.layout(unit, front_matter=opening_front_matter(iter(head)))


class _Survey:
    """What was seen of a text, line by line."""

    def __init__(self, separator: str | None) -> None:
        self.separator = separator
        self.given = self.single_blank = self.double_blank = False
        self.rules: dict[str, int] = {}
        self.headings: dict[str, int] = {}
        self.numbers: list[int] = []
        self.blanks = self.written = 0
        self.first_titled = False
        self._number: int | None = None

    def add(self, line: str) -> bool:
        """Look at a line; return whether it has a token that separates songs."""
        if "<|" in line and TOKEN.search(line):
            return True
        if not line.strip():
            self.blanks += 1
            if self._number is not None:
                self.numbers.append(self._number)
                self._number = None
            return False
        self._number = None
        if self.separator is not None and line.strip() == self.separator:
            self.given = True
        if self.blanks and self.written:
            self.single_blank = True
            self.double_blank = self.double_blank or self.blanks > 1
        if rule := _RULE.fullmatch(line):
            self.rules[rule["sign"]] = self.rules.get(rule["sign"], 0) + 1
        elif titled := _TITLED.fullmatch(line):
            self._add_title(titled)
        self.blanks = 0
        self.written += 1
        return False

    def _add_title(self, titled: re.Match[str]) -> None:
        first = self.written == 0
        self.first_titled = self.first_titled or first
        if titled["level"]:
            self.headings[titled["level"]] = self.headings.get(titled["level"], 0) + 1
        elif first or self.blanks:
            self._number = int(titled["number"])

    def layout(self, unit: Unit, *, front_matter: bool) -> Layout:
        """Return what all of that comes to."""
        if self.given:
            return Layout(Kind.GIVEN, self.separator or "")
        if front_matter and self.rules.get("-", 0) <= 2:  # noqa: PLR2004 - its own two
            return Layout(Kind.WHOLE)
        if sign := next((sign for sign in _RULES_BY_RANK if self.rules.get(sign, 0) > 0), None):
            return Layout(Kind.RULE, sign)
        if mark := self._titles():
            return Layout(Kind.TITLES, mark)
        return Layout(Kind.BLANK_LINES) if self.double_blank else self._unseparated(unit)

    def _unseparated(self, unit: Unit) -> Layout:
        if unit == "song" or (unit == "auto" and self.written <= MAX_SONG_LINES):
            return Layout(Kind.NONE)
        return Layout(Kind.STANZA if self.single_blank and unit != "line" else Kind.LINE)

    def _titles(self) -> str:
        if not self.first_titled:
            return ""
        if len(self.numbers) > 1 and self.numbers == list(range(1, len(self.numbers) + 1)):
            return "1"
        return next((level for level, count in self.headings.items() if count > 1), "")


def parts(lines: Iterable[Line], layout: Layout) -> Iterator[Part]:
    """Yield every part between two separators, empty ones too."""
    if layout.kind is Kind.TOKEN:
        yield from _parts_by_token(lines)
    elif layout.kind is Kind.LINE:
        yield from (Part(number, [line]) for number, line in lines)
    else:
        yield from _parts_by_line(lines, layout)


def _parts_by_token(lines: Iterable[Line]) -> Iterator[Part]:
    start, part = 1, list[str]()
    for number, line in lines:
        head, *rest = TOKEN.split(line)
        part.append(head)
        for text in rest:
            yield Part(start, part)
            start, part = number, [text]
    yield Part(start, part)


def _parts_by_line(lines: Iterable[Line], layout: Layout) -> Iterator[Part]:
    part, blanks, number_of = Part(1, []), 0, 0
    for number, line in lines:
        blanks = 0 if line.strip() else blanks + 1
        title = _title(line, layout, number_of + 1) if layout.kind is Kind.TITLES else None
        if title is not None or _separates(line, blanks, layout):
            yield part
            part = Part(number + 1, [], title)
            number_of += title is not None
        else:
            part.lines.append(line)
    yield part


def _separates(line: str, blanks: int, layout: Layout) -> bool:
    match layout.kind:
        case Kind.GIVEN:
            return line.strip() == layout.mark
        case Kind.RULE:
            rule = _RULE.fullmatch(line)
            return rule is not None and rule["sign"] == layout.mark
        case Kind.BLANK_LINES:
            return blanks > 1
        case Kind.STANZA:
            return blanks > 0
    return False


def _title(line: str, layout: Layout, number: int) -> str | None:
    titled = _TITLED.fullmatch(line)
    if titled is None or (titled["level"] or "1") != layout.mark:
        return None
    return titled["title"] if titled["level"] or int(titled["number"]) == number else None
