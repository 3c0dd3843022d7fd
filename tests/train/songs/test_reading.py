import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from train.config import DataConfig
from train.songs import reading as module
from train.songs.formats.columns import KNOWN_COLUMNS
from train.songs.problems import DataError
from train.songs.reading import Reading, read_songs

Read = Callable[..., Reading]

TWO_SONGS = "first song\n---\nsecond song\n"


def read_all(*data: Path | str, **settings: object) -> Reading:
    return read_songs(DataConfig.model_validate({"data": tuple(map(str, data))} | settings))


def test_several_sources_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TWO_SONGS, encoding="utf-8")
    (tmp_path / "b.csv").write_text("lyrics\nthird\nfirst song\n", encoding="utf-8")
    reading = read_all(tmp_path / "a.txt", tmp_path / "b.csv", tmp_path / "a.txt")
    assert [song.lyric for song in reading.songs] == ["first song", "second song", "third"]
    assert [source.songs for source in reading.report.sources] == [2, 1]
    assert reading.place(2) == (str(tmp_path / "b.csv"), 2)


def test_a_folder_has_a_file_per_artist(tmp_path: Path) -> None:
    folder = tmp_path / "artists"
    (folder / "more").mkdir(parents=True)
    (folder / "adele.txt").write_text("hello there\n---\nset fire", encoding="utf-8")
    (folder / "more" / "bob.TXT").write_text("blowing wind", encoding="utf-8")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\0")
    (folder / "empty.txt").touch()
    (folder / "picture.txt").write_bytes(b"\x89PNG\0\0")
    (folder / ".DS_Store").write_bytes(b"\0")
    reading = read_all(folder)
    assert [song.lyric for song in reading.songs] == ["hello there", "set fire", "blowing wind"]
    said = {Path(problem.path).name: problem.message for problem in reading.problems}
    assert set(said) == {"cover.jpg", "empty.txt", "picture.txt"}
    assert "is empty" in said["empty.txt"]
    assert "is binary" in said["picture.txt"]


def test_everything_that_cannot_be_is_listed_in_one_error(tmp_path: Path, cache: Path) -> None:
    contents = {
        "good.txt": TWO_SONGS.encode(),
        "empty.txt": b"",
        "blank.txt": b"\n \n",
        "picture.txt": bytes(range(256)) * 9,
        "odd.txt": b"\xff\xfe\x00",
        "table.csv": b"artist,year\nA,1\n",
        "broken.jsonl.gz": b"\x1f\x8b\x08\x00",
        "broken.parquet": b"PAR1",
        "some.jsonl": b'{"text": "fine"}\nnot fine\n',
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    before = set(cache.iterdir()) if cache.exists() else set()
    with pytest.raises(DataError) as caught:
        read_all(*(tmp_path / name for name in contents), tmp_path / "missing.txt", "no/such.txt")
    message = str(caught.value)
    bad = {Path(problem.path).name for problem in caught.value.problems}
    assert bad == set(contents) - {"good.txt"} | {"missing.txt", "such.txt"}
    assert f"{tmp_path / 'some.jsonl'}:2: no JSON" in message
    assert "no column of lyrics that is recognised (it has artist, year)" in message
    assert message.splitlines()[-1].endswith("nothing was written.")
    assert set(cache.iterdir()) == before


def test_a_folder_that_has_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "artists").mkdir()
    with pytest.raises(DataError, match="a folder without any file that is read"):
        read_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="artists/adele: there is no such file"):  # and the hub is not asked
        read_all("artists/adele")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("only one song", "only one song"),
        ("la la\n---\nLa, la!", "only one song"),
        (
            "\n---\n".join(f"here comes the very same song again number {n}" for n in range(3)),
            "near duplicates of each",
        ),
    ],
)
def test_too_few_songs_to_hold_any_out(read: Read, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read("songs.txt", content)


def test_songs_that_have_no_line_of_their_own_are_no_songs_to_hold_out(read: Read) -> None:
    with pytest.raises(DataError, match="training needs 2 that differ"):
        read("songs.txt", "one two\nthree four\n---\nthree four\none two", unit="line")


def test_the_second_reading_comes_from_the_cache(read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = read("songs.txt", f"{TWO_SONGS}---\nFirst song!")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_read_into", None)
        second = read_all(tmp_path / "songs.txt")
        assert second.report == first.report
        assert list(second.songs) == list(first.songs)
    assert len(read("songs.txt", f"{TWO_SONGS}---\nthird song").songs) == 3
    assert len(read("songs.txt", "one two\n\nthree\n---\nfour", unit="stanza").songs) == 3


def test_a_reading_that_is_killed_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    file = tmp_path / "songs.txt"
    file.write_text("\n---\n".join(f"song number {n}\nwith words {n * 7}" for n in range(200_000)), encoding="utf-8")
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "cache")}
    code = f"from train.songs.reading import *; read_songs(DataConfig(data={str(file)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)  # noqa: S603
    while not list(tmp_path.glob("cache/lyrics/.reading-*/songs/songs.arrow")):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not [entry for entry in (tmp_path / "cache" / "lyrics").iterdir() if not entry.name.startswith(".")]


def test_every_kind_of_column_can_be_named() -> None:
    assert {f"{name}_column" for name in KNOWN_COLUMNS} <= set(DataConfig.model_fields)


def test_songs_that_rhyme_too_little_are_left_out_and_counted(read: Read) -> None:
    rhymed, half = "the long night\nthe strong light", "the night\na lamp of light\nthe sea\na stone"
    text = f"{rhymed}\n---\n{half}\n---\nthe sea\na stone"
    assert len(read("songs.txt", text).songs) == 3
    reading = read("songs.txt", text, min_rhyme=0.5)
    assert [song.lyric for song in reading.songs] == [rhymed, half]
    assert [str(problem).partition(": ")[2] for problem in reading.problems] == ["--min-rhyme leaves out 1"]
