"""A transformer on a GPU: each size of batch is recorded once as a CUDA graph and then replayed whole.

A step on a GPU is hundreds of kernels of a few microseconds each: started one by one from Python, starting them takes
longer than running them.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch.nn import functional

from model.checkpoint.weights import Dense, Weights
from model.network.base import Block, Chunk, Network, Norm
from model.network.cache import KVCache

_gelu_tanh = partial(functional.gelu, approximate="tanh")
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "gelu_fast": _gelu_tanh,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
}

_REACH = 128
"""Attention reads positions up to a multiple of this."""

_WARM_UPS = 3
"""Runs before a graph is recorded, in which libraries choose their kernels."""


class Linear:
    """A layer in whatever its tensors are, on whatever device they are.

    Args:
        dense: As it is stored.
    """

    def __init__(self, dense: Dense) -> None:
        self._weight = dense.weight.contiguous()
        self._bias = dense.bias

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (rows, in) to (rows, out)."""
        return functional.linear(inputs, self._weight, self._bias)


class GpuNetwork(Network):
    """The model on a device, in the type of its weights.

    On the CPU nothing is recorded, so that all but the recording can be tested without a GPU.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self._blocks = [Block.read(weights, number).pack(Linear) for number in range(self.architecture.layers)]
        self._last_norm = Norm.read(weights, self.architecture.names.last_norm)
        self._head = Linear(Dense(weights.head(), None))
        self._turns = self._make_turns()
        self._activation = _ACTIVATIONS[self.architecture.activation]
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}

    def make_cache(self, slots: int) -> KVCache:
        """Return a cache for so many songs; graphs of an earlier one are dropped."""
        self._graphs.clear()
        # What a step reads: a token for each row, the position it has, and the slot that its key and value go to.
        self._inputs = torch.zeros(3, slots, dtype=torch.int64, device=self.device)
        self._logits = torch.zeros(slots, self.architecture.vocabulary, device=self.device)
        return super().make_cache(slots + 1)  # Rows without a song write to the last.

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Read one token for every row; see ``Network.decode``."""
        rows, unused = len(tokens), cache.tensor.shape[2] - 1
        padded = min(1 << (rows - 1).bit_length(), unused)
        reach = min(-(-(max(lengths) + 1) // _REACH) * _REACH, self.architecture.context)
        idle = padded - rows
        inputs = torch.tensor([[*tokens, *[0] * idle], [*lengths, *[0] * idle], [*range(rows), *[unused] * idle]])
        self._inputs[:, :padded].copy_(inputs, non_blocking=True)
        if self.device.type != "cuda":
            self._step(padded, reach, cache)
        else:
            if (padded, reach) not in self._graphs:
                self._graphs[padded, reach] = self._record(padded, reach, cache)
            self._graphs[padded, reach].replay()
        return self._logits[:rows]

    def prefill(self, chunks: Sequence[Chunk]) -> None:
        """Read parts of prompts; see ``Network.prefill``."""
        ids = torch.tensor([number for chunk in chunks for number in chunk.ids], device=self.device)
        positions = [chunk.start + place for chunk in chunks for place in range(len(chunk.ids))]
        sizes = [len(chunk.ids) for chunk in chunks]

        def attend(layer: int, projected: torch.Tensor) -> torch.Tensor:
            parts = zip(chunks, torch.split(projected, sizes), strict=True)
            return torch.cat([self._attend_chunk(chunk, layer, part) for chunk, part in parts])

        self._forward(ids, torch.tensor(positions, device=self.device), attend)

    def _record(self, rows: int, reach: int, cache: KVCache) -> torch.cuda.CUDAGraph:
        """Record a step; running it writes the same keys and values to the same places, however often."""
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._step(rows, reach, cache)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Graphs run one after another and leave nothing behind but the logits, so that they can share their memory.
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        with torch.cuda.graph(graph, pool=pool):
            self._step(rows, reach, cache)
        return graph

    def _step(self, rows: int, reach: int, cache: KVCache) -> None:
        """Write the logits of what ``_inputs`` holds to ``_logits``; the host waits for nothing."""
        tokens, positions, slots = self._inputs[:, :rows]
        visible = torch.arange(reach, device=self.device) <= positions.view(-1, 1, 1, 1)  # (rows, 1, 1, reach)

        def attend(layer: int, projected: torch.Tensor) -> torch.Tensor:
            queries, keys, values = self._split(projected, positions)
            kept = cache.tensor[layer]  # (2, slots + 1, positions, key size)
            kept[0][slots, positions] = keys
            kept[1][slots, positions] = values
            return self._attend(layer, queries.unsqueeze(1), kept[:, :rows, :reach], visible).reshape(rows, -1)

        self._logits[:rows] = self._head(self._norm(self._last_norm, self._forward(tokens, positions, attend)))

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, attend: Callable[[int, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Return the hidden states of tokens, shape (tokens, embedding); ``attend`` maps a layer's projections."""
        hidden = self._embed(ids, positions)
        for number, block in enumerate(self._blocks):
            attended = attend(number, block.attention_in(self._norm(block.before_attention, hidden)))
            hidden = hidden + block.attention_out(attended)
            hidden = hidden + block.mlp_out(self._activate(block.mlp_in(self._norm(block.before_mlp, hidden))))
        return hidden

    def _activate(self, projected: torch.Tensor) -> torch.Tensor:
        if not self.architecture.is_gated:
            return self._activation(projected)
        gate, gated = projected.chunk(2, 1)
        return self._activation(gate) * gated

    def _attend_chunk(self, chunk: Chunk, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """Attend within one prompt; ``projected`` is (tokens, queries, keys and values)."""
        tokens, end = len(projected), chunk.start + len(projected)
        queries, keys, values = self._split(projected, torch.arange(chunk.start, end, device=self.device))
        kept = chunk.cache.tensor[layer]  # (2, 1, positions, key size)
        kept[0, 0, chunk.start : end] = keys
        kept[1, 0, chunk.start : end] = values
        visible = torch.ones(tokens, end, dtype=torch.bool, device=self.device).tril(chunk.start)
        attended = self._attend(layer, queries.unsqueeze(0), kept[:, :, :end], visible)
        return attended[0].transpose(0, 1).reshape(tokens, -1)

    def _attend(self, layer: int, queries: torch.Tensor, kept: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        """Attend to keys and values.

        Args:
            layer: The number of the block.
            queries: Shape (songs, tokens, size).
            kept: Keys and values, shape (2, songs, positions, key size).
            visible: Which positions each token attends to; to be broadcast to (songs, heads, tokens, positions).

        Returns:
            Shape (songs, heads, tokens, head size).
        """
        return functional.scaled_dot_product_attention(
            self._by_head(queries),
            self._by_head(kept[0]),
            self._by_head(kept[1]),
            attn_mask=visible,
            scale=self._blocks[layer].scale,
            enable_gqa=self.architecture.kv_heads < self.architecture.heads,
        )

    def _split(self, projected: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return queries, keys and values of tokens, (tokens, size) and twice (tokens, key size), turned."""
        model = self.architecture
        queries, keys, values = torch.split(projected, [model.query_size, model.kv_size, model.kv_size], 1)
        if model.frequencies is None:
            return queries, keys, values
        cosines, sines = self._turns[:, positions].unsqueeze(2).to(projected.dtype)  # (tokens, 1, head size / 2) each
        return *(self._turn(rows, cosines, sines) for rows in (queries, keys)), values

    def _turn(self, rows: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
        """Turn each head of (tokens, size)."""
        x, y = rows.view(len(rows), -1, self.architecture.head_size).chunk(2, 2)
        return torch.cat([x * cosines - y * sines, y * cosines + x * sines], 2).view(len(rows), -1)

    def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
        """View (rows, positions, size) as (rows, heads, positions, head size)."""
        return rows.view(*rows.shape[:2], -1, self.architecture.head_size).transpose(1, 2)

    @staticmethod
    def _norm(norm: Norm, hidden: torch.Tensor) -> torch.Tensor:
        if norm.bias is None:
            return functional.rms_norm(hidden, norm.weight.shape, norm.weight, norm.epsilon)
        return functional.layer_norm(hidden, norm.weight.shape, norm.weight, norm.bias, norm.epsilon)
