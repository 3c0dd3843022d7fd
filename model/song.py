"""One song as text: the format that training writes into the model and that prompting relies on.

    <|startoftext|>title: Sandbag Line
    genre: country

    [Verse 1]
    The river came up past the feed store stair<|endoftext|>

Header lines are optional and in a fixed order; the blank line stands only after a header.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

BOS_TOKEN = "<|startoftext|>"  # noqa: S105 - a special token, not a secret
EOS_TOKEN = "<|endoftext|>"  # noqa: S105

SECTION_TAG = re.compile(r"\[[^\[\]]+\]")


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a song apart from its words; the order of the fields is the order of the lines."""

    title: str | None = None
    genre: str | None = None
    mood: str | None = None
    theme: str | None = None
    artist: str | None = None

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the value of every field that is given, each value on a single line."""
        for field in fields(self):
            if value := " ".join((getattr(self, field.name) or "").split()):
                yield field.name, value

    def keep(self, names: frozenset[str]) -> Self:
        """Return the header with the fields in ``names`` only."""
        return type(self)(**{name: value for name, value in self.items() if name in names})

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\n" for name, value in self.items())


HEADER_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Header))


@dataclass(frozen=True, slots=True)
class Song:
    """A song to train on."""

    header: Header
    lyric: str

    @property
    def opening_tag(self) -> str | None:
        """The section tag that stands on the first line, if one does."""
        first_line = self.lyric.partition("\n")[0]
        return first_line if SECTION_TAG.fullmatch(first_line) else None

    def __str__(self) -> str:
        return f"{BOS_TOKEN}{format_prompt(self.header, self.lyric)}{EOS_TOKEN}"


def format_prompt(header: Header, opening: str) -> str:
    """Return the text of a song from after the start token up to and including its opening words."""
    lines = str(header)
    return f"{lines}\n{opening}" if lines else opening


def with_opening_tag(tag: str | None, opening: str) -> str:
    """Put ``tag``, say ``[Verse 1]``, on a line before the opening words, unless they bring a tag of their own."""
    return opening if tag is None or opening.startswith("[") else f"{tag}\n{opening}"


def cut_at_line_end(text: str) -> str:
    """Return ``text`` without its last, unfinished line, and without a section tag that nothing then follows.

    A text of one line loses its last word instead.
    """
    return without_open_end(text.rpartition("\n")[0]) or text.rpartition(" ")[0].rstrip() or text


def without_open_end(lyric: str) -> str:
    """Return a lyric without blank lines and section tags at its end, which nothing follows."""
    lines = lyric.split("\n")
    while lines and (not lines[-1].strip() or is_tag(lines[-1])):
        lines.pop()
    return "\n".join(lines)


def is_tag(line: str) -> bool:
    """Return whether a line is a section tag, such as ``[Verse 1]``."""
    return SECTION_TAG.fullmatch(line.strip()) is not None
