"""Text files of songs: packed or not, in the encoding that they happen to be in, whatever stands between the songs."""

import codecs
import enum
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from model.song import BOS_TOKEN, EOS_TOKEN, Song, parse_song
from train.config import Unit
from train.songs.problems import Notes, UnreadableError

MAX_LINE = 10_000
"""Characters in a line; nothing that anybody sings is longer."""

MAX_SONG_LINES = 200
"""Lines in one song; a file without separators that has more is many songs, or a book."""

UNPACK_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)

_CHUNK = 1 << 20
_SAMPLE = 1 << 16

_TOKEN = re.compile("|".join(map(re.escape, (BOS_TOKEN, EOS_TOKEN))))
_DASHES = re.compile(r"\s*-{3,}\s*")
_SPACES_BEFORE_BREAK = re.compile(r"[^\S\n]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")


class Separator(enum.Enum):
    """What stands between two songs of a text file; the value is how a person reads it."""

    TOKEN = f"songs apart by {EOS_TOKEN} or {BOS_TOKEN}"
    DASHES = "songs apart by a line of dashes (---)"
    BLANK_LINES = "songs apart by two or more blank lines"
    NONE = f"one song: no {EOS_TOKEN}, no line of dashes, no two blank lines"
    STANZA = "nothing between songs: a sample is a stanza, apart by a blank line"
    LINE = "nothing between songs or stanzas: a sample is a line"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the bytes of a file become text."""

    name: str
    """As Python's codecs name it."""
    stray: int = 0
    """Lines that are not UTF-8 in a file that otherwise is; they are read as CP1252."""
    first_stray: int | None = None

    def __str__(self) -> str:
        return {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "CP1252 (Latin-1)"}.get(self.name, self.name)

    def note(self, label: str, notes: Notes) -> None:
        """Report the stray lines, if there are any."""
        if self.stray:
            notes.skip(
                label,
                self.first_stray,
                f"mixed encodings: {self.stray} lines, this one first, are not UTF-8 as the rest is; "
                "they were read as CP1252",
            )


@dataclass(frozen=True, slots=True)
class Found:
    """A song and the line (or row) that it begins at."""

    song: Song
    line: int


def open_bytes(path: Path) -> BinaryIO | gzip.GzipFile:
    """Open a file for reading, unpacked where it is gzipped, whatever its name."""
    file = path.open("rb")
    if file.peek(2)[:2] != b"\x1f\x8b":
        return file
    file.close()
    return gzip.open(path, "rb")


def detect_encoding(path: Path) -> Encoding:
    """Find out how a file is encoded; reads it whole once, and twice where it is not UTF-8.

    Raises:
        UnreadableError: Where it is empty, is no text or cannot be unpacked.
        OSError: Where it cannot be read.
    """
    try:
        with open_bytes(path) as file:
            head = file.read(_SAMPLE)
            if not head:
                raise UnreadableError("is empty: put songs in it or leave it out")
            if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return _check_utf16(file, head)
            if b"\0" in head:
                raise UnreadableError("is binary, not text: leave it out or convert it")
            if _is_utf8(file, head):
                return Encoding("utf-8-sig")
        return _detect_legacy(path)
    except UNPACK_ERRORS as error:
        raise UnreadableError(f"cannot be unpacked ({error}): pack it again or unpack it yourself") from error


