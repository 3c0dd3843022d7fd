"""Text files of songs, whatever stands between the songs."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from model.song import Header, Song
from train.config import DataConfig
from train.songs.formats.encoding import MAX_LINE_READ, Encoding, detect_encoding, read_lines, read_whole
from train.songs.formats.headers import merge, read_footer, read_header, read_song
from train.songs.formats.layout import TOKEN, Kind, Layout, Part, find_layout, parts
from train.songs.formats.lrc import read_lrc
from train.songs.problems import Notes

MAX_LINE = 10_000
"""Characters in a line; nothing that anybody sings is longer."""

_LINE_END = re.compile(r"\r*\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES_BEFORE_BREAK = re.compile(r"[^\S\n]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")
_CONTROLS = re.compile(r"[\0-\x08\x0e-\x1f\x7f\ufeff]")


@dataclass(frozen=True, slots=True)
class Found:
    """A song and the line (or row) that it begins at."""

    song: Song
    line: int


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out of a text file before it is read."""

    encoding: Encoding
    layout: Layout

    @classmethod
    def at(cls, path: Path, config: DataConfig) -> "Look":
        """Look at a file; raises as ``detect_encoding`` does."""
        encoding = detect_encoding(path, config.encoding)
        return cls(encoding, find_layout(read_lines(path, encoding), config.unit, config.separator))


def tidy(lyric: str) -> str:
    """Return a lyric with one kind of line end, and without special tokens, spaces at line ends and wide gaps."""
    lyric = _CONTROLS.sub("", _LINE_END.sub("\n", TOKEN.sub("", lyric))).strip()
    return _BLANK_LINES.sub("\n\n", _SPACES_BEFORE_BREAK.sub("", lyric))


def read_text(path: Path, label: str, look: Look, notes: Notes) -> tuple[str, Iterator[Found]]:
    """Return how the songs of a text file were told apart, and the songs."""
    look.encoding.note(label, notes)
    return f"{look.encoding}, {look.layout}", _songs(path, label, look, notes)


def read_lyrics(path: Path, label: str, config: DataConfig, notes: Notes) -> tuple[str, Iterator[Found]]:
    """Return how an LRC file was read, and its song; raises as ``detect_encoding`` does."""
    encoding = detect_encoding(path, config.encoding)
    encoding.note(label, notes)
    song = read_lrc(_LINE_END.sub("\n", read_whole(path, encoding, MAX_LINE_READ)))
    lyric = tidy(song.lyric)
    return f"LRC, {encoding}", iter([Found(replace(song, lyric=lyric), 1)] if lyric else [])


def has_long_line(lyric: str) -> int:
    """Return the characters of the longest line of a lyric where that is over ``MAX_LINE``, else 0."""
    longest = max(map(len, lyric.split("\n"))) if len(lyric) > MAX_LINE else 0
    return longest if longest > MAX_LINE else 0


def _songs(path: Path, label: str, look: Look, notes: Notes) -> Iterator[Found]:
    markdown = path.suffix.lower() == ".md" or label.lower().endswith(".md")
    above, last = Header(), None
    for part in _filled(parts(read_lines(path, look.encoding), look.layout), label, notes):
        written = [line for line in part.lines if line.strip()]
        ruled = look.layout.kind is Kind.RULE
        if last is not None and ruled and (footer := read_footer(written)):
            last = replace(last, song=replace(last.song, header=merge(last.song.header, footer)))
            continue
        if last is not None:
            yield last
            last = None
        if ruled and (read := read_header(written, yaml=True)):
            above, unknown = read
            _note_unknown(unknown, label, part.start, notes)
            continue
        last = _song(part, above, label, notes, markdown=markdown)
        above = Header()
    if last is not None:
        yield last


def _song(part: Part, above: Header, label: str, notes: Notes, *, markdown: bool) -> Found | None:
    start = part.start + next(i for i, line in enumerate(part.lines) if line.strip())
    song, unknown = read_song(tidy("\n".join(part.lines)), markdown=markdown)
    _note_unknown(unknown, label, start, notes)
    header = merge(song.header, merge(above, Header(title=part.title)))
    return Found(Song(header, song.lyric), start) if song.lyric else None


def _filled(found: Iterable[Part], label: str, notes: Notes) -> Iterator[Part]:
    for part in found:
        if not any(map(str.strip, part.lines)):
            continue
        too_long = next((i for i, line in enumerate(part.lines) if len(line) > MAX_LINE), None)
        if too_long is None:
            yield part
            continue
        length = len(part.lines[too_long])
        over = "over " if length > MAX_LINE_READ else ""
        notes.skip(label, part.start + too_long, f"a line of {over}{length:,} characters: its song is left out")


def _note_unknown(names: list[str], label: str, line: int, notes: Notes) -> None:
    if names:
        notes.skip(label, line, f"left out of the header, as models learn no such field: {', '.join(names)}")
