"""LoRA: small matrices beside frozen weights, merged into them when training is over."""

import warnings
from typing import Any, cast

from transformers import PreTrainedModel


def add_adapters(model: PreTrainedModel, *, rank: int, alpha: float, new_tokens: list[int]) -> PreTrainedModel:
    """Return ``model`` with all weights frozen but new adapters and the embeddings of ``new_tokens``."""
    # Slow to import.
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415

    # It says of every checkpoint that the embeddings, which have a row more, are in it too; and asks transformers
    # by an old name.
    warnings.filterwarnings("ignore", message="Setting `save_embedding_layers`")
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=cast("int", alpha),
        target_modules="all-linear",
        fan_in_fan_out=model.config.model_type == "gpt2",  # which keeps its weights transposed
        trainable_token_indices=new_tokens or None,
    )
    return cast("PreTrainedModel", get_peft_model(model, config))


def merge_adapters(model: Any) -> PreTrainedModel:
    """Return the plain model with the adapters of ``add_adapters`` added to its weights."""
    return cast("PreTrainedModel", model.merge_and_unload())
