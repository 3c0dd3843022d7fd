"""JSON Lines, and JSON documents of the shapes that songs are saved in."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from train.songs.formats.cells import lyric_of
from train.songs.formats.columns import KNOWN_COLUMNS, normal
from train.songs.formats.encoding import MAX_LINE_READ, Encoding, detect_encoding, read_lines, read_whole
from train.songs.formats.rows import Row
from train.songs.problems import Notes, UnreadableError

MAX_DOCUMENT = 256_000_000
"""Characters of a JSON document that is not JSON Lines: it is held in memory."""

_TEXT = frozenset(KNOWN_COLUMNS["text"])
_MAX_DEPTH = 6


def open_json(path: Path, label: str, told: str | None, notes: Notes) -> tuple[Iterator[Row], str]:
    """Return the rows of a JSON file, a song each, and how it was read.

    Raises:
        UnreadableError: As ``detect_encoding`` does, and where it is a document that is too large or of no shape
            that has songs.
    """
    encoding = detect_encoding(path, told)
    encoding.note(label, notes)
    if not _is_document(path, encoding):
        return _json_lines(path, label, encoding, notes), f"JSON Lines, {encoding}"
    try:
        document = json.loads(read_whole(path, encoding, MAX_DOCUMENT))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is no JSON ({error}): mend it, or save it as JSON Lines, an object a line") from error
    rows = list(_rows_of(document, {}, 0))
    if not rows:
        raise UnreadableError(
            "is JSON without songs that are recognised: save a list of objects with the lyrics in 'lyrics'"
        )
    return enumerate(rows, 1), f"JSON, {encoding}"


def _is_document(path: Path, encoding: Encoding) -> bool:
    """Return whether a file is one JSON value, not one a line."""
    first = None
    for _, line in read_lines(path, encoding):
        text = line.strip()
        if not text:
            continue
        if first is not None:
            # Two whole objects under each other are JSON Lines, and so is what only looks like it.
            return not (_parses(first) and text[0] not in "]}")
        if text[0] not in "[{":
            return False
        if text[0] == "[" and not _parses(text):
            return True
        first = text
        if len(text) > MAX_LINE_READ:
            return True
    return first is not None and (first[0] == "[" or not _is_row(json.loads(first) if _parses(first) else None))


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_row(value: object) -> bool:
    return isinstance(value, Mapping) and any(
        normal(name) in _TEXT and isinstance(item, str | list) and not _has_objects(item)
        for name, item in value.items()
    )


def _is_flat(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and not any(
        isinstance(item, Mapping) or _has_objects(item) for item in value.values()
    )


def _has_objects(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _json_lines(path: Path, label: str, encoding: Encoding, notes: Notes) -> Iterator[Row]:
    for number, line in read_lines(path, encoding):
        if not line.strip():
            continue
        if len(line) > MAX_LINE_READ:
            notes.skip(label, number, f"a line of over {MAX_LINE_READ:,} characters")
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            notes.skip(label, number, f"no JSON ({error}): one whole object a line")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            notes.skip(label, number, f"a JSON {type(row).__name__}, not an object: one object a line")


def _rows_of(value: object, around: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield every object with lyrics in a document, with what stands around it."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                yield {**around, "lyrics": item}
            elif _is_flat(item):
                yield {**around, **item}
            else:
                yield from _rows_of(item, around, depth + 1)
    elif isinstance(value, Mapping):
        yield from _rows_of_object(value, around, depth)


def _rows_of_object(value: Mapping[str, Any], around: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    if columns := _columns(value):
        yield from columns
    elif _is_row(value):
        yield {**around, **value}
    elif value and all(isinstance(item, str) or _is_lines(item) for item in value.values()):
        # Titles and their lyrics.
        yield from ({**around, "title": title, "lyrics": lyric} for title, lyric in value.items())
    elif value and all(map(_is_row, value.values())):
        yield from ({**around, "title": title, **row} for title, row in value.items())
    else:
        if isinstance(name := value.get("name"), str) and isinstance(value.get("songs"), list):
            around = {**around, "artist": name}  # as LyricsGenius saves an artist
        inside = {name: item for name, item in value.items() if isinstance(item, list | Mapping)}
        for name, item in inside.items():
            outside = {} if len(inside) > 1 and len(inside) < len(value) else _artist(name, item)
            yield from _rows_of(item, {**around, **outside}, depth + 1)


def _artist(name: str, item: object) -> dict[str, str]:
    """Return the artist that a key is, where what stands under it is titles and their lyrics."""
    titles = isinstance(item, Mapping) and item and all(isinstance(each, str) for each in item.values())
    return {"artist": name} if titles and normal(name) not in {"songs", "lyrics", "tracks"} else {}


def _is_lines(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _columns(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table that pandas saved column by column, none where it is no such table."""
    if set(value) >= {"columns", "data"} and isinstance(value["data"], list):
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"] if isinstance(row, list)]
    texts = [name for name in value if normal(name) in _TEXT and isinstance(value[name], Mapping)]
    if not texts or not all(isinstance(item, Mapping) for item in value.values()):
        return []
    keys = list(value[texts[0]])
    if not any(lyric_of(value[texts[0]][key]) for key in keys) or any(
        set(item) != set(keys) for item in value.values()
    ):
        return []
    return [{name: item[key] for name, item in value.items()} for key in keys]
