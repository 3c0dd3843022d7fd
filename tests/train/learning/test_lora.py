"""Adapters instead of whole weights; each run is a tiny model on the CPU."""

from pathlib import Path

import pytest
import torch

from tests.conftest import save_tiny_checkpoint
from tests.train.conftest import write_shuffled_songs
from tests.train.learning.test_loop import config, cut_power, metadata, weights
from train.commands.fit import fit


@pytest.fixture
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shuffled_songs(tmp_path_factory.mktemp("data") / "songs.txt", count=42, num_lines=5)


def test_lora_goes_on_and_saves_a_plain_checkpoint(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_tiny_checkpoint(tmp_path / "base", start_token=None)
    settings = config(songs, base, tmp_path / "out", lora_rank=4, epochs=3, learning_rate=1e-2, progress="none")
    fit(settings, tmp_path / "current")
    again = settings.model_copy(update={"output": tmp_path / "again"})
    cut_power(again, monkeypatch)
    fit(again.model_copy(update={"resume": True}), tmp_path / "current")
    assert metadata(tmp_path / "again").evaluation == pytest.approx(metadata(tmp_path / "out").evaluation, rel=1e-6)
    before, after = weights(base), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    assert not torch.allclose(before["transformer.h.0.attn.c_attn.weight"], after["transformer.h.0.attn.c_attn.weight"])
    rows = len(before["transformer.wte.weight"])
    torch.testing.assert_close(before["transformer.wte.weight"], after["transformer.wte.weight"][:rows])
    assert metadata(tmp_path / "out").evaluation["eval_loss"] < 5.7


def test_lora_learns_with_muon_with_new_tokens_and_without(songs: Path, tmp_path: Path) -> None:
    base = save_tiny_checkpoint(tmp_path / "base", start_token=None)
    changes = {"optimizer": "muon", "lora_rank": 4, "epochs": 2, "learning_rate": 1e-2, "progress": "none"}
    for output in (tmp_path / "first", tmp_path / "second"):
        fit(config(songs, base, output, **changes), tmp_path / "current")
        before, after = (weights(folder)["transformer.h.0.attn.c_attn.weight"] for folder in (base, output))
        assert not torch.allclose(before, after)
        base = output
    losses = [metadata(tmp_path / name).evaluation["eval_loss"] for name in ("first", "second")]
    assert losses[1] < losses[0] < 5.7
