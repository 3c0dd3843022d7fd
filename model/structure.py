"""The structure of a lyric while it is written: the lines that come back, and the lines after which it may end.

A lyric is text as ``model.song`` has it: stanzas apart by blank lines, each under a section tag or none.
"""

import re

from model.song import is_tag

_REFRAIN = re.compile(r"\[(chorus|hook|refrain)[^\[\]]*\]", re.IGNORECASE)

_SPARE = 1.1
"""A line counts as so many times the longest one so far, since the next one may be longer."""


def returning_lines(lyric: str) -> str | None:
    """Return what comes next where a lyric has just opened a chorus again: the lines of the first under that tag.

    Args:
        lyric: What is written so far.

    Returns:
        Lines with a break after all but the last; none where the lyric does not end with the tag of a chorus that it
        has had, and the break after it.
    """
    *before, tag, rest = ["", *lyric.split("\n")]
    if rest or not _REFRAIN.fullmatch(tag) or tag not in before:
        return None
    lines = before[before.index(tag) + 1 :]
    count = next((number for number, line in enumerate(lines) if _ends_stanza(line)), len(lines))
    return "\n".join(lines[:count]) or None


def may_end(lyric: str, room: float) -> bool:
    """Return whether a lyric had better end where it is, since what its next part needs does not fit in any more.

    That is at a stanza's end where another stanza like the last does not fit, and within a stanza after an even
    number of lines where two more do not fit, or after an odd number where not even one does.

    Args:
        lyric: What is written so far.
        room: Characters that can still be written.
    """
    if not lyric.endswith("\n"):
        return False
    *_, last = lyric.rstrip("\n").split("\n\n")
    if lyric.endswith("\n\n"):
        return room < len(last)
    lines = [line for line in last.split("\n") if not is_tag(line)]
    longest = max((len(line) for line in lyric.split("\n") if not is_tag(line)), default=0)
    return room < longest * _SPARE * (1 if len(lines) % 2 else 2)


def count_choruses(lyric: str) -> tuple[int, int]:
    """Return how many choruses a lyric has after the first under their tag, and how many of them repeat it."""
    first: dict[str, str] = {}
    later = repeated = 0
    for stanza in re.split(r"\n\s*\n", lyric):
        tag, _, lines = stanza.partition("\n")
        if not _REFRAIN.fullmatch(tag):
            continue
        if tag in first:
            later += 1
            repeated += lines == first[tag]
        first.setdefault(tag, lines)
    return later, repeated


def _ends_stanza(line: str) -> bool:
    return not line.strip() or is_tag(line)
