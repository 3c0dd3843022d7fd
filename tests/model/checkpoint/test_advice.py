"""A folder that is no whole checkpoint is refused with what helps."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import Checkpoint, CheckpointError
from model.checkpoint.folder import weight_files
from model.checkpoint.pretrained import load_pretrained


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(path)
    return str(caught.value)


def rename_weights(checkpoint: Path, prefix: str) -> None:
    file = checkpoint / "model.safetensors"
    save_file({f"{prefix}{name}": tensor for name, tensor in load_file(file).items()}, file)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_pickled_weights_are_to_be_converted(checkpoint: Path, name: str) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / name)
    assert f"python -m train convert {checkpoint}" in refusal(checkpoint)


@pytest.mark.parametrize("has_config", [True, False])
def test_the_last_checkpoint_of_a_trainers_folder_is_named(checkpoint: Path, *, has_config: bool) -> None:
    for steps in (500, 1500, 1000):
        shutil.copytree(checkpoint, checkpoint / f"checkpoint-{steps}", ignore=shutil.ignore_patterns("checkpoint-*"))
    (checkpoint / "model.safetensors").unlink()
    if not has_config:
        (checkpoint / "config.json").unlink()
    assert f"name the last, {checkpoint / 'checkpoint-1500'}" in refusal(checkpoint)


def test_a_lone_tokenizer_is_called_one(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "config.json").unlink()
    assert "has a tokenizer, but no model" in refusal(checkpoint)


def test_a_model_without_a_tokenizer_is_told_where_one_is(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").unlink()
    assert "files of the model that it was trained from" in refusal(checkpoint)
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": 50_257}))
    assert "copy tokenizer.json of openai-community/gpt2" in refusal(checkpoint)
    (checkpoint / "tokenizer.model").write_bytes(b"")
    assert f"python -m train convert {checkpoint}" in refusal(checkpoint)


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack"])
def test_weights_of_another_framework_are_called_so(checkpoint: Path, name: str) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / name)
    assert "TensorFlow's or Flax's" in refusal(checkpoint)


def test_a_variant_of_the_weights_is_named(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "model.fp16.safetensors")
    assert "model.fp16.safetensors: rename that one" in refusal(checkpoint)


def test_a_pointer_of_git_lfs_is_called_one(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert "git lfs pull" in refusal(checkpoint)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_names_of_a_wrapped_model_are_to_be_converted(checkpoint: Path, prefix: str) -> None:
    rename_weights(checkpoint, prefix)
    assert f"python -m train convert {checkpoint}" in refusal(checkpoint)


def test_an_adapter_that_nobody_merged_is_to_be_merged_where_it_was_trained(checkpoint: Path) -> None:
    file = checkpoint / "model.safetensors"
    name = "base_model.model.transformer.h.0.attn.c_attn.lora_A.default.weight"
    save_file(load_file(file) | {name: torch.zeros(4, 32)}, file)
    assert "merge_and_unload()" in refusal(checkpoint)


def test_of_a_stale_index_and_one_file_it_is_the_file(checkpoint: Path) -> None:
    stale = {"weight_map": {"transformer.wte.weight": "model-00001-of-00002.safetensors"}}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(stale))
    opened = Checkpoint.open(checkpoint)
    assert weight_files(opened.path) == [checkpoint / "model.safetensors"]
    assert load_pretrained(opened)[0].config.n_layer == 2


def test_a_quantized_checkpoint_without_its_library_says_what_is_needed(checkpoint: Path) -> None:
    file = checkpoint / "config.json"
    quantized = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    file.write_text(json.dumps(json.loads(file.read_text()) | quantized))
    with pytest.raises(CheckpointError, match="needs a library that is not installed"):
        load_pretrained(Checkpoint.open(checkpoint))
