"""Adapters: what PEFT saves is added to a base as PEFT itself would add it."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from model import CheckpointError
from model.checkpoint.architecture import Architecture
from model.checkpoint.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Checkpoint
from model.checkpoint.pretrained import load_pretrained
from model.checkpoint.weights import Weights
from tests.conftest import Family, save_tiny_checkpoint

IDS = torch.arange(1, 20)[None]


def save_tiny_adapter(
    folder: Path, family: Family, *, vocabulary: int | None = None, **settings: Any
) -> PreTrainedModel:
    """Write a base and an adapter on it, beside each other; return the model of the two as PEFT has it."""
    base = AutoModelForCausalLM.from_pretrained(save_tiny_checkpoint(folder / "base", family=family))
    if vocabulary is not None:
        base.resize_token_embeddings(vocabulary)
    config = LoraConfig(task_type="CAUSAL_LM", **({"target_modules": "all-linear"} | settings))
    adapted: Any = get_peft_model(base, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter), alpha=0.3)
    adapted.peft_config["default"].base_model_name_or_path = str(folder / "base")
    adapted.save_pretrained(folder / "adapter")
    AutoTokenizer.from_pretrained(folder / "base").save_pretrained(folder / "adapter")
    merged: PreTrainedModel = adapted.merge_and_unload()
    merged.eval()
    return merged


@pytest.mark.parametrize("family", get_args(Family))
@pytest.mark.parametrize(
    "settings",
    [
        {"r": 4, "lora_alpha": 9},
        {"r": 4, "use_rslora": True},
        {"r": 4, "rank_pattern": {"mlp.*": 2}, "alpha_pattern": {"mlp.*": 3}},
        {"r": 4, "trainable_token_indices": [3, 7]},
        {"r": 4, "bias": "lora_only"},
        {"r": 4, "vocabulary": 330},
    ],
    ids=["plain", "rslora", "patterns", "tokens", "biases", "grown"],
)
def test_an_adapter_is_merged_as_peft_merges_it(tmp_path: Path, family: Family, settings: dict[str, Any]) -> None:
    expected = save_tiny_adapter(tmp_path, family, **settings)

    checkpoint = Checkpoint.open(tmp_path / "adapter")
    model, _ = load_pretrained(checkpoint)

    torch.testing.assert_close(model(IDS).logits, expected(IDS).logits, atol=1e-5, rtol=1e-5)
    architecture = Architecture.read(checkpoint)
    tensors = dict(expected.named_parameters())
    prefix = architecture.names.prefix
    with Weights.open(checkpoint, architecture) as weights:
        for name, tensor in tensors.items():
            if name != "lm_head.weight":
                torch.testing.assert_close(weights.get(name.removeprefix(prefix), *tensor.shape), tensor.detach())


def test_a_base_is_found_as_seen_from_the_adapter(tmp_path: Path) -> None:
    save_tiny_adapter(tmp_path, "llama")
    change(tmp_path / "adapter" / ADAPTER_CONFIG, base_model_name_or_path="../base")

    assert Checkpoint.open(tmp_path / "adapter").weights.path.name == "base"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base_model_name_or_path": None}, "no checkpoint folder at 'None'|hub"),
        ({"use_dora": True}, "merge it into its base"),
        ({"peft_type": "IA3"}, "merge it into its base"),
    ],
)
def test_an_adapter_that_is_not_understood_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    save_tiny_adapter(tmp_path, "gpt2")
    change(tmp_path / "adapter" / ADAPTER_CONFIG, **changes)

    with pytest.raises(CheckpointError, match=reason):
        load_pretrained(Checkpoint.open(tmp_path / "adapter"))


def test_an_adapter_whose_weights_are_missing_is_refused(tmp_path: Path) -> None:
    save_tiny_adapter(tmp_path, "gpt2")
    (tmp_path / "adapter" / ADAPTER_WEIGHTS).unlink()

    with pytest.raises(CheckpointError, match="missing or cut short"):
        Checkpoint.open(tmp_path / "adapter")


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
