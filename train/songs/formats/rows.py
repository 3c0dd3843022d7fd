"""The rows of a table as songs: a song a row, or a line of one."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.song import SECTION_TAG, Header, Song
from train.conditions import Condition
from train.config import DataConfig
from train.songs.formats.cells import field_of, lyric_of, plain
from train.songs.formats.columns import Columns, one_line_a_row, recognise
from train.songs.formats.headers import merge, read_song
from train.songs.formats.text import Found, has_long_line, tidy
from train.songs.problems import Notes, UnreadableError

Row = tuple[int, Mapping[str, Any]]
"""A line or row number, from 1, and the values by column."""

_PEEK = 100
"""Rows that are looked at for their columns; JSON Lines may leave out what is empty."""


def read_rows(
    rows: Iterable[Row], how: str, label: str, config: DataConfig, notes: Notes
) -> tuple[str, Iterator[Found]]:
    """Return how the rows of a table were read, and its songs.

    Raises:
        UnreadableError: Where it has no rows, no column of lyrics, or not a column that was named.
    """
    remaining = iter(rows)
    head = list(itertools.islice(remaining, _PEEK))
    if not head:
        raise UnreadableError("has no rows that can be read: leave it out or mend it")
    columns = recognise([row for _, row in head], config)
    present = dict.fromkeys(column for _, row in head for column in row)
    conditions = [Condition.parse(text) for text in config.where]
    for condition in conditions:
        if condition.column not in present:
            raise UnreadableError(
                f"has no column '{condition.column}' (it has {', '.join(present)}): correct --where {condition}"
            )
    chosen = _choose(itertools.chain(head, remaining), conditions, label, notes)
    if one_line_a_row([row for _, row in head], columns):
        return f"{how}, {columns}, a line of a song a row", _songs_of_lines(chosen, columns, label, notes)
    return f"{how}, {columns}", _songs(chosen, columns, label, notes)


def _choose(rows: Iterable[Row], conditions: Sequence[Condition], label: str, notes: Notes) -> Iterator[Row]:
    left_out = 0
    for line, row in rows:
        if all(condition.holds(row) for condition in conditions):
            yield line, row
        else:
            left_out += 1
    if left_out:
        notes.skip(label, None, f"--where leaves out {left_out:,} rows")


def _songs(rows: Iterable[Row], columns: Columns, label: str, notes: Notes) -> Iterator[Found]:
    for line, row in rows:
        lyric = tidy(lyric_of(row.get(columns.text)))
        if not lyric:
            notes.skip(label, line, f"no lyrics in '{columns.text}'")
        elif longest := has_long_line(lyric):
            notes.skip(label, line, f"a line of {longest:,} characters: its song is left out")
        else:
            # What no column says of the song, its text may, as it does in a text file.
            song, _ = read_song(lyric)
            if song.lyric:
                yield Found(replace(song, header=merge(_header(row, columns), song.header)), line)


def _songs_of_lines(rows: Iterable[Row], columns: Columns, label: str, notes: Notes) -> Iterator[Found]:
    """Yield the songs of a table that has a line of one a row: those under each other with the same header."""
    for header, group in itertools.groupby(rows, lambda row: _header(row[1], columns)):
        lines = list(group)
        if columns.line_number is not None:
            lines.sort(key=lambda row: _number(row[1].get(columns.line_number or "")))
        lyric = tidy(_with_gaps([lyric_of(row.get(columns.text)) for _, row in lines]))
        if lyric:
            yield Found(Song(header, lyric), lines[0][0])
        else:
            notes.skip(label, lines[0][0], f"no lyrics in '{columns.text}'")


def _with_gaps(lines: Sequence[str]) -> str:
    """Return the lines as one text; where no line is empty, each section begins after a blank one."""
    if not all(lines):
        return "\n".join(lines)
    return "\n".join(f"\n{line}" if SECTION_TAG.fullmatch(line) else line for line in lines)


def _number(value: object) -> float:
    try:
        return float(plain(value))
    except ValueError:
        return 0.0


def _header(row: Mapping[str, Any], columns: Columns) -> Header:
    return Header(**{name: field_of(row.get(column)) or None for name, column in columns.header.items()})
