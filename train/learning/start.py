"""What a run starts from: a base, or a GPT-2 with random weights; with the two tokens that enclose a song."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerBase

from model.checkpoint.folder import Checkpoint
from model.checkpoint.pretrained import load_pretrained
from model.errors import CheckpointError
from model.song import BOS_TOKEN, EOS_TOKEN
from train.config import FitConfig
from train.songs.split import Split
from train.tokens.vocabulary import learn_tokenizer


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


def make_start(config: FitConfig, split: Split) -> Start:
    """Return what the settings say a run starts from; a tokenizer is learnt from the songs to learn.

    Raises:
        CheckpointError: Where the base is no GPT-2 that loads.
    """
    model, tokenizer = _from_scratch(config, split) if config.from_scratch else _from_base(config)
    return Start(model, tokenizer, add_special_tokens(model, tokenizer))


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
    if not isinstance(model, GPT2LMHeadModel):
        raise CheckpointError(
            f"The base {config.base} is a {model.config.model_type}, not a GPT-2: name a GPT-2 checkpoint."
        )
    for name, value in _dropouts(config).items():
        setattr(model.config, name, value)
    # The layers read their dropout from the config when they are built, so it is set on them as well.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = config.dropout
    return model, tokenizer


def _dropouts(config: FitConfig) -> dict[str, Any]:
    return dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout)


def add_special_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give tokenizer and model a start and an end token, and return those that are new to the model.

    A new row starts at the mean of the old ones: it is then as likely as the average word, and moves nothing else.
    """
    tokenizer.add_special_tokens({"bos_token": BOS_TOKEN, "eos_token": EOS_TOKEN, "pad_token": EOS_TOKEN})
    old_size: int = model.config.vocab_size
    if len(tokenizer) > old_size:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = config.pad_token_id = tokenizer.eos_token_id
    return list(range(old_size, len(tokenizer)))
