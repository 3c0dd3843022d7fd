"""Known songs in any mix of encodings, line ends, separators and quoting read back as they are, or are refused."""

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.song import Song
from tests.train.known_songs import ACCENTED, SONGS, keep, plain
from train.config import DataConfig
from train.songs.problems import DataError
from train.songs.reading import read_songs

ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"),
    *("cp1252", "latin-1", "iso8859-15", "mac_roman", "cp850", "cp437", "cp1250", "cp1254"),
)
LINE_ENDS = ("\n", "\r\n", "\r", "\r\r\n")
SEPARATORS = ("---", "=====", "* * *", "<|endoftext|>", "\n---\n", "\n", "_" * 30)
KNOWN = (*SONGS, *ACCENTED)

shapes = st.sampled_from(("text", "table", "json lines", "json"))


def as_table(songs: Sequence[Song], delimiter: str, quoting: int, *, doubled: bool) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=delimiter,
        quoting=quoting,  # type: ignore[arg-type]
        doublequote=doubled,
        escapechar=None if doubled else "\\",
        lineterminator="\n",
    )
    writer.writerows([("title", "artist", "lyrics"), *((s.header.title, s.header.artist, s.lyric) for s in songs)])
    return file.getvalue()


def is_writable(text: str, encoding: str) -> bool:
    """Return whether an encoding has every character of a text."""
    return text == text.encode(encoding, errors="replace").decode(encoding).removeprefix("\ufeff")


@st.composite
def written(draw: st.DrawFn) -> tuple[list[Song], str, bytes]:
    """Draw songs, the name of a file and its bytes."""
    songs = draw(st.lists(st.sampled_from(KNOWN), min_size=3, max_size=7, unique=True))
    shape = draw(shapes)
    line_end = draw(st.sampled_from(LINE_ENDS))
    if shape == "text":
        text = f"\n{draw(st.sampled_from(SEPARATORS))}\n".join(f"{song.header}\n{song.lyric}" for song in songs)
        name = draw(st.sampled_from(("songs.txt", "songs", "songs.md")))
    elif shape == "table":
        quoting = draw(st.sampled_from((csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC)))
        doubled = draw(st.booleans()) or quoting == csv.QUOTE_MINIMAL
        text = as_table(songs, draw(st.sampled_from(",;\t|")), quoting, doubled=doubled)
        name = "songs.csv"
    else:
        rows = [dict(song.header.items()) | {"lyrics": song.lyric} for song in songs]
        ascii_only = draw(st.booleans())
        dumped = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
        text = "\n".join(dumped) if shape == "json lines" else f"[{', '.join(dumped)}]"
        name = draw(st.sampled_from(("songs.json", "songs.jsonl")))
    encoding = draw(st.sampled_from([name for name in ENCODINGS if is_writable(text, name)]))
    content = text.replace("\n", line_end).encode(encoding)
    packed = draw(st.booleans())
    return songs, f"{name}.gz" if packed else name, gzip.compress(content) if packed else content


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(written())
def test_songs_read_back_or_are_refused(drawn: tuple[list[Song], str, bytes]) -> None:
    songs, name, content = drawn
    fields = ("title", "artist") if "csv" in name else ("title", "artist", "genre")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            reading = read_songs(DataConfig(data=(str(path),)))
        except DataError:
            return
    assert plain(reading.songs) == keep(songs, *fields)
