"""Where keys and values of the running songs are kept, and how much memory that takes.

The cache is cut into blocks of ``BLOCK`` positions, and the first block of all slots lies before the second of any:
a step reads what it needs in long runs, and positions that no song has reached never take memory.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch

from model.weights import CPU, Gpt2Config

BLOCK = 32
"""Positions in a block."""


@dataclass(frozen=True, slots=True)
class PromptCache:
    """Keys and values of one prompt, which all its songs start from."""

    tensor: torch.Tensor
    """Shape (layers, 2, heads, positions, head size)."""

    @classmethod
    def of(
        cls, config: Gpt2Config, positions: int, device: torch.device = CPU, dtype: torch.dtype = torch.float32
    ) -> "PromptCache":
        """Return a cache for a prompt of that many tokens, yet to be filled."""
        shape = (config.n_layer, 2, config.n_head, positions, config.head_size)
        return cls(torch.zeros(shape, device=device, dtype=dtype))


@dataclass(frozen=True, slots=True)
class Reach:
    """One block in a step: the rows that reach into it, from the first slot on, and what each may see of it."""

    rows: int
    """Rows times heads."""
    mask: torch.Tensor
    """Zero or minus infinity, shape (rows times heads, 1, BLOCK)."""


class SongCache(Protocol):
    """Keys and values of the running songs, each in a slot of its own."""

    def load(self, slot: int, prompt: PromptCache) -> None:
        """Copy a prompt into a slot."""

    def move(self, source: int, target: int, positions: int) -> None:
        """Copy the first ``positions`` of a slot to another."""


class KVCache:
    """A ``SongCache`` for the CPU: keys and values of up to ``slots`` songs, each in a slot of its own.

    Args:
        config: The model's shape.
        slots: How many songs.
    """

    def __init__(self, config: Gpt2Config, slots: int) -> None:
        self._heads = config.n_head
        self._slots = slots
        shape = (config.n_layer, 2, _num_blocks(config), slots, config.n_head, BLOCK, config.head_size)
        # Pages of an anonymous map are zero, and take memory only once they are written to.
        self._tensor = torch.frombuffer(mmap.mmap(-1, 4 * prod(shape)), dtype=torch.float32).view(shape)
        # Every position of every head is a line of this view, each layer apart.
        self._lines = self._tensor.view(config.n_layer, -1, config.head_size)
        # Keys and values of each block of each layer, each of shape (slots times heads, BLOCK, head size).
        self._blocks = [[block.unbind() for block in layer.unbind(1)] for layer in self._tensor.flatten(3, 4)]

    def load(self, slot: int, prompt: PromptCache) -> None:
        """Copy a prompt into a slot."""
        positions = prompt.tensor.shape[3]
        for block, start in enumerate(range(0, positions, BLOCK)):
            part = prompt.tensor[:, :, :, start : start + BLOCK]
            self._tensor[:, :, block, slot, :, : part.shape[3]] = part

    def move(self, source: int, target: int, positions: int) -> None:
        """Copy the first ``positions`` of a slot to another."""
        used = -(-positions // BLOCK)
        self._tensor[:, :, :used, target] = self._tensor[:, :, :used, source]

    def lines(self, positions: torch.Tensor) -> torch.Tensor:
        """Return where the keys and values go that the first rows are to add.

        Args:
            positions: The next position of each row, shape (rows,).

        Returns:
            Indices for ``write``, shape (rows, 2, heads).
        """
        _, parts, blocks, slots, heads, size, _ = self._tensor.shape
        slot = torch.arange(len(positions))
        line = ((positions // size) * slots + slot) * heads * size + positions % size  # (rows,)
        part = torch.arange(parts).unsqueeze(1) * (blocks * slots * heads * size)
        return line.view(-1, 1, 1) + part + torch.arange(heads) * size

    def write(self, layer: int, lines: torch.Tensor, new: torch.Tensor) -> None:
        """Add a key and a value to every row; ``new`` is (rows, 2, heads, head size)."""
        self._lines[layer].index_put_((lines,), new)

    def reaches(self, lengths: Sequence[int]) -> list[Reach]:
        """Return the blocks that rows of these lengths reach into, the new position included."""
        ends = torch.tensor(lengths).view(-1, 1, 1)
        found = []
        for start in range(0, max(lengths), BLOCK):
            rows = max(row for row, length in enumerate(lengths) if length > start) + 1
            hidden = torch.arange(start, start + BLOCK) >= ends[:rows]  # (rows, 1, BLOCK)
            mask = torch.zeros(rows, 1, BLOCK).masked_fill_(hidden, -torch.inf)
            found.append(Reach(rows * self._heads, mask.repeat_interleave(self._heads, 0)))
        return found

    def block(self, layer: int, number: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and the values of a block, each (rows, BLOCK, head size); ``rows`` counts heads."""
        keys, values = self._blocks[layer][number]
        return keys[:rows], values[:rows]


def _num_blocks(config: Gpt2Config) -> int:
    return -(-config.n_positions // BLOCK)


def slot_bytes(config: Gpt2Config, dtype: torch.dtype) -> int:
    """Return the bytes of keys and values that a song of the full context takes."""
    return dtype.itemsize * config.n_layer * 2 * _num_blocks(config) * BLOCK * config.n_embd
