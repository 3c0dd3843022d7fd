"""The same songs, written in twenty shapes, are the same songs to training: their fingerprint does not change."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.song import HEADER_FIELDS, Song
from train.config import DataConfig
from train.songs.reading import read_songs
from train.songs.split import split_songs

CORPUS = Path(__file__).parents[2] / "train/data/songs.txt"
COUNT = 60
"""Songs of the corpus that are written in every shape; the whole of it is read once."""


def rows(songs: Sequence[Song]) -> list[dict[str, str]]:
    return [dict(song.header.items()) | {"lyrics": song.lyric} for song in songs]


def as_text(songs: Sequence[Song]) -> str:
    return "".join(f"{song.header}\n{song.lyric}\n<|endoftext|>\n" for song in songs)


def as_table(songs: Sequence[Song], **dialect: object) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, [*HEADER_FIELDS, "lyrics"], **dialect)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows(songs))
    return file.getvalue()


def as_lrc(song: Song) -> str:
    tags = "".join(f"[{'ti' if name == 'title' else name}:{value}]\n" for name, value in song.header.items())
    return tags + "".join(f"[{n // 30:02}:{2 * n % 60:02}.00]{line}\n" for n, line in enumerate(song.lyric.split("\n")))


def as_markdown(song: Song) -> str:
    return (
        "---\n"
        + "".join(f"{name.title()}: {json.dumps(value)}\n" for name, value in song.header.items())
        + (f"---\n\n{song.lyric}\n")
    )


def in_folder(folder: Path, songs: Sequence[Song], ending: str, write: Callable[[Song], str]) -> Path:
    folder.mkdir()
    for number, song in enumerate(songs):
        (folder / f"{number:04}{ending}").write_text(write(song), encoding="utf-8")
    return folder


def as_parquet(songs: Sequence[Song]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(songs)), file)
    return file.getvalue()


def in_archive(songs: Sequence[Song]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, song in enumerate(songs):
            archive.writestr(f"songs/{number:04}.txt", f"{song.header}\n{song.lyric}")
    return file.getvalue()


def json_lines(songs: Sequence[Song]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows(songs))


FILES: dict[str, Callable[[Sequence[Song]], bytes | str]] = {
    "recipe.txt": lambda songs: "\n".join(map(str, songs)),
    "dashes.txt": lambda songs: as_text(songs).replace("<|endoftext|>", "---"),
    "signs.txt": lambda songs: as_text(songs).replace("<|endoftext|>", "=========="),
    "utf16.txt": lambda songs: as_text(songs).encode("utf-16"),
    "crlf.txt": lambda songs: "\ufeff" + as_text(songs).replace("\n", "\r\n"),
    "doubled.txt": lambda songs: as_text(songs).replace("\n", "\r\r\n"),
    "commas.csv": as_table,
    "semicolons.csv": lambda songs: as_table(songs, delimiter=";", quoting=csv.QUOTE_ALL),
    "escaped.csv": lambda songs: as_table(songs, doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL),
    "excel.csv": lambda songs: ("sep=|\n" + as_table(songs, delimiter="|")).encode("utf-16"),
    "tabs.tsv": lambda songs: as_table(songs, delimiter="\t"),
    "lines.jsonl": json_lines,
    "array.json": lambda songs: json.dumps(rows(songs), indent=1),
    "document.json": lambda songs: json.dumps({"songs": rows(songs)}),
    "table.parquet": as_parquet,
    "packed.txt.gz": lambda songs: gzip.compress(as_text(songs).encode()),
    "packed.jsonl.bz2": lambda songs: bz2.compress(json_lines(songs).encode()),
    "packed.csv.xz": lambda songs: lzma.compress(as_table(songs).encode()),
    "songs.zip": in_archive,
}
FOLDERS: dict[str, tuple[str, Callable[[Song], str]]] = {
    "lrc": (".lrc", as_lrc),
    "markdown": (".md", as_markdown),
    "plain": ("", lambda song: f"{song.header}\n{song.lyric}\n"),
}


def fingerprint(path: Path) -> str:
    return split_songs(read_songs(DataConfig(data=(str(path),))), 0.05, seed=42).fingerprint


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    reading = read_songs(DataConfig(data=(str(CORPUS),)))
    return list(reading.songs)[:: max(1, len(reading.songs) // COUNT)]


@pytest.fixture(scope="module")
def expected(songs: list[Song], tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("shapes") / "songs.txt"
    file.write_text(as_text(songs), encoding="utf-8")
    return fingerprint(file)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_shape_has_the_same_songs(songs: list[Song], expected: str, tmp_path: Path, name: str) -> None:
    content = FILES[name](songs)
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert fingerprint(tmp_path / name) == expected


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_of_a_song_a_file_has_the_same_songs(
    songs: list[Song], expected: str, tmp_path: Path, kind: str
) -> None:
    assert fingerprint(in_folder(tmp_path / "songs", songs, *FOLDERS[kind])) == expected


def test_the_clean_corpus_comes_out_byte_for_byte() -> None:
    reading = read_songs(DataConfig(data=(str(CORPUS),)))
    text = "\n<|endoftext|>\n".join(f"{song.header}\n{song.lyric}" for song in reading.songs)
    assert text.strip() == CORPUS.read_text(encoding="utf-8").strip().removesuffix("<|endoftext|>").strip()
    assert not [each.kind for each in reading.report.residue if each.after is not None]
