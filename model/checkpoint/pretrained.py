"""From a checkpoint folder to a model and a tokenizer in memory."""

from typing import cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from model.checkpoint.adapter import Adapter
from model.checkpoint.folder import Checkpoint, saved_vocabulary
from model.checkpoint.special_tokens import SpecialTokens
from model.checkpoint.tokenizer import backend_of, refuse_another_models
from model.checkpoint.weights import is_finite, why_not_finite
from model.errors import CheckpointError


def mute_transformers() -> None:
    """Silence transformers: its bars and its advice are for those who program with it, not for who uses a command."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def load_pretrained(
    checkpoint: Checkpoint, dtype: torch.dtype = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a checkpoint's causal language model and tokenizer from safetensors, never with remote code.

    Raises:
        CheckpointError: Where transformers cannot make a whole model of the folder.
    """
    mute_transformers()
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.path, trust_remote_code=False)
        backend = backend_of(tokenizer)
        # What from_pretrained says it returns forgets output_loading_info.
        model, loading = cast(
            "tuple[PreTrainedModel, dict[str, set[str]]]",
            AutoModelForCausalLM.from_pretrained(
                checkpoint.weights.path,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            ),
        )
    except ImportError as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.path} needs a library that is not installed "
            f"({str(error).strip().partition(chr(10))[0]}): install it, or name a checkpoint that is not quantized."
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"The checkpoint {checkpoint.path} does not load ({reason}): copy the whole folder again, or name another."
        ) from error
    if missing := sorted(loading["missing_keys"]):
        raise CheckpointError(
            f"The weights of {checkpoint.path} lack {missing[0]} and {len(missing) - 1} more: copy the folder again."
        )
    if checkpoint.base is not None:
        vocabulary = saved_vocabulary(checkpoint.path) or model.config.vocab_size
        if vocabulary != model.config.vocab_size:
            model.resize_token_embeddings(vocabulary, mean_resizing=False)
        _merge(model, Adapter.read(checkpoint.path))
    for name, weight in model.named_parameters():
        if not is_finite(weight):
            raise CheckpointError(why_not_finite(name, weight, dtype))
    refuse_another_models(backend, model.config.vocab_size, checkpoint)
    _name_tokens(tokenizer, checkpoint, model.config.vocab_size)
    return model, tokenizer


def _name_tokens(tokenizer: PreTrainedTokenizerBase, checkpoint: Checkpoint, vocab_size: int) -> None:
    """Have the tokenizer name the start and end token that the checkpoint declares, wherever it does."""
    vocabulary = tokenizer.get_vocab()
    special = SpecialTokens.declared(checkpoint.path, vocabulary.get, vocab_size)
    for role, number in (("bos_token", special.start), ("eos_token", next(iter(special.ends), None))):
        if number is not None and number != getattr(tokenizer, f"{role}_id"):
            setattr(tokenizer, role, tokenizer.convert_ids_to_tokens(number))


def _merge(model: PreTrainedModel, adapter: Adapter) -> None:
    """Add an adapter to a model's weights, in place."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(adapter.apply(name, parameter))
