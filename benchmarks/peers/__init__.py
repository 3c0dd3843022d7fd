"""What a host could run instead of the engine: the same checkpoint and the same sampling behind other libraries.

Needs the extra packages of ``pip install -e '.[peers]'``. A library is imported in the process of its own side alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model import SamplingParams

Side = Callable[[Sequence[Sequence[int]], SamplingParams], object]
"""Writes ``max_length`` tokens after each prompt, never fewer."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What every side is made of."""

    work: Path
    """Where what is converted from the checkpoint is kept."""
    checkpoint: Path
    """Its folder."""
    threads: int
    rows: int
    """Side by side at most."""
    context: int
    """Tokens of a row at most."""
    precision: Literal["auto", "int8", "float16", "float32"]
    """Of this engine's weights."""
