"""Whether what a model wrote is text at all, in any language: no measure of how good it is."""

import unicodedata
from collections import Counter

_NO_TEXT = {"Cc", "Cn", "Co", "Cs"}
"""Unicode's categories of control characters, and of those that are unassigned, private, or half of one."""

_LETTERS, _STRANGE, _SAME = 0.6, 0.02, 0.5
"""Shares: of letters at the least, of what is no text at the most, and at the most of one word."""

_MIN_LETTERS = 12


def is_legible(lyric: str) -> bool:
    """Whether a lyric is made of letters, and is not one word over and over."""
    visible = [character for character in lyric if not character.isspace()]
    letters = sum(unicodedata.category(character)[0] in "LM" for character in visible)
    if letters < max(_MIN_LETTERS, _LETTERS * len(visible)):
        return False
    words = lyric.casefold().split()
    commonest = Counter(words).most_common(1)[0][1]
    strange = sum(character == "\ufffd" or unicodedata.category(character) in _NO_TEXT for character in visible)
    return strange <= _STRANGE * len(visible) and (commonest == 1 or commonest <= _SAME * len(words))
