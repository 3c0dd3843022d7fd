"""What may be shown at a terminal of text that somebody else wrote, be it a model."""

import unicodedata

_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows, beyond the end of the text they are in."""


def for_terminal(text: str) -> str:
    """Return text without control characters but line breaks and tabs: each becomes a mark that can be seen.

    A terminal would obey them: move its cursor, change its title, or hide what stands there.
    """
    return "".join(_harmless(character) for character in text.replace("\r\n", "\n"))


def _harmless(character: str) -> str:
    if character in "\n\t":
        return character
    obeyed = unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNS
    return "\ufffd" if obeyed else character
