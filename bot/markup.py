"""Text that is safe to show, whoever wrote it. Nothing here needs Discord."""

import re
from unicodedata import category

MAX_DESCRIPTION = 4096
MAX_TITLE = 256
"""Discord's limits for an embed, in characters."""

# The places where a backslash keeps markup, a mention, an address, an invite or a masked link from coming alive.
# discord.py's escape_markdown leaves some of these, and everything inside of a masked link.
_LIVE = re.compile(
    r"[\\*_~`|<#]|@(?=everyone|here)|(?<=\])\(|(?<=:)/(?=/)|(?<=discord)\.(?=gg|com)|(?<=discordapp)\.(?=com)"
    r"|(?<=\d)[.)](?=\s|$)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_START = re.compile(r"^(\s*)([>+=-])", re.MULTILINE)

_ESCAPED_OR_BOLD = re.compile(r"\\(.)|\*\*")

_LINE_BREAK = re.compile(r"\r\n|[\r\u2028\u2029]")

# Control characters and halves of surrogate pairs, which Discord or SQLite would refuse; what turns the direction of
# the text that follows; and letters without width, behind which a line's first mark would not be seen as one.
_UNSENDABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)

_JOINERS = re.compile(r"(?<![^\x00-\x7f\s])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f\s])")
"""Those that join nothing; emoji, and letters of some scripts, need the others."""

_MAX_ACCENTS = 4
"""As many as any script writes over and under one letter; more would cover the lines around it."""


def plain(text: str) -> str:
    """Escape text, whoever wrote it, so that it shows as it stands: no markup, mention, invite or link."""
    return _LINE_START.sub(r"\1\\\2", _LIVE.sub(r"\\\g<0>", sendable(text)))


def sendable(text: str) -> str:
    """Return text that Discord and SQLite take, and that stays in its place.

    Its line breaks are of one spelling, and it has no control characters, nothing that turns its direction, no letters
    without width but those that join others, and no accents without end.
    """
    text = _UNSENDABLE.sub("", _LINE_BREAK.sub("\n", text))
    if text.isascii():
        return text
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    accents = {letter for letter in set(text) if category(letter) in {"Mn", "Me"}}
    return _without_piles(text, accents) if accents else text


def _without_piles(text: str, accents: set[str]) -> str:
    kept, piled = [], 0
    for letter in text:
        piled = piled + 1 if letter in accents else 0
        if piled <= _MAX_ACCENTS:
            kept.append(letter)
    return "".join(kept)


def as_written(shown: str) -> str:
    """Return what a text was that is shown escaped, and in bold where that is not escaped."""
    return _ESCAPED_OR_BOLD.sub(r"\1", shown)


def ending(text: str, limit: int) -> str:
    """Return the end of a text in at most ``limit`` characters, of whole words where there are some."""
    if len(text) <= limit:
        return text
    words = re.split(r"\s", text[-limit - 1 :], maxsplit=1)
    return words[-1].strip() or text[-limit:]


def cut(text: str, limit: int) -> str:
    """Return text of at most ``limit`` characters, with an ellipsis where some are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
