"""What is wrong with a checkpoint is told when it is loaded, and what was chosen stands in the log."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import Checkpoint, CheckpointError, EngineOptions
from model.checkpoint.architecture import Architecture
from model.checkpoint.pretrained import load_pretrained
from model.checkpoint.weights import Weights
from model.engines.choice import load_engine
from model.network.gpu import GpuNetwork
from tests.model.checkpoint.foreign import save, word_level

FLOAT32 = EngineOptions(precision="float32", max_batch=3)


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


def log_of(folder: Path, caplog: pytest.LogCaptureFixture, options: EngineOptions = FLOAT32) -> logging.LogRecord:
    with caplog.at_level(logging.INFO):
        load_engine(Checkpoint.open(folder), options)
    (record,) = (record for record in caplog.records if record.name == "model.engines.self_check")
    return record


def test_a_line_of_the_log_says_what_was_loaded_and_why(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = log_of(checkpoint, caplog)
    assert record.levelno == logging.INFO
    assert record.getMessage() == (
        "copy: gpt2; songs open with '<|startoftext|>' (320) and close with '<|endoftext|>' (0); 321 tokens; "
        "all weights finite; float32, as PRECISION says; up to 3 songs side by side"
    )


def test_the_line_gives_the_reason_of_a_precision_that_was_left_open(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "the fastest of this cpu" in log_of(checkpoint, caplog, EngineOptions()).getMessage()


def test_tokens_that_the_model_does_not_know_are_a_warning(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = checkpoint / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    added = tokenizer["added_tokens"][-1] | {"id": 321, "content": "guitarra", "special": False}
    tokenizer["added_tokens"].append(added)
    file.write_text(json.dumps(tokenizer))
    record = log_of(checkpoint, caplog)
    assert record.levelno == logging.WARNING
    assert "322 tokens, of which the model does not know 'guitarra': they are read as plain text" in record.getMessage()


def test_ids_that_are_no_tokens_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    message = log_of(save(tmp_path / "padded", word_level(), padding=7), caplog).getMessage()
    assert "and 7 ids of the model that are none and are never drawn" in message
    assert "open with '<s>' (1) and close with '</s>' (2)" in message


def spoil(folder: Path, value: float) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["transformer.h.1.mlp.c_fc.weight"][3, 5] = value
    save_file(tensors, file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_at_the_start(checkpoint: Path, value: float) -> None:
    spoil(checkpoint, value)
    with pytest.raises(CheckpointError, match=r"h\.1\.mlp\.c_fc\.weight holds NaN or infinity"):
        load_engine(Checkpoint.open(checkpoint), FLOAT32)
    with pytest.raises(CheckpointError, match=r"h\.1\.mlp\.c_fc\.weight holds NaN or infinity"):
        load_pretrained(Checkpoint.open(checkpoint))


def test_weights_that_are_too_large_for_the_precision_are_refused_at_the_start(checkpoint: Path) -> None:
    spoil(checkpoint, 1e6)
    opened = Checkpoint.open(checkpoint)
    load_pretrained(opened)
    with (
        Weights.open(opened, Architecture.read(opened), dtype=torch.float16) as weights,
        pytest.raises(CheckpointError, match=r"too large for torch\.float16: set PRECISION=float32"),
    ):
        GpuNetwork(weights)


def test_a_model_that_gives_no_numbers_is_refused_at_the_start(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    tensors = load_file(file)
    tensors["transformer.ln_f.weight"].fill_(3e38)
    tensors["transformer.wte.weight"] *= 1e3
    save_file(tensors, file)
    with pytest.raises(CheckpointError, match="no usable numbers in float32"):
        load_engine(Checkpoint.open(checkpoint), FLOAT32)


def test_the_newer_names_of_a_configuration_are_taken(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = checkpoint / "config.json"
    config = json.loads(file.read_text())
    newer = {"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"}
    newer["n_positions"] = "max_position_embeddings"
    file.write_text(json.dumps({newer.get(name, name): value for name, value in config.items()}))
    assert log_of(checkpoint, caplog).getMessage().startswith("copy: gpt2;")
