"""Text that is safe to show, whoever wrote it. Nothing here needs Discord."""

import re

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

_LINE_BREAK = re.compile(r"\r\n|[\r\u2028\u2029]")

# Control characters and halves of surrogate pairs, which Discord or SQLite would refuse.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    """Escape text, whoever wrote it, so that it shows as it stands: no markup, mention, invite or link."""
    return _LINE_START.sub(r"\1\\\2", _LIVE.sub(r"\\\g<0>", sendable(text)))


def sendable(text: str) -> str:
    """Return text that Discord and SQLite take: its line breaks in one spelling, and no control characters."""
    return _UNSENDABLE.sub("", _LINE_BREAK.sub("\n", text))


def cut(text: str, limit: int) -> str:
    """Return text of at most ``limit`` characters, with an ellipsis where some are left out."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
