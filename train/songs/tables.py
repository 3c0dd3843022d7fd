"""Tables of songs: CSV, TSV, JSON Lines, Parquet and hub datasets, a song a row."""

import csv
import gzip
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, concatenate_datasets, load_dataset

from model.song import Header, Song, parse_song
from train.conditions import Condition
from train.config import DataConfig
from train.songs.problems import Notes, UnreadableError
from train.songs.text_files import MAX_LINE, UNPACK_ERRORS, Found, clean, detect_encoding, open_bytes, read_lines

Row = tuple[int, Mapping[str, Any]]
"""A line or row number, from 1, and the values by column."""

KNOWN_COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("lyrics", "lyric", "text", "song_lyrics", "body", "content", "poem", "verse", "words", "song"),
    "title": ("title", "song_title", "song_name", "track_name", "track", "name", "song"),
    "genre": ("genre", "genres", "style", "tag"),
    "mood": ("mood", "moods", "emotion", "sentiment"),
    "theme": ("theme", "themes", "topic", "subject"),
    "artist": ("artist", "artist_name", "artists", "singer", "band", "performer", "author", "poet", "primary_artist"),
}
"""What columns are called, best name first; capitals do not matter, and a space or hyphen is an underscore."""

MAX_CELL = 1 << 20
"""Characters in a cell of a CSV; a quote that is never closed ends here."""

