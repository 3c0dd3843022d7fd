import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.song import Header, Song
from train.config import DataConfig
from train.songs.formats import binary_tables
from train.songs.problems import DataError
from train.songs.reading import Reading, read_songs

Read = Callable[..., Reading]

ROWS: list[dict[str, Any]] = [
    {"Song Title": "One", "genre": "folk", "Lyrics": 'la, la\n"lo"\n\nend', "year": 1},
    {"Song Title": "", "genre": None, "Lyrics": "something else", "year": 2},
]
SONGS = [Song(Header("One", "folk"), 'la, la\n"lo"\n\nend'), Song(Header(), "something else")]


def as_csv(delimiter: str) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return file.getvalue().encode()


def as_json_lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def as_parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    return file.getvalue()


def plain(songs: Any) -> list[Song]:
    """Return the songs with what is empty taken out of their headers."""
    return [Song(Header(**dict(song.header.items())), song.lyric) for song in songs]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.csv", as_csv(",")),
        ("s.csv", as_csv(";")),
        ("s.tsv", as_csv("\t")),
        ("s.jsonl", as_json_lines()),
        ("s.parquet", as_parquet()),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_table_reads_the_same(read: Read, name: str, content: bytes, *, packed: bool) -> None:
    reading = read(f"{name}.gz" if packed else name, gzip.compress(content) if packed else content)
    assert plain(reading.songs) == SONGS
    assert "lyrics in 'Lyrics', title in 'Song Title', genre in 'genre'" in reading.report.sources[0].how
    assert not reading.problems


def test_columns_are_named_where_they_are_not_recognised(read: Read) -> None:
    content = "paroles,nom,song\nla la,Un,x\nlo lo,Deux,y\n"
    reading = read("s.csv", content, text_column="paroles", title_column="nom")
    assert [(song.lyric, song.header.title) for song in reading.songs] == [("la la", "Un"), ("lo lo", "Deux")]


def test_a_column_called_song_is_the_title_beside_one_called_text(read: Read) -> None:
    reading = read("s.csv", "artist,song,text\nA,One,la la\nB,Two,lo lo\n")
    assert [song.header.title for song in reading.songs] == ["One", "Two"]
    assert [song.lyric for song in read("t.csv", "song\nla la\nlo lo\n").songs] == ["la la", "lo lo"]


def test_whole_samples_in_a_column_bring_their_own_header(read: Read) -> None:
    rows = [{"text": f"<|startoftext|>title: T{n}\n\nwords {n}<|endoftext|>"} for n in range(2)]
    reading = read("s.jsonl", "\n".join(map(json.dumps, rows)))
    assert list(reading.songs) == [Song(Header(title=f"T{n}"), f"words {n}") for n in range(2)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"it has artist, words_of_it.*--text-column"),
        ({"text_column": "lyric"}, "no column 'lyric' .it has artist"),
    ],
)
def test_a_table_without_the_column_names_those_it_has(read: Read, settings: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read("s.csv", "artist,words_of_it\nA,la la\nB,lo lo\n", **settings)


def test_bad_rows_are_skipped_with_their_line(read: Read) -> None:
    lines = [
        '{"text": "one"}',
        '{"text": ',
        "[1]",
        "",
        '{"text": null}',
        '{"text": "two"}',
        f'{{"text": "{"x" * 20_000}"}}',
    ]
    reading = read("s.jsonl", "\n".join(lines))
    assert [song.lyric for song in reading.songs] == ["one", "two"]
    assert [problem.line for problem in reading.problems] == [2, 3, 5, 7]
    assert [reading.place(number)[1] for number in range(2)] == [1, 6]


def test_bad_rows_of_a_csv_are_skipped_with_their_line(read: Read) -> None:
    reading = read("s.csv", 'title,lyrics\nA,"la\nla"\nB,"lo"lo\nC,one, two\nD,\nE,last words\n')
    assert [song.lyric for song in reading.songs] == ["la\nla", "last words"]
    assert [problem.line for problem in reading.problems] == [4, 5, 6]


def test_half_a_character_and_an_empty_first_line_do_no_harm(read: Read) -> None:
    assert [song.lyric for song in read("s.jsonl", '{"text": "la \\ud83d"}\n{"text": "lo"}').songs] == ["la ?", "lo"]
    assert len(read("s.csv", "\n\ntitle,lyrics\nOne,la\nTwo,lo\n").songs) == 2


def test_a_file_of_the_wrong_format_is_not_listed_line_by_line(read: Read) -> None:
    with pytest.raises(DataError) as caught:
        read("s.jsonl", "no json\n" * 5_000)
    assert len(caught.value.problems) == 102
    assert "and 4,900 more places in this file" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.parquet", b"PAR1 no more", "no Parquet file"),
        ("s.parquet.gz", b"\x1f\x8b\x08\x00broken", "no Parquet file"),
        ("s.jsonl.gz", gzip.compress(as_json_lines())[:-12], "cannot be unpacked"),
        ("s.txt.gz", b"\x1f\x8b\x08\x00broken", "cannot be unpacked"),
        ("s.jsonl", b"la la\nlo lo\n", "no rows that can be read"),
        ("s.csv", b"lyrics\n", "no rows"),
    ],
)
def test_a_table_that_is_damaged_says_so(read: Read, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(name, content)


def test_a_hub_dataset_is_read_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "train.parquet")
    asked: list[str] = []

    def stand_in(name: str) -> datasets.DatasetDict:
        asked.append(name)
        return datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(binary_tables, "load_dataset", stand_in)
    reading = read_songs(DataConfig(data=("someone/lyrics",)))
    assert plain(reading.songs) == SONGS
    assert set(asked) == {"someone/lyrics"}
    assert reading.place(1) == ("someone/lyrics", 2)


def test_a_hub_that_does_not_answer_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(name: str) -> None:
        raise ConnectionError(f"Couldn't reach '{name}' on the Hub")

    monkeypatch.setattr(binary_tables, "load_dataset", stand_in)
    with pytest.raises(DataError, match="someone/lyrics: is no file or folder here, and the hub did not give"):
        read_songs(DataConfig(data=("someone/lyrics",)))
