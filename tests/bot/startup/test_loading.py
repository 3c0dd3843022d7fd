"""Which model a start serves where ``checkpoints/current`` is no good."""

import logging
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.startup.loading import start_service
from model import CURRENT, STARTER, Checkpoint, CheckpointError, LyricsService
from tests.bot.discord_server import DiscordServer
from tests.conftest import GatedEngine


def link_current(folder: Path, target: Path) -> None:
    (folder / CURRENT.parent).mkdir()
    (folder / CURRENT).symlink_to(target, target_is_directory=True)


def cut_weights(checkpoint: Path, copy: Path) -> Path:
    shutil.copytree(checkpoint, copy)
    with (copy / "model.safetensors").open("r+b") as file:
        file.truncate(5000)
    return copy


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [(False, "There is no checkpoint folder at 'checkpoints/current'"), (True, "are missing or cut short")],
)
async def test_a_current_that_is_no_good_is_named_and_the_starter_served(
    damage: bool,  # noqa: FBT001 - a parameter of the test
    sentence: str,
    tiny_checkpoint: Path,
    tmp_path: Path,
) -> None:
    target = cut_weights(tiny_checkpoint, tmp_path / "cut") if damage else tmp_path / "gone"
    link_current(tmp_path, target)
    server = DiscordServer()
    async with server.serving():
        bot = await server.start_bot(tmp_path)
        await server.connected.wait()
        bot.send_signal(signal.SIGINT)
        _, error = await bot.communicate()
    said = error.decode()
    assert bot.returncode == 0
    assert "checkpoints/current cannot be served, so the starter is: " in said
    assert sentence in said
    assert f"Serving {STARTER}" in said


async def test_damage_that_shows_only_in_loading_is_no_different(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def serve(checkpoint: Checkpoint, **_: Any) -> LyricsService:
        def load() -> GatedEngine:
            if checkpoint.path != STARTER:
                raise CheckpointError("The tokenizer does not load.")
            return GatedEngine(checkpoint)

        return LyricsService(load, max_queue=1)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LyricsService, "from_checkpoint", serve)
    link_current(tmp_path, tiny_checkpoint)
    with caplog.at_level(logging.WARNING):
        service = await start_service(Config())
    assert service.checkpoint.path == STARTER
    assert caplog.messages == ["checkpoints/current cannot be served, so the starter is: The tokenizer does not load."]
    await service.close()


async def test_a_model_that_the_host_named_has_no_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="There is no checkpoint folder at"):
        await start_service(Config(model="nowhere/at/all"))