_PEEK = 100
"""Rows that are looked at for their columns; JSON Lines may leave out what is empty."""

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what."""

    text: str
    header: Mapping[str, str]

    def __str__(self) -> str:
        named = {"lyrics": self.text, **self.header}
        return ", ".join(f"{name} in '{column}'" for name, column in named.items())


def read_table(path: Path, label: str, kind: str, config: DataConfig, notes: Notes) -> tuple[str, Iterator[Found]]:
    """Return how a table was read, and its songs.

    Raises:
        UnreadableError: Where it cannot be read, or has no column of lyrics.
    """
    rows, how = _OPENERS[kind](path, label, notes)
    return _read_rows(rows, how, label, config, notes)


def read_hub(name: str, config: DataConfig, notes: Notes) -> tuple[str, Iterator[Found]]:
    """Return how the hub dataset ``name`` was read, and its songs: those of its split ``train``, if it has that.

    Raises:
        UnreadableError: Where the hub does not give it, or it has no column of lyrics.
    """
    dataset = load_hub(name)
    return _read_rows(enumerate(dataset, 1), f"hub dataset, {len(dataset):,} rows", name, config, notes)


def load_hub(name: str) -> Dataset:
    """Return the rows of a hub dataset, memory-mapped from the local cache.

    Raises:
        UnreadableError: Where the hub does not give it.
    """
    try:
        splits = load_dataset(name)
    except Exception as error:  # whatever a dataset's files, the network or the hub's client come up with
        reason = str(error).partition("\n")[0]
        raise UnreadableError(
            f"is no file or folder here, and the hub did not give a dataset of that name ({reason}): "
            "check the path, or the name and the network"
        ) from error
    return splits["train"] if "train" in splits else concatenate_datasets(list(splits.values()))


def recognise(columns: Iterable[str], config: DataConfig) -> Columns:
    """Decide which column holds what, by the names that were given, else by ``KNOWN_COLUMNS``.

    Raises:
        UnreadableError: Where there is no column of lyrics, or not the one that was named.
    """
    present = list(columns)
    by_name = {column.strip().lower().replace(" ", "_").replace("-", "_"): column for column in reversed(present)}
    chosen: dict[str, str] = {}
    for name, known in KNOWN_COLUMNS.items():
        named: str | None = getattr(config, f"{name}_column")
        if named is not None and named not in present:
            raise UnreadableError(f"has no column '{named}' (it has {', '.join(present)}): correct --{name}-column")
        found = named or next(
            (by_name[each] for each in known if each in by_name and by_name[each] not in chosen.values()), None
        )
        if found is not None:
            chosen[name] = found
        elif name == "text":
            raise UnreadableError(
                f"has no column of lyrics that is recognised (it has {', '.join(present) or 'none'}): "
                "name it with --text-column"
            )
    return Columns(chosen.pop("text"), chosen)


def _read_rows(
    rows: Iterable[Row], how: str, label: str, config: DataConfig, notes: Notes
) -> tuple[str, Iterator[Found]]:
    remaining = iter(rows)
    head = list(itertools.islice(remaining, _PEEK))
    if not head:
        raise UnreadableError("has no rows that can be read: leave it out or mend it")
    present = dict.fromkeys(column for _, row in head for column in row)
    columns = recognise(present, config)
    conditions = [Condition.parse(text) for text in config.where]
    for condition in conditions:
        if condition.column not in present:
            raise UnreadableError(
                f"has no column '{condition.column}' (it has {', '.join(present)}): correct --where {condition}"
            )
    chosen = _choose(itertools.chain(head, remaining), conditions, label, notes)
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
        lyric = clean(_text(row.get(columns.text)))
        if not lyric:
            notes.skip(label, line, f"no lyrics in '{columns.text}'")
            continue
        if len(lyric) > MAX_LINE and (longest := max(map(len, lyric.splitlines()))) > MAX_LINE:
            notes.skip(label, line, f"a line of {longest:,} characters: its song is left out")
            continue
        header = Header(**{name: _text(row.get(column)) for name, column in columns.header.items()})
        # Where no column says anything of the song, its text may, as it does in a text file.
        song = Song(header, lyric) if any(header.items()) else parse_song(lyric)
        if song.lyric:
            yield Found(song, line)


def _text(value: object) -> str:
    # JSON can spell half a character, which no encoding can write.
    return "" if value is None else str(value).encode("utf-8", "replace").decode().strip()


def _open_csv(path: Path, label: str, notes: Notes, delimiters: str = ",;\t|") -> tuple[Iterator[Row], str]:
    encoding = detect_encoding(path)
    encoding.note(label, notes)
    with_header = (line for _, line in read_lines(path, encoding))
    delimiter = max(delimiters, key=next(with_header).count)
    return _csv_rows(path, label, notes, delimiter), f"{'TSV' if delimiter == chr(9) else 'CSV'}, {encoding}"


def _csv_rows(path: Path, label: str, notes: Notes, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL)
    lines = (line for _, line in read_lines(path, detect_encoding(path)))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            notes.skip(label, start, f"no row of a CSV ({error}): a quote that is never closed, or doubled wrongly?")
            continue
        if columns is None:
            columns = cells or None
        elif len(cells) > len(columns):
            notes.skip(label, start, f"{len(cells)} cells under {len(columns)} columns: put the lyrics in quotes")
        elif any(cells):
            yield start, dict(zip(columns, cells, strict=False))


def _open_tsv(path: Path, label: str, notes: Notes) -> tuple[Iterator[Row], str]:
    return _open_csv(path, label, notes, "\t")


def _open_json_lines(path: Path, label: str, notes: Notes) -> tuple[Iterator[Row], str]:
    encoding = detect_encoding(path)
    encoding.note(label, notes)

    def rows() -> Iterator[Row]:
        for number, line in read_lines(path, encoding):
            if not line.strip():
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

    return rows(), f"JSON Lines, {encoding}"


def _open_parquet(path: Path, _label: str, _notes: Notes) -> tuple[Iterator[Row], str]:
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its rows are read
    try:
        with open_bytes(path) as stream:
            packed = isinstance(stream, gzip.GzipFile)
            if packed:  # Parquet is read from its end, which a packed stream has no way to.
                shutil.copyfileobj(stream, unpacked)
        file = pq.ParquetFile(unpacked if packed else path, memory_map=not packed)
    except (pa.ArrowException, *UNPACK_ERRORS) as error:
        unpacked.close()
        raise UnreadableError(f"is no Parquet file that can be read ({error}): copy or export it again") from error

    def rows() -> Iterator[Row]:
        with unpacked:
            yield from enumerate((row for batch in file.iter_batches(_BATCH) for row in batch.to_pylist()), 1)

    return rows(), f"Parquet, {file.metadata.num_rows:,} rows"


_OPENERS: dict[str, Callable[[Path, str, Notes], tuple[Iterator[Row], str]]] = {
    "csv": _open_csv,
    "tsv": _open_tsv,
    "jsonl": _open_json_lines,
    "parquet": _open_parquet,
}
