"""The words of a lyric, as everything compares and counts them."""

import re

from model.song import SECTION_TAG

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words_of(lyric: str) -> list[str]:
    """Return the words in folded case, without punctuation and section tags."""
    sung = "\n".join(line for line in lyric.split("\n") if not is_tag(line))
    return _WORD.findall(sung.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold())


def is_tag(line: str) -> bool:
    """Whether a line is a section tag."""
    return SECTION_TAG.fullmatch(line.strip()) is not None
