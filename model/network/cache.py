"""Where keys and values of the running songs are kept, and how much memory that takes."""

from functools import cached_property

import numpy as np
import torch

from model.checkpoint.architecture import Architecture
from model.network.cpu_kernels import Array


class KVCache:
    """Keys and values of up to ``slots`` songs, each in a slot of its own; of a prompt, in a cache of one slot.

    Args:
        model: Its shape.
        slots: How many songs.
        positions: How many tokens of each.
        device: Where the model computes.
        dtype: What it computes with.
    """

    def __init__(
        self, model: Architecture, slots: int, positions: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        shape = (model.layers, 2, slots, positions, model.kv_size)
        self.tensor = _lazy_zeros(shape) if device.type == "cpu" else torch.zeros(shape, device=device, dtype=dtype)
        """Keys and values of each layer, shape (layers, 2, slots, positions, size); size is key heads by head size."""

    @cached_property
    def arrays(self) -> list[tuple[Array, Array]]:
        """Keys and values of each layer, each of shape (slots, positions, size), of a cache on the CPU."""
        return [(keys, values) for keys, values in self.tensor.numpy()]

    def load(self, slot: int, prompt: "KVCache") -> None:
        """Copy a prompt into a slot."""
        self.tensor[:, :, slot, : prompt.tensor.shape[3]] = prompt.tensor[:, :, 0]

    def move(self, source: int, target: int, positions: int) -> None:
        """Copy the first ``positions`` of a slot to another."""
        self.tensor[:, :, target, :positions] = self.tensor[:, :, source, :positions]


def _lazy_zeros(shape: tuple[int, ...]) -> torch.Tensor:
    # NumPy takes zero pages from the system, so that positions which no song has reached take no memory.
    return torch.from_numpy(np.zeros(shape, np.float32))


def slot_bytes(model: Architecture, dtype: torch.dtype) -> int:
    """Return the bytes of keys and values that a song of the full context takes."""
    return dtype.itemsize * model.layers * 2 * model.context * model.kv_size
