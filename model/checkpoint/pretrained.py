"""From a checkpoint folder to a model and a tokenizer in memory."""

from typing import cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from model.checkpoint.folder import Checkpoint
from model.errors import CheckpointError
from model.song import BOS_TOKEN, EOS_TOKEN


def load_pretrained(
    checkpoint: Checkpoint, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a checkpoint's causal language model and tokenizer from safetensors, never with remote code.

    Raises:
        CheckpointError: Where transformers cannot make a whole model of the folder.
    """
    if (checkpoint.path / "adapter_config.json").is_file():
        import json
        from peft import PeftModel
        config=json.loads((checkpoint.path / "adapter_config.json").read_text())
        model, _ = load_pretrained(Checkpoint.open(config["base_model_name_or_path"]))
        return PeftModel.from_pretrained(model, checkpoint.path).merge_and_unload(), AutoTokenizer.from_pretrained(checkpoint.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.path, trust_remote_code=False)
        # What from_pretrained says it returns forgets output_loading_info.
        model, loading = cast(
            "tuple[PreTrainedModel, dict[str, set[str]]]",
            AutoModelForCausalLM.from_pretrained(
                checkpoint.path,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            ),
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"The checkpoint {checkpoint.path} does not load ({reason}): copy the whole folder again, or name another."
        ) from error
    if missing := sorted(loading["missing_keys"]):
        raise CheckpointError(
            f"The weights of {checkpoint.path} lack {missing[0]} and {len(missing) - 1} more: copy the folder again."
        )
    return model, tokenizer


def start_token_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the id of the token that opens a song: the one that the tokenizer declares, else our own, else none."""
    return _token_id(tokenizer, BOS_TOKEN, tokenizer.bos_token_id)


def end_token_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the id of the token that closes a song: the one that the tokenizer declares, else our own, else none."""
    return _token_id(tokenizer, EOS_TOKEN, tokenizer.eos_token_id)


def _token_id(tokenizer: PreTrainedTokenizerBase, token: str, declared: int | None) -> int | None:
    # The vocabulary is asked, since converting an unknown token answers with the unknown token's id.
    return tokenizer.get_vocab().get(token) if declared is None else declared
