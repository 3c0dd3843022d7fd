import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model import Checkpoint
from train.__main__ import main

State = dict[str, torch.Tensor]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy without safetensors."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))
    (folder / "model.safetensors").unlink()
    return folder


@pytest.fixture
def state(tiny_checkpoint: Path) -> State:
    """The weights, as a training program has them: with the head, which is the embedding."""
    state = load_file(tiny_checkpoint / "model.safetensors")
    return state | {"lm_head.weight": state["transformer.wte.weight"]}


def convert(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["train", "convert", *map(str, arguments)])
    return main()


def prefixed(prefix: str) -> Callable[[State], object]:
    return lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "save",
    [
        prefixed(""),
        prefixed("module."),
        prefixed("_orig_mod."),
        prefixed("_orig_mod.module."),
        lambda state: {name.replace("transformer.h", "transformer._orig_mod.h"): state[name] for name in state},
        lambda state: {name.removeprefix("transformer."): state[name] for name in state},
        lambda state: {"epoch": 3, "model_state_dict": state},
    ],
)
def test_pickled_weights_become_safetensors(
    save: Callable[[State], object], checkpoint: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(save(state), checkpoint / "pytorch_model.bin")
    before = {file: file.read_bytes() for file in checkpoint.iterdir()}
    assert convert(monkeypatch, checkpoint) == 0
    made = load_file(Checkpoint.open(checkpoint).path / "model.safetensors")
    assert made.keys() == state.keys() - {"lm_head.weight"}
    assert all(torch.equal(tensor, state[name]) for name, tensor in made.items())
    assert {file: file.read_bytes() for file in before} == before
    assert sorted(checkpoint.iterdir()) == sorted([*before, checkpoint / "model.safetensors"])


def test_shards_are_read_and_half_precision_stays(
    checkpoint: Path, state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shards: tuple[State, State] = ({}, {})
    for number, (name, tensor) in enumerate(state.items()):
        shards[number % 2][name] = tensor.half()
    for number, shard in enumerate(shards):
        torch.save(shard, checkpoint / f"pytorch_model-{number}.bin")
    weight_map = {name: f"pytorch_model-{number}.bin" for number, shard in enumerate(shards) for name in shard}
    (checkpoint / "pytorch_model.bin.index.json").write_text(
        f'{{"weight_map": {str(weight_map).replace(chr(39), chr(34))}}}'
    )
    assert convert(monkeypatch, checkpoint, "--output", tmp_path / "new") == 0
    made = load_file(Checkpoint.open(tmp_path / "new").path / "model.safetensors")
    assert {tensor.dtype for tensor in made.values()} == {torch.float16}
    assert not (tmp_path / "new" / "pytorch_model.bin.index.json").exists()
    assert not (checkpoint / "model.safetensors").exists()


def test_wrapped_safetensors_are_written_anew(
    tiny_checkpoint: Path, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "wrapped"))
    state.pop("lm_head.weight")
    save_file({f"module.{name}": tensor for name, tensor in state.items()}, folder / "model.safetensors")
    assert convert(monkeypatch, folder) == 0
    assert load_file(folder / "model.safetensors").keys() == state.keys()
    Checkpoint.open(folder)


class Mischief:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (Path("mischief"),)  # type: ignore[return-value]


def test_a_pickle_that_holds_more_than_tensors_is_not_run(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (checkpoint / "pytorch_model.bin").write_bytes(pickle.dumps({"wte.weight": Mischief()}))
    assert convert(monkeypatch, checkpoint) == 2
    assert "holds more than tensors" in capsys.readouterr().err
    assert not (tmp_path / "mischief").exists()
    assert sorted(file.name for file in checkpoint.iterdir() if "safetensors" in file.name) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state | {"h.0.attn.c_attn.lora_A.default.weight": torch.zeros(2)}, "merge_and_unload"),
        (lambda state: {name: tensor for name, tensor in state.items() if ".h.1." not in name}, "lack transformer.h.1"),
        (lambda state: state | {"transformer.wte.weight": torch.zeros(3, 3)}, "are not those of its config.json"),
        (lambda _: [1, 2], "no weights by their names"),
    ],
)
def test_what_is_no_whole_model_is_refused(
    change: Callable[[State], object],
    sentence: str,
    checkpoint: Path,
    state: State,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.save(change(state), checkpoint / "pytorch_model.bin")
    before = sorted(checkpoint.iterdir())
    assert convert(monkeypatch, checkpoint) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(checkpoint.iterdir()) == before


def test_a_hub_id_needs_a_folder_to_write_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("train.commands.convert.download", lambda *_: tmp_path)
    assert convert(monkeypatch, "someone/songs") == 2
    assert "--output FOLDER" in capsys.readouterr().err
