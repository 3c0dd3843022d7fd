"""GPT-2 (Radford et al., 2019) over a cache of keys and values: prompts in chunks, then a token for every row."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import torch

from model.checkpoint.weights import Weights
from model.network.cache import KVCache

LinearT = TypeVar("LinearT")
"""A linear layer, as a device computes it."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer normalization; weight and bias are of shape (embedding,)."""

    weight: torch.Tensor
    bias: torch.Tensor
    epsilon: float

    @classmethod
    def load(cls, weights: Weights, name: str) -> Self:
        """Read the layer of that name."""
        size = weights.config.n_embd
        return cls(
            weights.get(f"{name}.weight", size), weights.get(f"{name}.bias", size), weights.config.layer_norm_epsilon
        )


@dataclass(frozen=True, slots=True)
class Block(Generic[LinearT]):
    """One layer of the transformer."""

    before_attention: Norm
    attention_in: LinearT
    """To queries, keys and values, one after another."""
    attention_out: LinearT
    scale: float
    """Of the products of queries and keys."""
    before_mlp: Norm
    mlp_in: LinearT
    mlp_out: LinearT

    @classmethod
    def load(cls, weights: Weights, number: int, make_linear: Callable[[torch.Tensor, torch.Tensor], LinearT]) -> Self:
        """Read the layer of that number, from 0; ``make_linear`` is given weights of shape (out, in) and biases."""
        config, size, inner = weights.config, weights.config.n_embd, weights.config.inner_size

        def linear(name: str, inputs: int, outputs: int) -> LinearT:
            # GPT-2 keeps these the other way round than nn.Linear.
            weight = weights.get(f"h.{number}.{name}.weight", inputs, outputs).t()
            return make_linear(weight, weights.get(f"h.{number}.{name}.bias", outputs))

        scale = config.head_size**-0.5 if config.scale_attn_weights else 1.0
        return cls(
            before_attention=Norm.load(weights, f"h.{number}.ln_1"),
            attention_in=linear("attn.c_attn", size, 3 * size),
            attention_out=linear("attn.c_proj", size, size),
            scale=scale / (number + 1) if config.scale_attn_by_inverse_layer_idx else scale,
            before_mlp=Norm.load(weights, f"h.{number}.ln_2"),
            mlp_in=linear("mlp.c_fc", size, inner),
            mlp_out=linear("mlp.c_proj", inner, size),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one prompt, and the cache of it that they are to fill."""

    ids: Sequence[int]
    start: int
    """Position of the first."""
    cache: KVCache


class Network(ABC, Generic[LinearT]):
    """The model on a device.

    Args:
        weights: Of the checkpoint.
        make_linear: Makes a layer of its weight, of shape (out, in), and its bias.
    """

    def __init__(self, weights: Weights, make_linear: Callable[[torch.Tensor, torch.Tensor], LinearT]) -> None:
        config = weights.config
        self.config = config
        self.device = weights.device
        self._dtype = weights.dtype
        self._tokens = weights.get("wte.weight", config.vocab_size, config.n_embd)
        self._positions = weights.get("wpe.weight", config.n_positions, config.n_embd)
        self._blocks = [Block.load(weights, number, make_linear) for number in range(config.n_layer)]
        self._last_norm = Norm.load(weights, "ln_f")

    def make_cache(self, slots: int) -> KVCache:
        """Return a cache for so many songs."""
        return KVCache(self.config, slots, self.config.n_positions, self.device, self._dtype)

    def make_prompt(self, positions: int) -> KVCache:
        """Return a cache for a prompt of so many tokens."""
        return KVCache(self.config, 1, positions, self.device, self._dtype)

    @abstractmethod
    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Read one token for every row.

        Args:
            tokens: The last token of each row, of the slots from the first on.
            lengths: How many tokens the cache has of each row; it then has one more.
            cache: Is read, and written to.

        Returns:
            Logits of shape (rows, vocabulary), float32. The next call may overwrite them.
        """

    @abstractmethod
    def prefill(self, chunks: Sequence[Chunk]) -> None:
        """Read parts of prompts, side by side, into their caches.

        What a token gives does not depend on the other prompts.
        """
