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


FAMILIES = ("gpt2", "llama", "qwen2")
"""The architectures that are learnt from, as ``config.json`` names them."""


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
    if model.config.model_type not in FAMILIES:
        raise CheckpointError(
            f"The base {config.base} is a {model.config.model_type}, which is not learnt from here: name a checkpoint of "
            f"{', '.join(FAMILIES)}."
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


def name_special_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give the tokenizer a start, an end and a padding token where it has none, or one for all."""
    end = tokenizer.eos_token or EOS_TOKEN
    start = tokenizer.bos_token
    if start is None or start == end:
        start = BOS_TOKEN
    tokenizer.add_special_tokens({"bos_token": start, "eos_token": end, "pad_token": end})


def add_special_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Make sure that tokenizer and model have a start and an end token, and return those that are new to the model.

    Those that the tokenizer declares stay, but where one token is both, as GPT-2's is, songs get a start of their own.
    A new row starts at the mean of the old ones: it is then as likely as the average word, and moves nothing else.
    """
    name_special_tokens(tokenizer)
    old_size: int = model.config.vocab_size
    if len(tokenizer) > old_size:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = config.pad_token_id = tokenizer.eos_token_id
    return list(range(old_size, len(tokenizer)))
