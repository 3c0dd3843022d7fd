"""A transformer over a cache of keys and values: prompts in chunks, then a token for every row."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import torch
from torch.nn import functional

from model.checkpoint.weights import Dense, Weights
from model.network.cache import KVCache

LinearT = TypeVar("LinearT")
OtherT = TypeVar("OtherT")
"""A linear layer, as a device computes it."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalization of the rows; weight and bias are of shape (embedding,)."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    """None where the mean stays as well (RMSNorm)."""
    epsilon: float

    @classmethod
    def read(cls, weights: Weights, name: str) -> Self:
        """Read the norm of that name."""
        size, epsilon = weights.architecture.size, weights.architecture.epsilon
        bias = weights.get(f"{name}.bias", size) if weights.architecture.norm == "layer" else None
        return cls(weights.get(f"{name}.weight", size), bias, epsilon)


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
    """To the hidden layer; where it is gated, to the gate and then to what goes through it."""
    mlp_out: LinearT

    @classmethod
    def read(cls, weights: Weights, number: int) -> "Block[Dense]":
        """Read the layer of that number, from 0."""
        model, names = weights.architecture, weights.architecture.names
        stem, biases = names.stem.format(number), model.biases
        query_to_value = (model.query_size, model.kv_size, model.kv_size)
        sizes = query_to_value if len(names.attention_in) > 1 else (sum(query_to_value),)

        def linear(parts: Mapping[str, int], inputs: int, *, has_bias: bool) -> Dense:
            return weights.linear([(stem + name, size) for name, size in parts.items()], inputs, has_bias=has_bias)

        return Block(
            before_attention=Norm.read(weights, stem + names.before_attention),
            attention_in=linear(
                dict(zip(names.attention_in, sizes, strict=True)), model.size, has_bias=biases.attention_in
            ),
            attention_out=linear({names.attention_out: model.size}, model.query_size, has_bias=biases.attention_out),
            scale=model.scales[number],
            before_mlp=Norm.read(weights, stem + names.before_mlp),
            mlp_in=linear(dict.fromkeys(names.mlp_in, model.inner_size), model.size, has_bias=biases.mlp),
            mlp_out=linear({names.mlp_out: model.size}, model.inner_size, has_bias=biases.mlp),
        )

    def pack(self, make: Callable[[LinearT], OtherT]) -> "Block[OtherT]":
        """Return the layer with its linear layers made into others."""
        return Block(
            self.before_attention,
            make(self.attention_in),
            make(self.attention_out),
            self.scale,
            self.before_mlp,
            make(self.mlp_in),
            make(self.mlp_out),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one prompt, and the cache of it that they are to fill."""

    ids: Sequence[int]
    start: int
    """Position of the first."""
    cache: KVCache


class Network(ABC):
    """The model on a device.

    Args:
        weights: Of the checkpoint.
    """

    def __init__(self, weights: Weights) -> None:
        model = weights.architecture
        self.architecture = model
        self.device = weights.device
        self._dtype = weights.dtype
        self._tokens = weights.get(f"{model.names.tokens}.weight", model.vocabulary, model.size)
        self._positions = None
        if model.frequencies is None:
            self._positions = weights.get(f"{model.names.positions}.weight", model.context, model.size)

    def make_cache(self, slots: int) -> KVCache:
        """Return a cache for so many songs."""
        return KVCache(self.architecture, slots, self.architecture.context, self.device, self._dtype)

    def make_prompt(self, positions: int) -> KVCache:
        """Return a cache for a prompt of so many tokens."""
        return KVCache(self.architecture, 1, positions, self.device, self._dtype)

    def _embed(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return what the first block reads of tokens, shape (tokens, embedding)."""
        found = functional.embedding(ids, self._tokens)
        return found if self._positions is None else found + functional.embedding(positions, self._positions)

    def _make_turns(self) -> torch.Tensor:
        """Return cosines and sines by which heads turn, (2, context, head size / 2); context 0 where they do not."""
        model = self.architecture
        frequencies = torch.tensor(model.frequencies or (0.0,) * (model.head_size // 2), device=self.device)
        positions = torch.arange(model.context if model.frequencies else 0, device=self.device)
        angles = torch.outer(positions.float(), frequencies.float())
        return torch.stack([angles.cos(), angles.sin()])

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
