"""Adapters instead of whole weights; each run is a tiny model on the CPU."""

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from model import Checkpoint
from tests.conftest import save_tiny_checkpoint
from tests.train.conftest import write_shuffled_songs
from tests.train.learning.test_loop import config, cut_power, metadata, weights
from train.commands.fit import fit
from train.learning.loop import describe_duration


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


def test_a_llama_learns_whole_and_by_adapters(songs: Path, tmp_path: Path) -> None:
    base = save_tiny_checkpoint(tmp_path / "base", family="llama")
    changes = {"learning_rate": 1e-2, "progress": "none", "samples": 0}
    for name, more in (
        ("whole", {"lora_rank": 0, "optimizer": "muon"}),
        ("merged", {"lora_rank": 4}),
        ("kept", {"lora_rank": 4, "keep_adapter": True}),
    ):
        fit(config(songs, base, tmp_path / name, **changes, **more), tmp_path / "current")
    losses = {name: metadata(tmp_path / name).evaluation["loss"] for name in ("whole", "merged", "kept")}
    untaught = math.log(len(AutoTokenizer.from_pretrained(base)))
    assert all(loss < untaught for loss in losses.values()), losses
    # The merged weights are the base's own, in float32, with what was learnt in bfloat16 steps.
    assert losses["kept"] == pytest.approx(losses["merged"], abs=0.01)


def test_a_kept_adapter_is_served_with_its_base(songs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base = save_tiny_checkpoint(tmp_path / "base", start_token=None)  # one token for start and end, as GPT-2 has it
    settings = config(songs, base, tmp_path / "out", keep_adapter=True, learning_rate=1e-2)
    with caplog.at_level("INFO"):
        fit(settings, tmp_path / "current")

    checkpoint = Checkpoint.open(tmp_path / "out")
    assert checkpoint.weights.path == base
    assert {file.name for file in checkpoint.path.iterdir()} >= {"adapter_config.json", "lyrics.json", "tokenizer.json"}
    assert not (checkpoint.path / "config.json").exists()
    assert "to learn on this CPU" in caplog.text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 seconds"), (119, "119 seconds"), (1500, "25 minutes"), (9e3, "2 hours")]
)
def test_durations_are_said_in_a_fitting_unit(seconds: float, text: str) -> None:
    assert describe_duration(seconds) == text
