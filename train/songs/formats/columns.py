"""Which column of a table holds what: by its name, and by what stands in it."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from train.config import DataConfig
from train.songs.formats.cells import lyric_of, plain
from train.songs.problems import UnreadableError

KNOWN_COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("lyrics", "lyric", "song_lyrics", "text", "body", "content", "poem", "verse", "words", "song"),
    "title": ("title", "song_title", "song_name", "sname", "track_title", "track_name", "track", "name", "song"),
    "genre": ("genre", "genres", "style", "tag"),
    "mood": ("mood", "moods", "emotion", "sentiment"),
    "theme": ("theme", "themes", "topic", "subject"),
    "artist": ("artist", "artist_name", "artists", "singer", "band", "performer", "author", "poet", "primary_artist"),
}
"""What columns are called, best name first; capitals do not matter, and a space or hyphen is an underscore."""

_LINE_NUMBERS = ("line", "line_number", "line_no", "line_n", "row", "position", "order")
_NO_LYRICS = re.compile(r"https?://\S+|/\S*|[\d.,:%+-]+|\S+@\S+")
_LONGER = 4
_LONG = 100
_OTHERS = ("html", "annotations", "annotation", "description", "bio", "comment", "comments", "summary", "url", "chords")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what."""

    text: str
    header: Mapping[str, str]
    line_number: str | None = None
    """The column that numbers the lines of a song, where there is one."""

    def __str__(self) -> str:
        named = {"lyrics": self.text, **self.header}
        return ", ".join(f"{name} in '{column}'" for name, column in named.items())


def recognise(rows: Sequence[Mapping[str, Any]], config: DataConfig) -> Columns:
    """Return what the columns of a table hold, by its first rows.

    Raises:
        UnreadableError: Where a column that was named is not there, or none has lyrics.
    """
    present = list(dict.fromkeys(column for row in rows for column in row))
    for name in KNOWN_COLUMNS:
        named = getattr(config, f"{name}_column")
        if named is not None and named not in present:
            raise UnreadableError(f"has no column '{named}' (it has {_list(present)}): correct --{name}-column")
    by_name = {normal(column): column for column in reversed(present)}
    text = config.text_column or _text_column(rows, present, by_name)
    if text is None:
        raise UnreadableError(
            f"has no column of lyrics that is recognised (it has {_list(present)}): name it with --text-column"
        )
    header: dict[str, str] = {}
    for name, known in KNOWN_COLUMNS.items():
        taken = {text, *header.values()}
        found = next((by_name[each] for each in known if each in by_name and by_name[each] not in taken), None)
        found = getattr(config, f"{name}_column") or found
        if name != "text" and found is not None:
            header[name] = found
    return Columns(text, header, next((by_name[each] for each in _LINE_NUMBERS if each in by_name), None))


def normal(column: str) -> str:
    """Return a column's name as ``KNOWN_COLUMNS`` has it."""
    return re.sub(r"[ -]", "_", column.strip().casefold())


def _text_column(rows: Sequence[Mapping[str, Any]], present: Sequence[str], by_name: Mapping[str, str]) -> str | None:
    """Return the column of a known name, unless another one has texts that are far longer, or that one."""
    sizes = {column: _size([lyric_of(row.get(column)) for row in rows]) for column in present}
    named = [by_name[name] for name in KNOWN_COLUMNS["text"] if name in by_name and sizes[by_name[name]] >= 0]
    others = [column for column in present if normal(column) not in _OTHERS]
    longest = max(others, key=lambda column: sizes[column], default=None)
    if named and longest is not None:
        first = next((column for column in named if _LONGER * sizes[column] >= sizes[longest]), None)
        return first or (longest if sizes[longest] >= _LONG else named[0])
    if longest is not None and (sizes[longest] >= _LONG or (len(present) == 1 and sizes[longest] > 0)):
        return longest
    return named[0] if named else None


def _size(texts: Sequence[str]) -> float:
    """Return how long the texts of a column are, the median of those there are; -1 where they are no words."""
    written = [text for text in texts if text]
    if not written or sum(bool(_NO_LYRICS.fullmatch(text)) for text in written) > len(written) / 2:
        return -1.0 if written else 0.0
    return median(map(len, written))


def one_line_a_row(rows: Sequence[Mapping[str, Any]], columns: Columns) -> bool:
    """Return whether each of these rows is a line of the song whose title stands beside it."""
    title = columns.header.get("title")
    texts = [lyric_of(row.get(columns.text)) for row in rows]
    if title is None or any("\n" in text or len(text) > _LONG for text in texts):
        return False
    titles = [plain(row.get(title)) for row in rows]
    changes = sum(a != b for a, b in itertools.pairwise(titles))
    return len(titles) > 2 and changes < len(titles) / 3 and all(titles)  # noqa: PLR2004 - three lines a song or more


def _list(columns: Sequence[str]) -> str:
    shown = [f"{column[:40]}…" if len(column) > 41 else column for column in columns]  # noqa: PLR2004
    return ", ".join(shown) or "none"
