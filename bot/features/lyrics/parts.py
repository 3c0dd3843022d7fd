"""A song as Discord shows it: tags and the member's words in bold, all else as it was written, in parts that fit."""

from collections.abc import Iterator

from bot.markup import MAX_DESCRIPTION, plain, sendable
from model.song import SECTION_TAG

_MAX_LINE = 2000
"""Characters of a line before it is broken: escaped, each takes at most two, which fits a part."""

_LEAST_FILLED = 1024
"""Characters that a part has at least, before a stanza's end is preferred to a line's."""


def song_parts(lyric: str, prompt: str) -> list[str]:
    """Return a song as Discord markdown, in parts of at most ``MAX_DESCRIPTION`` characters.

    A song that needs several is split after a stanza, or after a line where a stanza alone is too long.

    Args:
        lyric: What was written, the prompt and perhaps a section tag before it included.
        prompt: What the member wrote, which shows in bold as the section tags do.
    """
    return _pack("\n".join(_formatted_lines(sendable(lyric), sendable(prompt))).strip("\n"))


def whole_words(lyric: str, opening: str) -> str:
    """Return a lyric that is still being written, without a last word or a section tag that may be half of one."""
    least = lyric.find(opening) + len(opening) if opening in lyric else 0
    shown = lyric if lyric[-1:].isspace() else lyric[: max(lyric.rfind(" "), lyric.rfind("\n"), least)]
    line = shown.rfind("\n") + 1
    is_half_a_tag = line >= least and shown.startswith("[", line) and "]" not in shown[line:]
    return shown[:line] if is_half_a_tag else shown


def _formatted_lines(lyric: str, prompt: str) -> Iterator[str]:
    """Yield the lines of a song, each complete in itself, so that it may be split after any."""
    # A tag of the model's may stand on a line before the prompt.
    begin = 0 if lyric.startswith(prompt) else lyric.find("\n") + 1
    end = begin + len(prompt) if lyric.startswith(prompt, begin) else begin
    offset = 0
    for line in lyric.split("\n"):
        if SECTION_TAG.fullmatch(line.strip()) and len(line) <= _MAX_LINE:
            yield _bold(line)
        else:
            for start, piece in _pieces(line):
                first = min(max(begin - offset - start, 0), len(piece))
                last = min(max(end - offset - start, 0), len(piece))
                yield plain(piece[:first]) + _bold(piece[first:last]) + plain(piece[last:])
        offset += len(line) + 1


def _pieces(line: str) -> Iterator[tuple[int, str]]:
    """Yield where each piece of a line begins, and the piece; a line that is not endless is one."""
    start = 0
    while len(line) - start > _MAX_LINE:
        space = line.rfind(" ", start + 1, start + _MAX_LINE)
        end = start + _MAX_LINE if space < 0 else space + 1
        yield start, line[start:end]
        start = end
    yield start, line[start:]


def _bold(text: str) -> str:
    words = text.strip()
    if not words:
        return text
    before, _, after = text.partition(words)
    return f"{before}**{plain(words)}**{after}"


def _pack(text: str) -> list[str]:
    """Split formatted text, of which every line fits, into parts that fit."""
    parts = []
    while len(text) > MAX_DESCRIPTION:
        end = text.rfind("\n\n", _LEAST_FILLED, MAX_DESCRIPTION + 1)
        if end < 0:
            end = text.rfind("\n", 1, MAX_DESCRIPTION + 1)
        parts.append(text[:end])
        text = text[end:].strip("\n")
    return [*parts, text]
