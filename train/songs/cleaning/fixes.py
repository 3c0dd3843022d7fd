"""Takes out of lyrics what was surely never sung; each fix is a function from text to text."""

import html
import re

import ftfy
from ftfy.badness import is_bad

_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_TAG_NAMES = (
    "p|div|span|i|b|em|strong|a|u|s|font|h[1-6]|pre|small|big|center|blockquote|section|article|ul|ol|li|table|tbody|tr|td"
    "|th|hr|img|sub|sup|body|html|head|title|meta|link"
)
_HIDDEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"[ \t]*<br\s*/?>[ \t]*\n?", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\s*</(?:p|div)\s*>\s*", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_TAG_NAMES})(?:\s[^<>\n]*)?/?>", re.IGNORECASE)

_WRITTEN_BREAK = re.compile(r"(?:\\r)*\\n")
_CONTRIBUTORS = re.compile(r"\A\s*\d+ Contributors?.{0,300}?Lyrics(?:\n|[ \t]*(?=\S)|\Z)", re.DOTALL)
_EMBED = re.compile(r"(?:(?<=\S)|^)\d*Embed\s*\Z", re.MULTILINE)
_ALSO_LIKE = re.compile(
    r"^[ \t]*You might also like[ \t]*(?:\n|$|(?=\[))|(?<=\S)You might also like(?=\n|\[|\Z)", re.MULTILINE
)
_TICKETS = re.compile(r"^See [^\n]{1,80} LiveGet tickets as low as \$\d+[ \t]*", re.MULTILINE)

_SPACES = re.compile(r"[\xa0\u1680\u2000-\u200a\u202f\u205f]")
_INVISIBLE = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\xad]")
_C1 = re.compile(r"[\x80-\x9f]")

# Cyrillic and Greek letters that look as Latin ones do.
_LOOKALIKES = dict(
    zip(
        "АВЕКМНОРСТУХаеорсухіјѕԁһԛԝІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",  # noqa: RUF001
        "ABEKMHOPCTYXaeopcyxijsdhqwIJSABEZHIKMNOPTYXo",
        strict=True,
    )
)
_TO_LATIN = str.maketrans(_LOOKALIKES)
_LOOKALIKE_WORD = re.compile(rf"\w*[{''.join(_LOOKALIKES)}]\w*")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


def mend_mojibake(text: str) -> str:
    """Decode anew the lines that were decoded wrongly, by ftfy."""
    if text.isascii():
        return text
    lines = [_mend_line(line) if not line.isascii() else line for line in text.split("\n")]
    return "\n".join(lines)


def _mend_line(line: str) -> str:
    if is_bad(line):
        line = ftfy.fix_encoding(line).replace("\n", " ")
    return ftfy.fixes.fix_c1_controls(line) if _C1.search(line) else line


def undo_html(text: str) -> str:
    """Return text without HTML: entities as what they stand for, <br> as a line's end, other tags as nothing."""
    if "&" in text:
        for _ in range(2):  # &amp;#39; is there too
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "<" not in text:
        return text
    text = _BREAK.sub("\n", _HIDDEN.sub("", text))
    return _TAG.sub("", _PARAGRAPH.sub("\n\n", text))


def break_lines(text: str) -> str:
    r"""Return text with line ends where "\n" was written out."""
    if len(_WRITTEN_BREAK.findall(text)) < (2 if "\n" in text else 1):
        return text
    text = _WRITTEN_BREAK.sub("\n", text).replace("\\r", "\n").replace("\\t", " ")
    return text.replace('\\"', '"').replace("\\'", "'")


def drop_site_words(text: str) -> str:
    """Return text without what Genius puts around and into lyrics."""
    if "Contributor" in text[:60]:
        text = _CONTRIBUTORS.sub("", text)
    if "You might also like" in text:
        text = _ALSO_LIKE.sub("\n", text)
    if "LiveGet tickets" in text:
        text = _TICKETS.sub("", text)
    return _EMBED.sub("", text) if text.rstrip().endswith("Embed") else text


def replace_lookalikes(text: str) -> str:
    """Return a text in Latin letters without those of other alphabets that look the same."""
    if text.isascii() or not _LOOKALIKE_WORD.search(text):
        return text
    latin = len(_LATIN.findall(text))
    letters = sum(map(str.isalpha, text))
    return _LOOKALIKE_WORD.sub(_as_latin, text) if 2 * latin > letters else text


def _as_latin(match: re.Match[str]) -> str:
    word = match[0].translate(_TO_LATIN)
    has_latin = _LATIN.search(match[0]) is not None
    whole = all(_LATIN.match(letter) for letter in word if letter.isalpha())
    return word if has_latin and whole else match[0]


def plain_spaces(text: str) -> str:
    """Return text with plain spaces for wide and narrow ones, and without characters that are not seen."""
    return text if text.isascii() else _INVISIBLE.sub("", _SPACES.sub(" ", text))
