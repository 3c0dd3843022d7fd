"""How long does ``check`` take on a folder of songs, beside opening and decoding its files, and beside reading them?

    python -m benchmarks.check CORPUS [--files 1000]

Writes the songs of CORPUS as a file each and times, each with an empty cache: the bytes of all files as text; the
songs without a look at what was never sung (``--no-clean`` still looks); the songs; the whole page of ``check``,
tokens by the starter included.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from model.song import Song
from train.commands.check import check
from train.config import CheckConfig, DataConfig
from train.songs.cleaning.cleaner import Cleaner
from train.songs.reading import read_songs

STARTER = Path(__file__).parents[1] / "model" / "starter"


def write_files(corpus: str, count: int, folder: Path) -> int:
    """Write songs as a file each, and return how many."""
    songs = list(read_songs(DataConfig(data=(corpus,))).songs)
    for number in range(count):
        song = songs[number % len(songs)]
        # Another last line makes another song of it, where the corpus has fewer than are wanted.
        (folder / f"{number:05}.txt").write_text(f"{song.header}\n{song.lyric}\nline {number}\n", encoding="utf-8")
    return count


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes with a cache of its own."""
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, {"HF_DATASETS_CACHE": cache}):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        return time.perf_counter() - start


def decode(folder: Path) -> None:
    """Read all files as text."""
    for path in folder.iterdir():
        path.read_text(encoding="utf-8").splitlines()


def read_plainly(folder: Path) -> None:
    """Read all songs without a look at what was never sung."""

    def keep(_: Cleaner, song: Song, place: str) -> Song:
        del place
        return song

    with mock.patch.object(Cleaner, "clean", keep):
        read_songs(DataConfig(data=(str(folder),)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--files", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{write_files(arguments.corpus, arguments.files, folder):,} files")
        config = CheckConfig(data=(name,), base=str(STARTER))
        works: dict[str, Callable[[], object]] = {
            "decoded": lambda: decode(folder),
            "read, not looked at": lambda: read_plainly(folder),
            "read": lambda: read_songs(DataConfig(data=(name,))),
            "checked": lambda: check(config),
        }
        for what, work in works.items():
            print(f"{what:20} {timed(work):6.2f} s")


if __name__ == "__main__":
    main()