def read_lines(path: Path, encoding: Encoding) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of every line, whatever its line breaks are."""
    with open_bytes(path) as file:
        if encoding.stray:
            yield from enumerate(map(_decode_stray, file), 1)
        else:
            yield from enumerate(io.TextIOWrapper(file, encoding.name, errors="replace", newline=None), 1)


def clean(lyric: str) -> str:
    """Return the lyric without special tokens, spaces at line ends and more than one blank line in a row."""
    lyric = _TOKEN.sub("", lyric).replace("\r\n", "\n").replace("\r", "\n").strip()
    return _BLANK_LINES.sub("\n\n", _SPACES_BEFORE_BREAK.sub("", lyric))


def read_text(path: Path, label: str, unit: Unit, notes: Notes) -> tuple[str, Iterator[Found]]:
    """Return how the songs of a text file were told apart, and the songs.

    Raises:
        UnreadableError: As ``detect_encoding`` does.
    """
    encoding = detect_encoding(path)
    encoding.note(label, notes)
    separator = find_separator(read_lines(path, encoding), unit)
    return f"{encoding}, {separator.value}", _songs(path, label, encoding, separator, notes)


def find_separator(lines: Iterator[tuple[int, str]], unit: Unit) -> Separator:
    """Decide what separates songs: a token anywhere wins over dashes, dashes over blank lines.

    Where nothing does, the text is one song if ``unit`` says so, or is auto and the text is not too long for that.
    """
    dashes = double_blank = single_blank = False
    blanks = written = 0
    for _, line in lines:
        if _TOKEN.search(line):
            return Separator.TOKEN
        if not line.strip():
            blanks += 1
            continue
        if blanks and written:
            single_blank = True
            double_blank = double_blank or blanks > 1
        blanks = 0
        written += 1
        dashes = dashes or bool(_DASHES.fullmatch(line))
    if dashes:
        return Separator.DASHES
    if double_blank:
        return Separator.BLANK_LINES
    if unit == "song" or (unit == "auto" and written <= MAX_SONG_LINES):
        return Separator.NONE
    return Separator.STANZA if single_blank and unit != "line" else Separator.LINE


def _songs(path: Path, label: str, encoding: Encoding, separator: Separator, notes: Notes) -> Iterator[Found]:
    for start, lines in _parts(read_lines(path, encoding), separator):
        text = "\n".join(lines)
        if not text.strip():
            continue
        if len(text) > MAX_LINE and (too_long := [i for i, line in enumerate(lines) if len(line) > MAX_LINE]):
            length = len(lines[too_long[0]])
            notes.skip(label, start + too_long[0], f"a line of {length:,} characters: its song is left out")
            continue
        indent = next(i for i, line in enumerate(lines) if line.strip())
        song = parse_song(clean(text))
        if song.lyric:
            yield Found(song, start + indent)


def _parts(lines: Iterator[tuple[int, str]], separator: Separator) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line's number and the lines of every part between two separators, empty ones too."""
    start, part, blanks = 1, list[str](), 0
    for number, raw in lines:
        line = raw.rstrip("\r\n")
        blanks = 0 if line.strip() else blanks + 1
        if separator is Separator.TOKEN:
            head, *rest = _TOKEN.split(line)
            part.append(head)
            for text in rest:
                yield start, part
                start, part = number, [text]
        elif (
            (separator is Separator.DASHES and _DASHES.fullmatch(line))
            or (separator is Separator.BLANK_LINES and blanks > 1)
            or (separator is Separator.STANZA and blanks)
            or separator is Separator.LINE
        ):
            yield start, [*part, line] if separator is Separator.LINE else part
            start, part = number + 1, []
        else:
            part.append(line)
    yield start, part


def _check_utf16(file: BinaryIO | gzip.GzipFile, head: bytes) -> Encoding:
    try:
        decoder = codecs.getincrementaldecoder("utf-16")()
        decoder.decode(head)
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnreadableError("is binary, not text: leave it out or convert it") from error
    return Encoding("utf-16")


def _is_utf8(file: BinaryIO | gzip.GzipFile, head: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _detect_legacy(path: Path) -> Encoding:
    """Tell a file in an older encoding from a UTF-8 file that a few other lines got into."""
    sample, stray, first, utf8 = bytearray(), 0, None, 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            if line.isascii():
                continue
            if _decodes(line):
                utf8 += 1
                continue
            stray += 1
            first = first or number
            if len(sample) < _SAMPLE:
                sample += line[:_SAMPLE]
    if utf8:
        return Encoding("utf-8-sig", stray, first)
    # Of a few accents, every Latin code page makes something; CP1252 is what nearly all such files are in.
    if from_bytes(bytes(sample), cp_isolation=["cp1252"], enable_fallback=False).best():
        return Encoding("cp1252")
    if best := from_bytes(bytes(sample), enable_fallback=False).best():
        return Encoding(best.encoding)
    raise UnreadableError("is binary, or text in an unknown encoding: save it as UTF-8 or leave it out")


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_stray(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")
