"""GPT-2 on a GPU: each size of batch is recorded once as a CUDA graph and then replayed whole.

A step on a GPU is hundreds of kernels of a few microseconds each: started one by one from Python, starting them takes
longer than running them.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from model.cache import PromptCache
from model.linear import PlainLinear
from model.network import Network
from model.weights import Gpt2Config, Weights

_REACH = 128
"""Attention reads positions up to a multiple of this."""

_WARM_UPS = 3
"""Runs before a graph is recorded, in which libraries choose their kernels."""


class GpuCache:
    """A ``SongCache`` of whole rows, with one slot more than songs, into which rows without a song write."""

    def __init__(self, config: Gpt2Config, slots: int, device: torch.device, dtype: torch.dtype) -> None:
        shape = (config.n_layer, 2, slots + 1, config.n_head, config.n_positions, config.head_size)
        self.slots = slots
        self.tensor = torch.zeros(shape, device=device, dtype=dtype)

    def load(self, slot: int, prompt: PromptCache) -> None:
        """Copy a prompt into a slot."""
        self.tensor[:, :, slot, :, : prompt.tensor.shape[3]] = prompt.tensor

    def move(self, source: int, target: int, positions: int) -> None:
        """Copy the first ``positions`` of a slot to another."""
        self.tensor[:, :, target, :, :positions] = self.tensor[:, :, source, :, :positions]


class GpuNetwork(Network):
    """The model on a device, in the type of its weights.

    On the CPU nothing is recorded, so that all but the recording can be tested without a GPU.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, PlainLinear)
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}

    def make_cache(self, slots: int) -> GpuCache:  # type: ignore[override]
        """Return a cache for so many songs; graphs of an earlier one are dropped."""
        self._graphs.clear()
        # What a step reads: a token for each row, the position it has, and the slot that its key and value go to.
        self._inputs = torch.zeros(3, slots, dtype=torch.int64, device=self.device)
        self._logits = torch.zeros(slots, self.config.vocab_size, device=self.device)
        return GpuCache(self.config, slots, self.device, self._dtype)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], cache: GpuCache) -> torch.Tensor:  # type: ignore[override]
        """Read one token for every row; see ``Network.decode``. The next call overwrites the logits."""
        rows = len(tokens)
        padded = min(1 << (rows - 1).bit_length(), cache.slots)
        reach = min(-(-(max(lengths) + 1) // _REACH) * _REACH, self.config.n_positions)
        idle = padded - rows
        inputs = torch.tensor([[*tokens, *[0] * idle], [*lengths, *[0] * idle], [*range(rows), *[cache.slots] * idle]])
        self._inputs[:, :padded].copy_(inputs, non_blocking=True)
        if self.device.type != "cuda":
            self._step(padded, reach, cache)
        else:
            if (padded, reach) not in self._graphs:
                self._graphs[padded, reach] = self._record(padded, reach, cache)
            self._graphs[padded, reach].replay()
        return self._logits[:rows]

    def _record(self, rows: int, reach: int, cache: GpuCache) -> torch.cuda.CUDAGraph:
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

    def _step(self, rows: int, reach: int, cache: GpuCache) -> None:
        """Write the logits of what ``_inputs`` holds to ``_logits``; the host waits for nothing."""
        tokens, positions, slots = self._inputs[:, :rows]
        heads, size = self.config.n_head, self.config.head_size
        visible = torch.arange(reach, device=self.device) <= positions.view(-1, 1, 1, 1)  # (rows, 1, 1, reach)

        def attend(layer: int, projected: torch.Tensor) -> torch.Tensor:
            queries, keys, values = projected.view(rows, 3, heads, size).unbind(1)
            kept = cache.tensor[layer]  # (2, slots + 1, heads, positions, head size)
            kept[0][slots, :, positions] = keys
            kept[1][slots, :, positions] = values
            attended = functional.scaled_dot_product_attention(
                queries.unsqueeze(2),
                kept[0, :rows, :, :reach],
                kept[1, :rows, :, :reach],
                attn_mask=visible,
                scale=self._blocks[layer].scale,
            )
            return attended.reshape(rows, heads * size)

        self._logits[:rows] = self._head(self._last_norm(self._forward(tokens, positions, attend)))
