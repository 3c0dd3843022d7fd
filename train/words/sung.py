"""The words of a lyric, as everything compares and counts them."""

import re

from model.song import is_tag

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words_of(lyric: str) -> list[str]:
    """Return the words in folded case, without punctuation and section tags."""
    sung = "\n".join(sung_lines(lyric))
    return _WORD.findall(sung.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold())


def sung_lines(lyric: str) -> list[str]:
    """Return the lines that are neither blank nor section tags."""
    return [line for line in lyric.split("\n") if line.strip() and not is_tag(line)]
