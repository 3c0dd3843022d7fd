"""Every test of training keeps its caches to itself, and reads songs that were just written."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from train.config import DataConfig
from train.reading import Reading, read_songs


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("HF_DATASETS_CACHE", str(folder))
        yield folder / "lyrics"


Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write one file and read it; further arguments are settings."""

    def write_and_read(name: str, content: str | bytes, **settings: object) -> Reading:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_songs(DataConfig.model_validate({"data": file} | settings))

    return write_and_read
