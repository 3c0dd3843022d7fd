"""Worlds to test the bot in: with the real engine, a gated one, and a checkpoint that knows header fields."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from model import LyricsService
from model.checkpoint.folder import METADATA_FILE
from tests.bot.world import World, checked
from tests.conftest import GatedEngine, make_metadata


@pytest.fixture
async def world(tmp_path: Path, tiny_checkpoint: Path) -> AsyncIterator[World]:
    """The bot over the reference engine and a checkpoint without ``lyrics.json``."""
    async with checked(tmp_path, LyricsService.from_checkpoint(tiny_checkpoint, max_queue=5)) as opened:
        yield opened


@pytest.fixture(scope="session")
def trained_checkpoint(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose ``lyrics.json`` says that it knows title and genre, and opens with a tag."""
    folder = tmp_path_factory.mktemp("checkpoints") / "trained"
    shutil.copytree(tiny_checkpoint, folder)
    metadata = make_metadata(header_fields=("title", "genre"), opening_tag="[Verse 1]")
    (folder / METADATA_FILE).write_text(metadata.model_dump_json(), encoding="utf-8")
    return folder


@pytest.fixture
async def trained_world(tmp_path: Path, trained_checkpoint: Path) -> AsyncIterator[World]:
    """The bot over the reference engine and a checkpoint that knows title and genre."""
    async with checked(tmp_path, LyricsService.from_checkpoint(trained_checkpoint, max_queue=5)) as opened:
        yield opened


@pytest.fixture
async def gated_world(tmp_path: Path, gated_engine: GatedEngine) -> AsyncIterator[World]:
    """The bot over an engine whose pace the test sets, with room for one request to wait."""
    async with checked(tmp_path, LyricsService(lambda: gated_engine, max_queue=1)) as opened:
        yield opened
        gated_engine.gate.set()
