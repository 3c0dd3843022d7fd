"""What is written of a run that ended: the model, the tokenizer, and how they were made."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from model.checkpoint.folder import METADATA_FILE, Metadata
from model.sampling.params import SamplingParams
from train.config import SCRATCH_ONLY, FitConfig
from train.songs.split import Split

MAX_SHARD_SIZE = "15MB"
"""Small enough for any host of git repositories."""

_NOT_RECORDED = {"data", "output", "base", "workers", "resume", "progress", "log_steps"}
"""Settings that teach nothing, or stand in a field of their own; older checkpoints have some of them."""


def save_model(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, dtype: Literal["float32", "float16"]
) -> None:
    """Write a model as transformers loads it, with the bot's sampling as its own."""
    model.generation_config = _generation_config(tokenizer)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=MAX_SHARD_SIZE)
    _save_tokenizer(folder, tokenizer)


def save_adapter(folder: Path, model: Any, tokenizer: PreTrainedTokenizerBase, base: str) -> None:
    """Write LoRA's adapters as PEFT loads them, in float16, with the name of the base that they are to be added to.

    Args:
        folder: Where to write.
        model: PEFT's model, whose adapters become float16.
        tokenizer: Written beside them.
        base: What the run was told to start from; a folder is named in full.
    """
    path = Path(base).expanduser()
    model.peft_config["default"].base_model_name_or_path = str(path.resolve()) if path.is_dir() else base
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.half()
    # The embeddings are the base's: PEFT would ask the hub whether they are.
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()  # A form to fill in.
    _generation_config(tokenizer).save_pretrained(folder)
    _save_tokenizer(folder, tokenizer)


def _generation_config(tokenizer: PreTrainedTokenizerBase) -> GenerationConfig:
    defaults = SamplingParams()
    return GenerationConfig(
        do_sample=True,
        temperature=defaults.temperature,
        top_k=defaults.top_k,
        top_p=defaults.top_p,
        repetition_penalty=defaults.repetition_penalty,
        max_new_tokens=defaults.max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _save_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.save_pretrained(folder)
    # safetensors makes its files for the owner alone, but the bot may well run as another user.
    for weights in folder.glob("*.safetensors"):
        shutil.copymode(folder / "tokenizer_config.json", weights)


def describe_run(config: FitConfig, split: Split) -> Metadata:
    """Return what is known of the checkpoint before it is measured."""
    unused = _NOT_RECORDED if config.from_scratch else _NOT_RECORDED | SCRATCH_ONLY
    settings: dict[str, Any] = config.model_dump(mode="json", exclude=unused)
    return Metadata(
        base="scratch" if config.from_scratch else Path(config.base).name,
        data_fingerprint=split.fingerprint,
        training=settings | {"data": ", ".join(Path(name).name for name in config.data), "songs": len(split.train)},
        evaluation={},
        header_fields=split.header_fields,
        header_values=split.header_values,
        opening_tag=split.opening_tag,
        penalizes="words" if split.has_stanzas else "tokens",
        choruses_return=split.choruses_return,
        has_stanzas=split.has_stanzas,
        unit="line" if split.has_single_lines else "stanza" if config.unit == "stanza" else "song",
        created=datetime.now(UTC),
    )


def write_metadata(folder: Path, metadata: Metadata) -> None:
    """Write what is known of a checkpoint into its folder."""
    (folder / METADATA_FILE).write_text(metadata.model_dump_json(indent=2) + "\n", encoding="utf-8")
