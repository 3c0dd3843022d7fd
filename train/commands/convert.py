"""``convert``: makes safetensors, which the bot and training read, of the weights that a folder has."""

import json
import pickle
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from model.checkpoint import advice
from model.checkpoint.folder import Checkpoint, download, weight_files
from model.errors import CheckpointError
from model.paths import expand_home
from train.config import ConvertConfig

_HUB_FILES = ["*.json", "*.txt", "pytorch_model*.bin", "tokenizer.model"]
_KEPT = ("*.json", "*.txt", "tokenizer.model")
"""What is copied where the result goes to a folder of its own."""

_STATE_KEYS = ("state_dict", "model_state_dict", "model")
"""Where training programs keep the weights within what they save."""

_WRAPPING = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod)\.")
"""What DistributedDataParallel and torch.compile put into names."""


def convert(config: ConvertConfig) -> None:
    """Write ``model.safetensors``, and ``tokenizer.json`` where it is missing; what was there stays.

    Raises:
        CheckpointError: Where the weights cannot be read, or are no whole model.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    source = expand_home(config.folder)
    if not source.is_dir():
        source = download(config.folder, _HUB_FILES)
        if config.output is None:
            raise CheckpointError(f"{config.folder} is no folder here: say where the result goes with --output FOLDER.")
    if config.output is not None and config.output.exists():
        raise CheckpointError(f"{config.output} is there already: name a new folder, or move it away.")
    model = _load(source)
    target = config.output or source
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".convert-") as scratch:
        made = Path(scratch, "made")
        _write(model, source, made)
        if config.output is None:
            _move_files(made, target)
        else:
            _copy_rest(source, made)
            made.rename(target)
    Checkpoint.open(target)
    print(f"{target}: {model.num_parameters() / 1e6:.1f} M parameters, as safetensors")


def _load(folder: Path) -> PreTrainedModel:
    """Return the model of a folder, whatever its weights lie in and are called."""
    if not (folder / "config.json").is_file():
        raise CheckpointError(advice.without_config(folder))
    state = {_WRAPPING.sub("", name): tensor for name, tensor in _read_state(folder).items()}
    if wrong := advice.of_names(folder, state):
        raise CheckpointError(wrong)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            kind: Any = type(AutoModelForCausalLM.from_config(config))
        dtype = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), torch.float32)
        model, loading = kind.from_pretrained(
            None, config=config, state_dict=state, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise CheckpointError(
            f"The weights of {folder} are not those of its config.json: {str(error).strip().partition(chr(10))[0]}"
        ) from error
    if missing := sorted(loading["missing_keys"]):
        raise CheckpointError(
            f"The weights of {folder} lack {missing[0]} and {len(missing) - 1} more, which its config.json names: "
            "look for the file that has them."
        )
    loaded: PreTrainedModel = model
    return loaded


def _read_state(folder: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a folder by their names, without running what a pickle may hold."""
    index = folder / "pytorch_model.bin.index.json"
    if index.is_file():
        files = [folder / shard for shard in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]
    elif (folder / "pytorch_model.bin").is_file():
        files = [folder / "pytorch_model.bin"]
    else:
        files = weight_files(folder)
    return {name: tensor for file in files for name, tensor in _read_file(file).items()}


def _read_file(file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{file} holds more than tensors, or is damaged. It is not read, since it could run any program: save the "
            "model's state_dict() alone, or with save_pretrained, where it was trained."
        ) from error
    except (OSError, RuntimeError, EOFError) as error:
        raise CheckpointError(advice.of_unreadable_weights(file, error)) from error
    state = state if isinstance(state, dict) else {}
    for key in _STATE_KEYS:
        if isinstance(state.get(key), dict):
            state = state[key]
    tensors = {name: tensor for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}
    if not tensors:
        raise CheckpointError(f"{file} holds no weights by their names: name the folder of a model's state_dict().")
    return tensors


def _write(model: PreTrainedModel, source: Path, made: Path) -> None:
    """Write the weights, and the tokenizer where the source has none that is read without a library of its own."""
    model.save_pretrained(made)
    for file in made.glob("*.json"):
        if file.name != "model.safetensors.index.json":
            file.unlink()
    # safetensors makes its files for the owner alone, but the bot may well run as another user.
    for weights in made.glob("*.safetensors"):
        shutil.copymode(source / "config.json", weights)
    if (source / "tokenizer.model").is_file() and not (source / "tokenizer.json").is_file():
        try:
            AutoTokenizer.from_pretrained(source, trust_remote_code=False).save_pretrained(made)
        except (OSError, ValueError, ImportError) as error:
            raise CheckpointError(
                f"{source / 'tokenizer.model'} does not load ({str(error).strip().partition(chr(10))[0]}): "
                "pip install sentencepiece protobuf, then try again."
            ) from error


def _move_files(made: Path, target: Path) -> None:
    for file in sorted(made.iterdir()):
        file.replace(target / file.name)


def _copy_rest(source: Path, made: Path) -> None:
    for file in (file for pattern in _KEPT for file in source.glob(pattern)):
        if not (made / file.name).exists() and ".index." not in file.name:
            shutil.copyfile(file, made / file.name)
