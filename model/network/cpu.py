"""A transformer on the CPU: FBGEMM's matrix products, and compiled kernels for everything between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from model.checkpoint.architecture import Architecture
from model.checkpoint.weights import Dense, Weights
from model.network import cpu_kernels as kernels
from model.network.base import Chunk, Network, Norm
from model.network.cache import KVCache
from model.network.cpu_kernels import Array, Indices
from model.network.cpu_linear import PackedLinear, make_anchored

_ACTIVATIONS = {
    "gelu": kernels.GELU,
    "gelu_fast": kernels.GELU_TANH,
    "gelu_new": kernels.GELU_TANH,
    "gelu_pytorch_tanh": kernels.GELU_TANH,
    "relu": kernels.RELU,
    "silu": kernels.SILU,
    "swish": kernels.SILU,
}

_ROWS = 32
"""Rows that there is space for from the start; a pass over more makes more."""


@dataclass(frozen=True, slots=True)
class _Linear:
    product: PackedLinear
    bias: Array

    @classmethod
    def pack(cls, dense: Dense, kind: type[PackedLinear]) -> Self:
        """Pack a layer."""
        bias = torch.zeros(len(dense.weight)) if dense.bias is None else dense.bias
        return cls(kind(dense.weight), bias.numpy())


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Array
    bias: Array
    epsilon: np.float32
    is_centred: bool

    @classmethod
    def of(cls, norm: Norm) -> Self:
        """Return the arrays of a normalization."""
        bias = torch.zeros_like(norm.weight) if norm.bias is None else norm.bias
        return cls(norm.weight.numpy(), bias.numpy(), np.float32(norm.epsilon), norm.bias is not None)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows whose songs have their keys and values in the same cache."""

    rows: slice
    cache: KVCache
    slots: Indices
    positions: Indices


class _Workspace:
    """What a pass over some rows writes between two matrix products.

    Args:
        inputs: What products over the embedding, over what queries gave, and over the hidden layer read, each of shape
            (1 + rows, its size), the anchor first.
        scales: Of the rows that are to be read next, shape (rows,).
    """

    def __init__(self, inputs: Sequence[torch.Tensor], scales: Array) -> None:
        self._inputs = inputs
        self.narrow_inputs, self.query_inputs, self.wide_inputs = inputs
        self.narrow, self.query, self.wide = (each.numpy()[1:] for each in inputs)
        self.scales = scales

    @classmethod
    def of(cls, rows: int, model: Architecture) -> Self:
        """Return space for so many rows."""
        sizes = (model.size, model.query_size, model.inner_size)
        return cls([make_anchored(rows, size) for size in sizes], np.ones(rows, np.float32))

    def first(self, rows: int) -> "_Workspace":
        """Return the part of it for so many rows."""
        return _Workspace([each[: 1 + rows] for each in self._inputs], self.scales[:rows])


class CpuNetwork(Network[_Linear]):
    """The model on the CPU.

    A row has the same results, bit by bit, whatever rows are beside it.

    Args:
        weights: Of the checkpoint.
        linear: Packs a layer's weight.
    """

    def __init__(self, weights: Weights, linear: type[PackedLinear]) -> None:
        super().__init__(weights, lambda dense: _Linear.pack(dense, linear))
        model = self.architecture
        self._head = linear(weights.head())
        self._norms = [(_Norm.of(block.before_attention), _Norm.of(block.before_mlp)) for block in self._blocks]
        self._norm_before_head = _Norm.of(self._last_norm)
        self._turns: Array = self._make_turns().numpy()
        self._attend = kernels.make_attend(model.head_size, model.heads // model.kv_heads)
        self._activation = _ACTIVATIONS[model.activation]
        self._workspace = _Workspace.of(_ROWS, model)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Read one token for every row; see ``Network.decode``."""
        rows, positions = len(tokens), np.array(lengths)
        part = _Part(slice(rows), cache, np.arange(rows), positions)
        work = self._forward(torch.tensor(tokens), torch.from_numpy(positions), [part])
        logits = self._head(work.narrow_inputs)
        return logits.mul_(torch.from_numpy(work.scales).unsqueeze(1)) if self._head.is_scaled else logits

    def prefill(self, chunks: Sequence[Chunk]) -> None:
        """Read parts of prompts; see ``Network.prefill``."""
        parts, begin = [], 0
        for chunk in chunks:
            size = len(chunk.ids)
            places = np.arange(chunk.start, chunk.start + size)
            rows = slice(begin, begin + size)
            parts.append(_Part(rows, chunk.cache, np.zeros(size, np.int64), places))
            begin += size
        ids = torch.tensor([number for chunk in chunks for number in chunk.ids])
        self._forward(ids, torch.from_numpy(np.concatenate([part.positions for part in parts])), parts)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, parts: Sequence[_Part]) -> _Workspace:
        """Read tokens; what is returned has their last hidden states, ready for the head."""
        if len(ids) > len(self._workspace.scales):
            self._workspace = _Workspace.of(len(ids), self.architecture)
        work = self._workspace.first(len(ids))
        hidden: Array = self._embed(ids, positions).numpy()
        for number, (block, (before_attention, before_mlp)) in enumerate(zip(self._blocks, self._norms, strict=True)):
            self._normalize(hidden, before_attention, work, block.attention_in.product)
            self._attend_parts(number, block.attention_in.product(work.narrow_inputs).numpy(), parts, work)
            self._add(hidden, block.attention_out, work.query_inputs, work)
            self._normalize(hidden, before_mlp, work, block.mlp_in.product)
            projected = block.mlp_in.product(work.narrow_inputs).numpy()
            is_scaled = block.mlp_out.product.is_scaled
            kernels.activate(projected, block.mlp_in.bias, self._activation, work.wide, work.scales, is_scaled)
            self._add(hidden, block.mlp_out, work.wide_inputs, work)
        self._normalize(hidden, self._norm_before_head, work, self._head)
        return work

    def _attend_parts(self, layer: int, projected: Array, parts: Sequence[_Part], work: _Workspace) -> None:
        """Write what rows attend to; ``projected`` is (rows, queries, keys and values)."""
        block = self._blocks[layer]
        for part in parts:
            self._attend(
                projected[part.rows],
                block.attention_in.bias,
                self._turns,
                *part.cache.arrays[layer],
                part.slots,
                part.positions,
                np.float32(block.scale),
                work.query[part.rows],
                work.scales[part.rows],
                block.attention_out.product.is_scaled,
            )

    @staticmethod
    def _normalize(hidden: Array, norm: _Norm, work: _Workspace, reader: PackedLinear) -> None:
        kernels.normalize(
            hidden, norm.weight, norm.bias, norm.epsilon, norm.is_centred, work.narrow, work.scales, reader.is_scaled
        )

    @staticmethod
    def _add(hidden: Array, linear: _Linear, inputs: torch.Tensor, work: _Workspace) -> None:
        kernels.add(hidden, linear.product(inputs).numpy(), linear.bias, work.scales)
