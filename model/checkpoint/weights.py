"""Reads the weights of a checkpoint from its safetensors, without transformers, which takes seconds to import."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open

from model.checkpoint.adapter import Adapter
from model.checkpoint.architecture import Architecture
from model.checkpoint.folder import Checkpoint, weight_files
from model.errors import CheckpointError

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of a checkpoint by their names in it, each read when it is asked for."""

    architecture: Architecture
    _files: dict[str, Any]
    """The open file that has a tensor, by the tensor's name without prefix."""
    _names: dict[str, str]
    device: torch.device
    """Where the tensors go."""
    dtype: torch.dtype
    """What they become."""
    _adapter: Adapter = field(default_factory=Adapter)

    @classmethod
    @contextmanager
    def open(
        cls,
        checkpoint: Checkpoint,
        architecture: Architecture,
        device: torch.device = CPU,
        dtype: torch.dtype = torch.float32,
    ) -> Iterator[Self]:
        """Open the weights for as long as the context lasts."""
        files, names = {}, {}
        with ExitStack() as stack:
            for path in weight_files(checkpoint.weights.path):
                file = stack.enter_context(safe_open(path, framework="pt"))
                for full in file.keys():  # noqa: SIM118 - it is no mapping
                    name = full.removeprefix(architecture.names.prefix)
                    files[name], names[name] = file, full
            adapter = Adapter() if checkpoint.base is None else Adapter.read(checkpoint.path)
            yield cls(architecture, files, names, device, dtype, adapter)

    def get(self, name: str, *shape: int) -> torch.Tensor:
        """Read a tensor.

        Args:
            name: As transformers names it, without the prefix of the family.
            shape: What it must have.

        Raises:
            CheckpointError: Where there is no such tensor, one of another shape, or one that holds no usable numbers.
        """
        if name not in self._names:
            raise CheckpointError(f"The weights lack {self.architecture.names.prefix}{name}: copy the folder again.")
        try:
            tensor: torch.Tensor = self._files[name].get_tensor(self._names[name])
        except SafetensorError as error:
            raise CheckpointError(f"The weights' {name} does not load ({error}): copy the folder again.") from error
        has_prefix = not name.startswith("lm_head")
        tensor = self._adapter.apply(f"{self.architecture.names.prefix if has_prefix else ''}{name}", tensor)
        if tensor.shape != shape:
            raise CheckpointError(
                f"The checkpoint does not load: {name} is {tuple(tensor.shape)} where config.json says {shape}. "
                "Copy the whole folder again, or name another."
            )
        converted = tensor.to(self.device, self.dtype)
        if not is_finite(converted):
            raise CheckpointError(why_not_finite(name, tensor, self.dtype))
        return converted

    def linear(self, parts: Sequence[tuple[str, int]], inputs: int, *, has_bias: bool) -> "Dense":
        """Read layers of the same inputs as one.

        Args:
            parts: The name of each, and how many outputs it has.
            inputs: How many inputs they have.
            has_bias: Whether they add biases.
        """
        is_transposed = self.architecture.names.is_transposed
        weights = [
            self.get(f"{name}.weight", inputs, outputs).t()
            if is_transposed
            else self.get(f"{name}.weight", outputs, inputs)
            for name, outputs in parts
        ]
        weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        biases = [self.get(f"{name}.bias", outputs) for name, outputs in parts] if has_bias else []
        return Dense(weight, torch.cat(biases) if biases else None)

    def head(self) -> torch.Tensor:
        """Read the output head, shape (vocabulary, embedding): its own, or the token embedding where that is tied."""
        is_own = not self.architecture.is_tied and "lm_head.weight" in self._names
        name = "lm_head" if is_own else self.architecture.names.tokens
        return self.get(f"{name}.weight", self.architecture.vocabulary, self.architecture.size)


def is_finite(tensor: torch.Tensor) -> bool:
    """Return whether every number of a tensor is neither NaN nor infinite; in one pass and without a copy."""
    if not tensor.numel() or not tensor.is_floating_point():
        return True
    return bool(torch.stack(tensor.detach().aminmax()).isfinite().all())


def why_not_finite(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> str:
    """Return what is wrong with a tensor that holds no usable numbers as ``dtype``, and what helps."""
    if is_finite(tensor):
        return f"The weights' {name} has numbers that are too large for {dtype}: set PRECISION=float32."
    return (
        f"The weights' {name} holds NaN or infinity, so that no song could be drawn: its training went wrong, or it "
        "was saved in float16, which such numbers do not fit. Name an earlier checkpoint, or save it in float32."
    )


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer as it is stored."""

    weight: torch.Tensor
    """Shape (out, in)."""
    bias: torch.Tensor | None
    """Shape (out,)."""
