"""The CPU's matrix products over packed weights: what a layer computes with, and how that is chosen.

A layer reads its inputs behind an anchor, a first row that goes from -1 to 1: FBGEMM's int8 takes one scale for all
inputs, and that row, with each of the others brought to [-1, 1] by a scale of its own, keeps it the same for ever. What
comes out is in units of the inputs' scales and lacks the bias; ``model.network.cpu_kernels`` brings both in.

The result of a row does not depend on the rows beside it, bit by bit, in any of the three precisions, so that a seed
gives the same song in any batch:

- float32: matrix products of fewer than ``_LEAST_ROWS`` rows take other kernels, so rows are added.
- float16 weights: FBGEMM sums every output in one order, whatever the number of rows.
- int8: sums of integers have no rounding at all.
"""

import warnings
from typing import ClassVar, Literal, Protocol

import torch
from torch.nn import functional

from model.network.cpu_kernels import quantize

Precision = Literal["int8", "bfloat16", "float16", "float32"]
"""Of the weights; bfloat16 is for GPUs alone, int8 for CPUs alone."""

_LEAST_ROWS = 16
"""From so many on, MKL sums in one order: on AMD's processors from 4 on, on Intel's from 16."""


class PackedLinear(Protocol):
    """Computes ``inputs @ weight.T``."""

    is_scaled: ClassVar[bool]
    """Whether inputs have to be between -1 and 1."""

    def __init__(self, weight: torch.Tensor) -> None:
        """Pack a float32 weight of shape (out, in)."""

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map float32 of shape (1 + rows, in), the anchor first, to (rows, out)."""


def make_anchored(rows: int, size: int) -> torch.Tensor:
    """Return space for inputs of so many rows behind the anchor, shape (1 + rows, size)."""
    inputs = torch.zeros(1 + rows, size)
    inputs[0, 0], inputs[0, -1] = -1.0, 1.0
    return inputs


def fastest_precision(device: torch.device) -> Precision:
    """Return the fastest precision that a device has kernels for."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "int8" if "fbgemm" in torch.backends.quantized.supported_engines else "float32"


class Float32Linear:
    """The layer as it was trained."""

    is_scaled: ClassVar = False

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight.contiguous()

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (1 + rows, in) to (rows, out)."""
        rows = len(inputs) - 1
        if rows >= _LEAST_ROWS:
            return functional.linear(inputs[1:], self._weight)
        return functional.linear(functional.pad(inputs[1:], (0, 0, 0, _LEAST_ROWS - rows)), self._weight)[:rows]


class Float16Linear:
    """Weights in float16, which halves what a step reads; inputs and sums stay float32."""

    is_scaled: ClassVar = False

    def __init__(self, weight: torch.Tensor) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), None)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (1 + rows, in) to (rows, out)."""
        result: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16.default(inputs[1:], self._packed)
        return result


class Int8Linear:
    """Weights in int8 with a scale for each output, inputs in 8 bits."""

    is_scaled: ClassVar = True

    def __init__(self, weight: torch.Tensor) -> None:
        torch.backends.quantized.engine = "fbgemm"
        numbers, scales = torch.empty(weight.shape, dtype=torch.int8), torch.empty(len(weight), dtype=torch.float64)
        quantize(weight.contiguous().numpy(), numbers.numpy(), scales.numpy())
        with warnings.catch_warnings():
            # Quantized tensors are to leave PyTorch one day; there is nothing yet that is as fast.
            warnings.simplefilter("ignore")
            quantized = torch._make_per_channel_quantized_tensor(  # noqa: SLF001 - of what is quantized already
                numbers, scales, torch.zeros(len(weight), dtype=torch.int64), 0
            )
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        # Without VNNI, sums of two products saturate at 16 bits unless the inputs spare one of theirs.
        self._reduce_range = not has_vnni()

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (1 + rows, in), between -1 and 1, to (rows, out)."""
        result: torch.Tensor = torch.ops.quantized.linear_dynamic.default(inputs, self._packed, self._reduce_range)
        return result[1:]


PACKED_LINEARS: dict[str, type[PackedLinear]] = {
    "int8": Int8Linear,
    "float16": Float16Linear,
    "float32": Float32Linear,
}
"""The layers of each precision that CPUs have."""


def has_vnni() -> bool:
    """Return whether int8 has all of its 8 bits for inputs; 7 without these instructions."""
    # Where a PyTorch does not say, the careful answer is right on any processor.
    return bool(getattr(torch.cpu, "_is_vnni_supported", bool)())
