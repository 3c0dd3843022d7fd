"""What helps with a folder that is no whole checkpoint, told by what lies in it. Needs no torch."""

import json
from collections.abc import Iterable
from pathlib import Path

_CONVERT = "convert them with: python -m train convert {path}"

_GPT2_VOCABULARY = 50_257

_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_OTHER_FRAMEWORKS = ("tf_model.h5", "flax_model.msgpack", "model.ckpt.index", "hparams.json")

_LFS_POINTER = b"version https://git-lfs"
_ADAPTED = (".lora_", "lora_A.", "lora_B.", ".base_layer.", ".modules_to_save.")
_WRAPPED = ("module.", "_orig_mod.")


def without_config(path: Path) -> str:
    """Return what is wrong with a folder that has no ``config.json``, and what helps."""
    if found := _inner_checkpoint(path):
        return f"The folder {path} is no checkpoint, but holds some: name the last, {found}."
    if _is_of_another_framework(path):
        return _other_framework(path)
    if any((path / name).is_file() for name in ("tokenizer.json", "vocab.json", "tokenizer.model")):
        return (
            f"The folder {path} has a tokenizer, but no model (no config.json and no model.safetensors): "
            "name the folder that the model was saved to, and copy the tokenizer there."
        )
    return f"The checkpoint {path} has no config.json: copy the whole folder again."


def without_tokenizer(path: Path) -> str:
    """Return what is wrong with a folder that has a model, but no tokenizer, and what helps."""
    missing = f"The checkpoint {path} has no tokenizer (tokenizer.json, or vocab.json with merges.txt): "
    if (path / "tokenizer.model").is_file():
        return f"{missing}make tokenizer.json of its tokenizer.model with: python -m train convert {path}"
    if _vocabulary(path) == _GPT2_VOCABULARY:
        return f"{missing}it is as large as GPT-2's, so copy tokenizer.json of openai-community/gpt2 into it."
    return f"{missing}copy the whole folder again, or those files of the model that it was trained from."


def without_weights(path: Path) -> str:
    """Return what is wrong with a folder that has no ``model.safetensors``, and what helps."""
    if any((path / name).is_file() for name in _PICKLED):
        return (
            f"The checkpoint {path} has pytorch_model.bin, but no model.safetensors (pickled weights are never "
            f"loaded): {_CONVERT.format(path=path)}"
        )
    if found := _inner_checkpoint(path):
        return f"The checkpoint {path} has no model.safetensors, but holds checkpoints: name the last, {found}."
    if _is_of_another_framework(path):
        return _other_framework(path)
    if variants := sorted(path.glob("model.*.safetensors")):
        return f"The checkpoint {path} has no model.safetensors, but {variants[0].name}: rename that one."
    return f"The checkpoint {path} has no model.safetensors: copy the file again."


def on_hub_without_weights(name: str) -> str:
    """Return what helps with a hub repository that has no safetensors."""
    return (
        f"The hub's {name} has no safetensors. If it has pytorch_model.bin, convert it with: "
        f"python -m train convert {name} --output checkpoints/{name.rpartition('/')[2]}"
    )


def of_unreadable_weights(file: Path, reason: object) -> str:
    """Return what is wrong with a file of weights that does not open, and what helps."""
    if file.is_file() and _first_bytes(file) == _LFS_POINTER:
        return f"{file} only points at the weights, which Git LFS keeps: get them with git lfs pull."
    return f"The weights {file} are missing or cut short ({reason}): copy the file again."


def of_names(path: Path, names: Iterable[str]) -> str | None:
    """Return what is wrong with weights of these names, and what helps; none where nothing is."""
    names = list(names)
    if any(part in name for name in names for part in _ADAPTED):
        return (
            f"The weights of {path} hold an adapter beside its base, which nobody merged: where it was trained, save "
            "with model.merge_and_unload().save_pretrained(FOLDER), or the adapter alone with "
            "model.save_pretrained(FOLDER), and name that folder."
        )
    if any(name.startswith(_WRAPPED) for name in names):
        return (
            f"The weights of {path} carry the names of what the model was wrapped in when it was saved "
            f"({next(name for name in names if name.startswith(_WRAPPED))}): {_CONVERT.format(path=path)}"
        )
    return None


def _first_bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(len(_LFS_POINTER))


def _inner_checkpoint(path: Path) -> Path | None:
    """Return the last of the checkpoints in a folder, by the number that a trainer gave them."""
    found = [config.parent for config in path.glob("*/config.json")]

    def number(folder: Path) -> tuple[int, str]:
        digits = folder.name.rpartition("-")[2]
        return (int(digits) if digits.isdecimal() else -1, folder.name)

    return max(found, key=number, default=None)


def _is_of_another_framework(path: Path) -> bool:
    return any((path / name).is_file() for name in _OTHER_FRAMEWORKS)


def _other_framework(path: Path) -> str:
    return (
        f"The weights of {path} are TensorFlow's or Flax's: save the model with safetensors by a version of "
        "transformers below 5 (from_pretrained(FOLDER, from_tf=True).save_pretrained(FOLDER), or from_flax=True; "
        "transformers convert for a folder with model.ckpt), then name that folder."
    )


def _vocabulary(path: Path) -> int | None:
    try:
        size = json.loads((path / "config.json").read_bytes()).get("vocab_size", _GPT2_VOCABULARY)
    except (ValueError, AttributeError):
        return None
    return size if isinstance(size, int) else None
