"""What a run starts from: a base, or a GPT-2 with random weights; with the two tokens that enclose a song."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerBase

from model.checkpoint.folder import Checkpoint
from model.checkpoint.pretrained import load_pretrained
from model.errors import CheckpointError
from train.config import FitConfig
from train.songs.split import Split
from train.tokens.vocabulary import learn_tokenizer, name_special_tokens

FAMILIES = ("gpt2", "llama", "qwen2")
"""The architectures that are learnt from, as ``config.json`` names them."""


LORA_RANK = 32
RATE, LORA_RATE = 5e-5, 5e-4
"""Peak learning rates: adapters begin at nothing and have further to go."""


@dataclass(frozen=True, slots=True)
class Start:
    """A model that has yet to learn, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    new_tokens: list[int]
    """Tokens that the model has just been given, which LoRA trains whole."""

    @property
    def context(self) -> int:
        """The tokens that the model reads at most."""
        context: int = self.model.config.max_position_embeddings
        return context


def settle(config: FitConfig, model: PreTrainedModel) -> FitConfig:
    """Return the settings with those filled in that depend on the model and on this machine."""
    rank = config.lora_rank
    if rank is None:
        is_slow = model.config.model_type != "gpt2" and not torch.cuda.is_available()
        rank = LORA_RANK if config.keep_adapter or is_slow else 0
    rate = config.learning_rate or (LORA_RATE if rank else RATE)
    return config.model_copy(update={"lora_rank": rank, "learning_rate": rate})


def make_start(config: FitConfig, split: Split) -> Start:
    """Return what the settings say a run starts from; a tokenizer is learnt from the songs to learn.

    Raises:
        CheckpointError: Where the base does not load, or is of another family.
    """
    model, tokenizer = _from_scratch(config, split) if config.from_scratch else _from_base(config)
    # An adapter stands beside a base whose embeddings have no more rows than they have.
    return Start(model, tokenizer, add_special_tokens(model, tokenizer, may_add=not config.keep_adapter))


def _from_scratch(config: FitConfig, split: Split) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    tokenizer = learn_tokenizer((song.lyric for song in split.train), config.vocab_size - 2)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=config.n_positions,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            bos_token_id=None,
            eos_token_id=None,
            **_dropouts(config),
        )
    )
    return model, tokenizer


def _from_base(config: FitConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    base = Checkpoint.open(config.base)
    model, tokenizer = load_pretrained(base)
    if model.config.model_type not in FAMILIES:
        raise CheckpointError(
            f"The base {config.base} is a {model.config.model_type}, and training knows {', '.join(FAMILIES)}: name a "
            "checkpoint of one of these."
        )
    if model.config.model_type == "gpt2":
        for name, value in _dropouts(config).items():
            setattr(model.config, name, value)
    # The layers read their dropout from the config when they are built, so it is set on them as well.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = config.dropout
    return model, tokenizer


def _dropouts(config: FitConfig) -> dict[str, Any]:
    """Return GPT-2's settings of dropout; Llama's family has none."""
    return dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout)


def add_special_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, may_add: bool = True
) -> list[int]:
    """Make sure that tokenizer and model have a start and an end token, and return those that are new to the model.

    A new row starts at the mean of the old ones: it is then as likely as the average word, and moves nothing else. A
    model whose vocabulary was padded has rows for some already, which were never trained and start there as well.
    """
    known = _size(tokenizer)
    name_special_tokens(tokenizer, may_add=may_add)
    first, size = min(known, model.config.vocab_size), _size(tokenizer)
    if size > model.config.vocab_size:
        model.resize_token_embeddings(size, mean_resizing=False)
    _begin_at_mean(model, first, size)
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = config.pad_token_id = tokenizer.eos_token_id
    return list(range(first, size))


def _size(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many ids a model needs for a tokenizer."""
    return 1 + max(tokenizer.get_vocab().values())


@torch.no_grad()
def _begin_at_mean(model: PreTrainedModel, first: int, end: int) -> None:
    """Set the embeddings of tokens, and their rows of the head, to the mean of those before."""
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        weight[first:end] = weight[:first].mean(0)
