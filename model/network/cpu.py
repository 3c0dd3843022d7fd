"""GPT-2 on the CPU: FBGEMM's matrix products, and compiled kernels for everything between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from model.checkpoint.weights import Gpt2Config, Weights
from model.network import cpu_kernels as kernels
from model.network.base import Chunk, Network, Norm
from model.network.cache import KVCache
from model.network.cpu_kernels import Array, Indices
from model.network.cpu_linear import Int8Linear, PackedLinear, make_anchored

_ACTIVATIONS = {
    "gelu": kernels.GELU,
    "gelu_fast": kernels.GELU_TANH,
    "gelu_new": kernels.GELU_TANH,
    "gelu_pytorch_tanh": kernels.GELU_TANH,
    "relu": kernels.RELU,
}

_ROWS = 32
"""Rows that there is space for from the start; a pass over more makes more."""


@dataclass(frozen=True, slots=True)
class _Linear:
    product: PackedLinear
    bias: Array


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Array
    bias: Array
    epsilon: np.float32

    @classmethod
    def of(cls, norm: Norm) -> Self:
        """Return the arrays of a normalization."""
        return cls(norm.weight.numpy(), norm.bias.numpy(), np.float32(norm.epsilon))


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
        narrow_inputs: What the products over the embedding read, shape (1 + rows, embedding), the anchor first.
        wide_inputs: What those over the hidden layers read, likewise.
        scales: Of the rows that are to be read next, shape (rows,).
    """

    def __init__(self, narrow_inputs: torch.Tensor, wide_inputs: torch.Tensor, scales: Array) -> None:
        self.narrow_inputs, self.wide_inputs, self.scales = narrow_inputs, wide_inputs, scales
        self.narrow: Array = narrow_inputs.numpy()[1:]
        self.wide: Array = wide_inputs.numpy()[1:]

    @classmethod
    def of(cls, rows: int, config: Gpt2Config) -> Self:
        """Return space for so many rows."""
        return cls(
            make_anchored(rows, config.n_embd), make_anchored(rows, config.inner_size), np.ones(rows, np.float32)
        )

    def first(self, rows: int) -> "_Workspace":
        """Return the part of it for so many rows."""
        return _Workspace(self.narrow_inputs[: 1 + rows], self.wide_inputs[: 1 + rows], self.scales[:rows])


class CpuNetwork(Network[_Linear]):
    """The model on the CPU.

    A row has the same results, bit by bit, whatever rows are beside it.

    Args:
        weights: Of the checkpoint.
        linear: Packs a layer's weight.
    """

    def __init__(self, weights: Weights, linear: type[PackedLinear]) -> None:
        super().__init__(weights, lambda weight, bias: _Linear(linear(weight), bias.numpy()))
        self._head = linear(weights.head())
        self._is_scaled = linear is Int8Linear
        self._norms = [(_Norm.of(block.before_attention), _Norm.of(block.before_mlp)) for block in self._blocks]
        self._norm_before_head = _Norm.of(self._last_norm)
        self._attend = kernels.make_attend(self.config.head_size)
        self._activation = _ACTIVATIONS[self.config.activation_function]
        self._workspace = _Workspace.of(_ROWS, self.config)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Read one token for every row; see ``Network.decode``."""
        rows, positions = len(tokens), np.array(lengths)
        part = _Part(slice(rows), cache, np.arange(rows), positions)
        work = self._forward(torch.tensor(tokens), torch.from_numpy(positions), [part])
        logits = self._head(work.narrow_inputs)
        return logits.mul_(torch.from_numpy(work.scales).unsqueeze(1)) if self._is_scaled else logits

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
            self._workspace = _Workspace.of(len(ids), self.config)
        work = self._workspace.first(len(ids))
        hidden: Array = (
            functional.embedding(ids, self._tokens) + functional.embedding(positions, self._positions)
        ).numpy()
        for number, (block, (before_attention, before_mlp)) in enumerate(zip(self._blocks, self._norms, strict=True)):
            self._normalize(hidden, before_attention, work)
            projected = block.attention_in.product(work.narrow_inputs).numpy()
            for part in parts:
                self._attend(
                    projected[part.rows],
                    block.attention_in.bias,
                    *part.cache.arrays[number],
                    part.slots,
                    part.positions,
                    np.float32(block.scale),
                    work.narrow[part.rows],
                    work.scales[part.rows],
                    self._is_scaled,
                )
            self._add(hidden, block.attention_out, work.narrow_inputs, work)
            self._normalize(hidden, before_mlp, work)
            projected = block.mlp_in.product(work.narrow_inputs).numpy()
            kernels.activate(projected, block.mlp_in.bias, self._activation, work.wide, work.scales, self._is_scaled)
            self._add(hidden, block.mlp_out, work.wide_inputs, work)
        self._normalize(hidden, self._norm_before_head, work)
        return work

    def _normalize(self, hidden: Array, norm: _Norm, work: _Workspace) -> None:
        kernels.normalize(hidden, norm.weight, norm.bias, norm.epsilon, work.narrow, work.scales, self._is_scaled)

    def _add(self, hidden: Array, linear: _Linear, inputs: torch.Tensor, work: _Workspace) -> None:
        kernels.add(hidden, linear.product(inputs).numpy(), linear.bias, work.scales)
