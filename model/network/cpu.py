"""A transformer on the CPU: FBGEMM's matrix products, and compiled kernels for everything between them."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np
import torch

from model.checkpoint.architecture import Architecture
from model.checkpoint.weights import Dense, Weights
from model.network import cpu_kernels as kernels
from model.network.base import Block, Chunk, Network, Norm
from model.network.cache import KVCache
from model.network.cpu_kernels import Array, Indices
from model.network.cpu_linear import PackedLinear, make_anchored
from model.network.machine import count_cores
from model.network.outliers import RecordingLinear, fold_block, fold_norm

_ACTIVATIONS = {
    "gelu": kernels.GELU,
    "gelu_fast": kernels.GELU_TANH,
    "gelu_new": kernels.GELU_TANH,
    "gelu_pytorch_tanh": kernels.GELU_TANH,
    "relu": kernels.RELU,
    "silu": kernels.SILU,
    "swish": kernels.SILU,
}

ProductT = TypeVar("ProductT", bound=PackedLinear)

_UNPACKED = 4
"""Blocks that may lie in memory unpacked while a model is read."""

_ROWS = 32
"""Rows that there is space for from the start; a pass over more makes more."""


@dataclass(frozen=True, slots=True)
class _Linear(Generic[ProductT]):
    product: ProductT
    bias: Array


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
class _Layer(Generic[ProductT]):
    before_attention: _Norm
    before_mlp: _Norm
    block: Block[_Linear[ProductT]]

    @classmethod
    def pack(cls, block: Block[Dense], product: type[ProductT]) -> Self:
        """Pack a block of the model."""

        def pack(dense: Dense) -> _Linear[ProductT]:
            bias = torch.zeros(len(dense.weight)) if dense.bias is None else dense.bias
            return _Linear(product(dense.weight), bias.numpy())

        return cls(_Norm.of(block.before_attention), _Norm.of(block.before_mlp), block.pack(pack))


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


class CpuNetwork(Network):
    """The model on the CPU.

    A row has the same results, bit by bit, whatever rows are beside it.

    Args:
        weights: Of the checkpoint.
        linear: Packs a layer's weight.
        sample: Tokens of a text as the model writes it, by which int8 finds the channels that it has to be kept from;
            none leaves them.
    """

    def __init__(self, weights: Weights, linear: type[PackedLinear], sample: Sequence[int] = ()) -> None:
        super().__init__(weights)
        model = self.architecture
        self._turns: Array = self._make_turns().numpy()
        self._attend = kernels.make_attend(model.head_size, model.heads // model.kv_heads)
        self._activation = _ACTIVATIONS[model.activation]
        self._workspace = _Workspace.of(_ROWS, model)
        self._load(weights, linear, sample if linear.is_scaled else ())

    def _load(self, weights: Weights, linear: type[PackedLinear], sample: Sequence[int]) -> None:
        """Read and pack the blocks and the head, each on a core of its own as soon as the sample has gone through."""
        reading = self._begin([Chunk(sample, 0, self.make_prompt(len(sample)))])
        packed: list[Future[_Layer[PackedLinear]]] = []
        with ThreadPoolExecutor(count_cores()) as pool:
            for number in range(self.architecture.layers):
                block = Block.read(weights, number)
                if sample:
                    block = self._fold_outliers(number, block, *reading)
                packed.append(pool.submit(_Layer.pack, block, linear))
                if number >= _UNPACKED:
                    packed[number - _UNPACKED].result()
            norm, head = Norm.read(weights, self.architecture.names.last_norm), Dense(weights.head(), None)
            if sample:
                hidden, _, work = reading
                self._normalize(hidden, _Norm.of(norm), work, is_scaled=False)
                norm, head = fold_norm(norm, head, torch.from_numpy(work.narrow))
            self._last_norm, self._head = _Norm.of(norm), linear(head.weight)
        self._layers = [each.result() for each in packed]

    def _fold_outliers(
        self, number: int, block: Block[Dense], hidden: Array, parts: Sequence[_Part], work: _Workspace
    ) -> Block[Dense]:
        """Pass the sample through a block, and return it with the outliers folded that came up."""
        recording = _Layer.pack(block, RecordingLinear)
        self._pass(number, recording, hidden, parts, work)
        return fold_block(block, recording.block.pack(lambda linear: linear.product.inputs), self.architecture)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Read one token for every row; see ``Network.decode``."""
        rows, positions = len(tokens), np.array(lengths)
        hidden = self._embed(torch.tensor(tokens), torch.from_numpy(positions)).numpy()
        work = self._forward(hidden, [_Part(slice(rows), cache, np.arange(rows), positions)], self._space(rows))
        return self._logits(work)

    def prefill(self, chunks: Sequence[Chunk]) -> None:
        """Read parts of prompts; see ``Network.prefill``."""
        self._forward(*self._begin(chunks))

    def read(self, ids: Sequence[int]) -> torch.Tensor:
        """Return the logits after every token of a text, shape (tokens, vocabulary), float32."""
        return self._logits(self._forward(*self._begin([Chunk(ids, 0, self.make_prompt(len(ids)))])))

    def _begin(self, chunks: Sequence[Chunk]) -> tuple[Array, list[_Part], "_Workspace"]:
        """Return what the first block reads of parts of prompts, where they belong, and space for a pass."""
        parts, begin = [], 0
        for chunk in chunks:
            size = len(chunk.ids)
            places = np.arange(chunk.start, chunk.start + size)
            parts.append(_Part(slice(begin, begin + size), chunk.cache, np.zeros(size, np.int64), places))
            begin += size
        ids = torch.tensor([number for chunk in chunks for number in chunk.ids], dtype=torch.int64)
        positions = torch.from_numpy(np.concatenate([part.positions for part in parts]))
        return self._embed(ids, positions).numpy(), parts, self._space(begin)

    def _space(self, rows: int) -> _Workspace:
        if rows > len(self._workspace.scales):
            self._workspace = _Workspace.of(rows, self.architecture)
        return self._workspace.first(rows)

    def _forward(self, hidden: Array, parts: Sequence[_Part], work: _Workspace) -> _Workspace:
        """Pass tokens through all blocks; what is returned has their last hidden states, ready for the head."""
        for number, layer in enumerate(self._layers):
            self._pass(number, layer, hidden, parts, work)
        self._normalize(hidden, self._last_norm, work, is_scaled=self._head.is_scaled)
        return work

    def _logits(self, work: _Workspace) -> torch.Tensor:
        logits = self._head(work.narrow_inputs)
        return logits.mul_(torch.from_numpy(work.scales).unsqueeze(1)) if self._head.is_scaled else logits

    def _pass(
        self, number: int, layer: _Layer[ProductT], hidden: Array, parts: Sequence[_Part], work: _Workspace
    ) -> None:
        """Pass tokens through the block of that number; ``hidden``, (tokens, embedding), is changed."""
        block = layer.block
        self._normalize(hidden, layer.before_attention, work, is_scaled=block.attention_in.product.is_scaled)
        projected = block.attention_in.product(work.narrow_inputs).numpy()
        for part in parts:
            self._attend(
                projected[part.rows],
                block.attention_in.bias,
                self._turns,
                *part.cache.arrays[number],
                part.slots,
                part.positions,
                np.float32(block.scale),
                work.query[part.rows],
                work.scales[part.rows],
                block.attention_out.product.is_scaled,
            )
        self._add(hidden, block.attention_out, work.query_inputs, work)
        self._normalize(hidden, layer.before_mlp, work, is_scaled=block.mlp_in.product.is_scaled)
        projected = block.mlp_in.product(work.narrow_inputs).numpy()
        is_scaled = block.mlp_out.product.is_scaled
        kernels.activate(projected, block.mlp_in.bias, self._activation, work.wide, work.scales, is_scaled)
        self._add(hidden, block.mlp_out, work.wide_inputs, work)

    @staticmethod
    def _normalize(hidden: Array, norm: _Norm, work: _Workspace, *, is_scaled: bool) -> None:
        kernels.normalize(
            hidden, norm.weight, norm.bias, norm.epsilon, norm.is_centred, work.narrow, work.scales, is_scaled
        )

    @staticmethod
    def _add(hidden: Array, linear: _Linear[ProductT], inputs: torch.Tensor, work: _Workspace) -> None:
        kernels.add(hidden, linear.product(inputs).numpy(), linear.bias, work.scales)
