"""The encoding that a text happens to be in, and its lines."""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import chardet

from train.songs.formats.files import FileBytes
from train.songs.problems import Notes, UnreadableError

MAX_LINE_READ = 16 << 20
"""Characters of a line that are held in memory; what is over is passed over."""

_SAMPLE = 1 << 16
_MAX_CONTROLS = 0.005
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
_HIGH = bytes(range(128, 256))
_ESCAPED_JAPANESE = b"\x1b$"
_STRAY = "cp1252-where-not-utf-8"

# The encodings that songs come in; others are taken only where none of these gives a text.
_USUAL = {
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("cp437", "cp850", "cp866", "cp874", "cp932", "cp949", "mac-roman", "mac-cyrillic", "koi8-r", "koi8-u"),
    *("iso8859-1", "iso8859-2", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-15"),
    *("euc_jp", "euc_kr", "shift_jis", "gb18030", "gbk", "gb2312", "big5", "big5hkscs", "johab", "tis-620"),
}
_USUALLY_CP1252 = 1.3
"""How much more CP1252 is trusted: of a few accents every Latin code page makes something, and nearly all are in it."""

_FEW_ARE_CP1252 = 2.5
_FEW = 8
"""Bytes beyond ASCII that hardly tell one encoding from another."""

_CLOSE = 0.85
"""Share of the best confidence from which another reading is as good."""

_INSIDE_WORDS = frozenset("'’‘ʼ-–—…·´`")  # noqa: RUF001
_SIGNS = frozenset("♪♫♥♡°€£©®™•«»¿¡")
_ALPHABETS = frozenset(("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "THAI"))


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the bytes of a file become text."""

    name: str
    """As Python's codecs name it."""
    assumed: bool = False
    """Whether it was guessed from what the text then says."""
    stray: int = 0
    """Lines that are not UTF-8 in a file that otherwise is; those bytes are read as CP1252."""
    first_stray: int | None = None
    nuls: int = 0
    """NUL characters, which are dropped."""
    first_nul: int | None = None

    def __str__(self) -> str:
        name = {
            "utf-8": "UTF-8",
            _STRAY: "UTF-8",
            "cp1252": "CP1252 (Latin-1)",
            "mac-roman": "Mac Roman",
            "iso2022_jp_ext": "ISO-2022-JP",
        }.get(self.name, self.name.upper())
        return f"{name} (assumed: see the sample, or say --encoding)" if self.assumed else name

    def note(self, label: str, notes: Notes) -> None:
        """Report what is not as it should be, if anything is."""
        if self.stray:
            notes.skip(
                label,
                self.first_stray,
                f"mixed encodings: {self.stray} lines, this one first, are not UTF-8 as the rest is; "
                "they were read as CP1252",
            )
        if self.nuls:
            notes.skip(label, self.first_nul, f"{self.nuls} NUL characters, the first ones here, were dropped")


def detect_encoding(path: Path, told: str | None = None) -> Encoding:
    """Find out how a file is encoded; reads it whole.

    Args:
        path: The file.
        told: What it is where it is not Unicode, if the person says so.

    Raises:
        UnreadableError: Where it is empty, is no text, cannot be unpacked, or may as well be in another encoding.
        OSError: Where it cannot be read.
    """
    with FileBytes(path) as file:
        head = file.read(_SAMPLE)
    if not head:
        raise UnreadableError("is empty: put songs in it or leave it out")
    if head.startswith(b"{\\rtf"):
        raise UnreadableError("is RTF, not plain text: save it as plain text (UTF-8)")
    wide = _wide(head)
    if wide:
        _check_whole(path, wide)
        return Encoding(wide)
    looked = _look(path)
    if looked.controls > max(8, _MAX_CONTROLS * looked.size) or (looked.nuls and looked.odd_lines):
        raise UnreadableError("is binary, not text: leave it out or convert it")
    if looked.escaped_japanese and not looked.odd_lines:
        return Encoding(told or "iso2022_jp_ext", assumed=told is None)
    encoding = Encoding("utf-8")
    if looked.odd_lines and told:
        _check_whole(path, told)
        encoding = Encoding(told)
    elif looked.utf8_lines > looked.odd_lines / 4:
        encoding = Encoding(_STRAY, stray=looked.odd_lines, first_stray=looked.first_odd)
    elif looked.odd_lines:
        encoding = Encoding(guess(bytes(looked.sample)), assumed=True)
    return replace(encoding, nuls=looked.nuls, first_nul=looked.first_nul)


def read_lines(path: Path, encoding: Encoding, *, lone_cr: bool = True) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of every line without its end.

    A line ends at LF, after any number of CR, and at CR; a BOM and NULs are dropped. Of a line that is longer than
    ``MAX_LINE_READ``, only so much and one character is yielded.

    Args:
        path: The file.
        encoding: As ``detect_encoding`` found it.
        lone_cr: Whether CR ends a line in a text that has LF too.
    """
    ends, number, rest = None, 0, ""
    for text in _decoded(path, encoding):
        pending = rest + text
        if ends is None:
            ends = re.compile(r"\r*\n" if "\n" in pending and not lone_cr else r"\r*\n|\r(?!\r*\n)")
        # A CR at the end of a chunk may be the first half of a line's end.
        held = len(pending) - len(pending.rstrip("\r"))
        *lines, rest = ends.split(pending[: len(pending) - held])
        for line in lines:
            number += 1
            yield number, line[: MAX_LINE_READ + 1]
        rest = rest[: MAX_LINE_READ + 1] + "\r" * held
    if rest and ends is not None:
        for line in ends.split(rest):
            number += 1
            yield number, line


def _decoded(path: Path, encoding: Encoding) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8" if encoding.name == _STRAY else encoding.name)(
        _STRAY if encoding.name == _STRAY else "replace"
    )
    with FileBytes(path) as file:
        for chunk in file.chunks():
            yield decoder.decode(chunk).replace("\ufeff", "").replace("\0", "")
        yield decoder.decode(b"", final=True).replace("\ufeff", "").replace("\0", "")


def read_whole(path: Path, encoding: Encoding, most: int) -> str:
    """Return a whole text, its lines as they are.

    Raises:
        UnreadableError: Where it has more than ``most`` characters.
    """
    parts, length = [], 0
    for part in _decoded(path, encoding):
        parts.append(part)
        length += len(part)
        if length > most:
            raise UnreadableError(f"is one JSON document of over {most / 1e6:,.0f} MB: save it as JSON Lines (.jsonl)")
    return "".join(parts)


@dataclass(slots=True)
class _Look:
    """What is counted in the bytes of a file, line by line."""

    size: int = 0
    controls: int = 0
    nuls: int = 0
    first_nul: int | None = None
    utf8_lines: int = 0
    """Lines with more than ASCII that are UTF-8."""
    odd_lines: int = 0
    """Lines that are not."""
    first_odd: int | None = None
    escaped_japanese: bool = False
    sample: bytearray = None  # type: ignore[assignment]


def _look(path: Path) -> _Look:
    look = _Look(sample=bytearray())
    if _look_whole(path, look):
        return look
    look = _Look(sample=bytearray())
    for number, line in _byte_lines(path):
        look.size += len(line)
        if b"\0" in line:
            look.nuls += line.count(b"\0")
            look.first_nul = look.first_nul or number
        look.controls += len(line) - len(line.translate(None, _CONTROLS))
        look.escaped_japanese = look.escaped_japanese or _ESCAPED_JAPANESE in line
        if line.isascii():
            continue
        if _is_utf8(line):
            look.utf8_lines += 1
            continue
        look.odd_lines += 1
        look.first_odd = look.first_odd or number
        if len(look.sample) < _SAMPLE:
            look.sample += line[:_SAMPLE].rstrip(b"\r\n") + b"\n"
    return look


def _look_whole(path: Path, look: _Look) -> bool:
    """Look at a file a chunk at a time; return whether it is plain UTF-8, of which there is no more to know."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with FileBytes(path) as file:
            for chunk in file.chunks():
                look.size += len(chunk)
                look.controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
                decoder.decode(chunk)
                if b"\0" in chunk or _ESCAPED_JAPANESE in chunk:
                    return False
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield about the lines of a file; one that is very long comes in pieces of a chunk."""
    number, rest = 1, b""
    with FileBytes(path) as file:
        for chunk in file.chunks():
            *lines, rest = re.split(rb"(?<=\n)|(?<=\r)(?!\n)", rest + chunk)
            for line in lines:
                yield number, line
                number += 1
            if len(rest) > MAX_LINE_READ:
                yield number, rest
                rest = b""
    if rest:
        yield number, rest


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wide(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 where the bytes are that, with a BOM or without one."""
    bom = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    if bom and bom != "utf-8":
        return bom
    for name, size, low in (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1)):
        units = head[: len(head) // size * size]
        columns = [units[place::size].count(0) for place in range(size)]
        high = [count for place, count in enumerate(columns) if place != low]
        if columns[low] == 0 and min(high) > 0.3 * len(units) / size:
            return name
    return None


def _check_whole(path: Path, name: str) -> None:
    decoder = codecs.getincrementaldecoder(name)()
    try:
        with FileBytes(path) as file:
            for chunk in file.chunks():
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"is no {name.upper()}, or is damaged ({error.reason}): leave it out or convert it"
        ) from error


def guess(sample: bytes) -> str:
    """Return the encoding in which bytes that are not Unicode make the best text.

    chardet ranks the encodings; a reading with letters that no word has where they stand comes after one without.

    Raises:
        UnreadableError: Where there is none, or another one is as good.
    """
    few = len(sample) - len(sample.translate(None, _HIGH)) < _FEW
    trust = _USUALLY_CP1252 * (_FEW_ARE_CP1252 if few else 1.0)
    readings: dict[str, tuple[float, float, str]] = {}
    for found in chardet.detect_all(sample):
        try:
            name = codecs.lookup(found["encoding"] or "").name
            text = sample.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
        confidence = found["confidence"] * (trust if name == "cp1252" else 1.0)
        reading = (round(oddness(text), 2), -confidence, name)
        readings[text] = min(readings.get(text, reading), reading, key=lambda each: (each[2] not in _USUAL, *each))
    ranked = sorted(readings.values(), key=lambda each: (each[0] > 0.02 or each[2] not in _USUAL, *each))  # noqa: PLR2004
    if not ranked:
        raise UnreadableError("is binary, or text in an unknown encoding: save it as UTF-8, or say --encoding")
    best = ranked[0]
    rivals = [
        name for odd, score, name in ranked[1:] if odd <= best[0] and score <= _CLOSE * best[1] and name in _USUAL
    ]
    if rivals and best[2] in _USUAL:
        raise UnreadableError(f"may be {best[2].upper()} or {rivals[0].upper()}: say which with --encoding")
    return best[2]


def oddness(text: str) -> float:
    """Return how many of the characters beyond ASCII stand where they would not, for each of them.

    Such are capitals and signs inside words, letters of two alphabets side by side, and control characters.
    """
    odd, count = 0.0, 0
    padded = f" {text} "
    for place, sign in enumerate(text, 1):
        if not sign.isascii():
            count += 1
            odd += _oddness_of(padded[place - 1], sign, padded[place + 1])
    return odd / max(count, 1)


def _oddness_of(before: str, sign: str, after: str) -> float:
    category = unicodedata.category(sign)
    inside = before.isalpha() and after.isalpha()
    if category in {"Cc", "Cn", "Co", "Cs"}:
        return 3.0
    if category[0] == "L":
        own = _alphabet(sign)
        mixed = any(letter.isalpha() and {own, _alphabet(letter)} & _ALPHABETS != {own} for letter in (before, after))
        return float(mixed or (before.islower() and sign.isupper()))
    if category[0] in "SN" and sign not in _SIGNS:
        return 1.5 if before.isalpha() or after.isalpha() else 1.0
    return float(inside and category[0] in "PSN" and sign not in _INSIDE_WORDS)


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "?").partition(" ")[0]


def _decode_stray(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError), "only decoding asks for it"
    return error.object[error.start : error.start + 1].decode("cp1252", errors="replace"), error.start + 1


codecs.register_error(_STRAY, _decode_stray)
