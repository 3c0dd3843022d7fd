"""Words as they are searched: without case and accents; and a song's words around those that were found."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

MARK = "\x1f"
"""Stands before and after what was searched for: a control character, which no stored song has in it."""

_WORD = re.compile(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*")

_AROUND = 14
_BEFORE = 4
"""How many words around a match are shown, and how many of them before it."""


def folded(text: str) -> str:
    """Return the words of a text, all in one spelling and with a space before and after each."""
    text = unicodedata.normalize("NFKD", text.casefold())
    if not text.isascii():
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return " ".join(["", *_WORD.findall(text), ""])


def wanted(search: str) -> list[str]:
    """Return what is to stand in ``folded`` words for a search to find them; nothing where it asks for no word.

    The last word may be the beginning of one.
    """
    words = [word for word in map(folded, search.split()) if word.strip()]
    return [*words[:-1], *(word.rstrip() for word in words[-1:])]


def excerpt(text: str, search: str) -> str:
    """Return a text around the first words that were searched for, each between two ``MARK``, or its beginning."""
    # A character such as ½ is two words, at the same place.
    spans = [(word, *match.span()) for match in _WORD.finditer(text) for word in folded(match[0]).split()]
    marked = list(_found([word for word, _, _ in spans], wanted(search)))
    first = marked[0][0] if marked else 0
    start = max(0, min(first - _BEFORE, len(spans) - _AROUND))
    end = min(start + _AROUND, len(spans))
    places = [spans[start][1] if start else 0]
    for begin, last in marked:
        if start <= begin and last < end and spans[begin][1] >= places[-1]:
            places += [spans[begin][1], spans[last][2]]
    places.append(spans[end - 1][2] if end < len(spans) else len(text))
    words = MARK.join(text[begin:end] for begin, end in pairwise(places))
    return f"{'…' if start else ''}{words}{'…' if end < len(spans) else ''}"


def _found(words: list[str], phrases: list[str]) -> Iterator[tuple[int, int]]:
    """Yield from which to which word each match goes, none over another."""
    position = 0
    while position < len(words):
        length = max((_length_at(words, position, phrase) for phrase in phrases), default=0)
        if length:
            yield position, position + length - 1
        position += max(length, 1)


def _length_at(words: list[str], position: int, phrase: str) -> int:
    """Return how many words a phrase covers at a position; none where it does not stand there."""
    length = len(phrase.split())
    return length if " ".join(["", *words[position : position + length], ""]).startswith(phrase) else 0
