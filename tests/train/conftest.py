"""Every test of training keeps its caches to itself, and reads songs that were just written."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.song import Header, Song
from tests.conftest import VERSES
from train.config import DataConfig
from train.songs.reading import Reading, read_songs


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("HF_DATASETS_CACHE", str(folder))
        yield folder / "lyrics"


def write_shuffled_songs(file: Path, *, count: int, num_lines: int | None = None) -> Path:
    """Write songs of the same words, which are shuffled: songs that are nearly the same are not split apart."""
    lines = [line for verse in VERSES for line in verse.splitlines()][:num_lines]
    rng = random.Random(1)  # noqa: S311
    lyrics = ["\n".join(" ".join(rng.sample(line.split(), 4)) for line in lines) for _ in range(count)]
    songs = [Song(Header(title=f"Song {n}", mood="calm"), lyric) for n, lyric in enumerate(lyrics)]
    file.write_text("\n".join(map(str, songs)), encoding="utf-8")
    return file


Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write one file and read it; further arguments are settings."""

    def write_and_read(name: str, content: str | bytes, **settings: object) -> Reading:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_songs(DataConfig.model_validate({"data": file} | settings))

    return write_and_read
