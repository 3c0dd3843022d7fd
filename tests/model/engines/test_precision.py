"""Which precision a checkpoint is served in, and what it goes by."""

import json
from pathlib import Path

import pytest
import torch

from model import Checkpoint, SettingsError
from model.checkpoint.architecture import Architecture
from model.checkpoint.tokenizer import SongTokenizer
from model.checkpoint.weights import CPU
from model.engines import precision
from model.engines.precision import choose_precision, measure_rise, outlier_sample, rise_key
from model.network.cpu_linear import fastest_precision
from tests.conftest import make_metadata, save_tiny_checkpoint

needs_int8 = pytest.mark.skipif(fastest_precision(CPU) != "int8", reason="needs FBGEMM")


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of what is remembered, which is not there yet."""
    monkeypatch.setattr(precision, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "precision.json"


def choose(checkpoint: Checkpoint, wanted: str = "auto") -> tuple[str, str]:
    return choose_precision(checkpoint, SongTokenizer.load(checkpoint), wanted, CPU)


def recorded(folder: Path, **evaluation: float) -> Checkpoint:
    (folder / "lyrics.json").write_text(make_metadata(evaluation=evaluation).model_dump_json())
    return Checkpoint.open(folder)


def test_the_host_decides_within_what_the_machine_knows(tiny_checkpoint: Path) -> None:
    checkpoint = Checkpoint.open(tiny_checkpoint)
    assert choose(checkpoint, "float32") == ("float32", "as PRECISION says")
    with pytest.raises(SettingsError, match=r"PRECISION is bfloat16, but this machine's cpu knows .*float32"):
        choose(checkpoint, "bfloat16")


def test_a_processor_without_fbgemm_computes_in_float32(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fastest_precision", lambda _: "float32")
    checkpoint = Checkpoint.open(tiny_checkpoint)
    assert choose(checkpoint)[0] == "float32"
    with pytest.raises(SettingsError, match="PRECISION is int8"):
        choose(checkpoint, "int8")


@needs_int8
@pytest.mark.parametrize(
    ("rise", "choice"),
    [
        (0.004, ("int8", "the fastest of this cpu, and the perplexity +0.4% by it")),
        (0.034, ("float16", "since int8 would raise the perplexity by 3.4%")),
    ],
)
def test_what_training_recorded_of_int8_decides(
    rise: float, choice: tuple[str, str], tmp_path: Path, remembered: Path
) -> None:
    assert choose(recorded(save_tiny_checkpoint(tmp_path / "tiny"), **{rise_key(): rise})) == choice
    assert not remembered.exists()


@needs_int8
def test_without_a_record_int8_is_measured_once_for_each_state_of_a_checkpoint(
    tmp_path: Path, remembered: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder = save_tiny_checkpoint(tmp_path / "tiny")
    for _ in range(2):
        assert choose(Checkpoint.open(folder))[0] == "int8"
    assert caplog.text.count("Measuring what int8 costs tiny, once") == 1
    (rise,) = json.loads(remembered.read_text()).values()
    assert 0 <= rise < 0.001
    save_tiny_checkpoint(folder, family="llama")
    choose(Checkpoint.open(folder))
    assert len(json.loads(remembered.read_text())) == 2


@needs_int8
def test_what_cannot_be_remembered_is_measured_at_every_start(
    tmp_path: Path, remembered: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remembered.parent.write_text("no folder")
    assert choose(Checkpoint.open(save_tiny_checkpoint(tmp_path / "tiny")))[0] == "int8"
    assert "precision.json could not be written" in caplog.text


@needs_int8
def test_the_rise_is_that_of_the_perplexity(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Network:
        def __init__(self, logits: list[float]) -> None:
            self.logits = torch.tensor(logits)

        def read(self, ids: list[int]) -> torch.Tensor:
            return self.logits.expand(len(ids), 2)

    # Token 1 is foreseen with 1/2 by the one, and with 1/4 by the other.
    networks = Network([0.0, 0.0]), Network([3.0, 1.0])
    monkeypatch.setattr(networks[1], "logits", networks[1].logits.log())
    monkeypatch.setattr(precision, "_open_both", lambda *_: networks)
    checkpoint = Checkpoint.open(tiny_checkpoint)
    assert measure_rise(checkpoint, SongTokenizer.load(checkpoint), [[0, 1, 1]]) == pytest.approx(1.0)


def test_a_model_that_lacks_tokens_of_the_text_has_no_sample(tiny_checkpoint: Path) -> None:
    checkpoint = Checkpoint.open(tiny_checkpoint)
    tokenizer = SongTokenizer.load(checkpoint)
    assert len(outlier_sample(tokenizer, Architecture.read(checkpoint))) > 50
    assert outlier_sample(tokenizer, Architecture.of({"model_type": "gpt2", "vocab_size": 5})) == []
