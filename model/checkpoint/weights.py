"""Reads a GPT-2 checkpoint from its safetensors, without transformers, which takes seconds to import."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open

from model.checkpoint.folder import Checkpoint, weight_files
from model.errors import CheckpointError, describe_violations

CPU = torch.device("cpu")

_PREFIX = "transformer."

ACTIVATIONS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu", "relu")
"""Those of ``activation_function`` that the network knows."""


class Gpt2Config(BaseModel):
    """What ``config.json`` says of a GPT-2, with the defaults of transformers' ``GPT2Config``."""

    model_config = ConfigDict(frozen=True)

    model_type: str
    vocab_size: int = Field(50257, ge=1)
    n_positions: int = Field(1024, ge=2)
    n_embd: int = Field(768, ge=1)
    n_layer: int = Field(12, ge=1)
    n_head: int = Field(12, ge=1)
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True
    quantization_config: dict[str, Any] | None = None

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> Self:
        """Read ``config.json``.

        Raises:
            CheckpointError: Where it is damaged.
        """
        file = checkpoint.path / "config.json"
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise CheckpointError(
                f"{file} does not load: copy the whole folder again, or name another.\n{describe_violations(error)}"
            ) from error

    @property
    def head_size(self) -> int:
        """Numbers in a key or a value of one head."""
        return self.n_embd // self.n_head

    @property
    def inner_size(self) -> int:
        """Width of the hidden layer of each block."""
        return self.n_inner or 4 * self.n_embd

    def why_not(self) -> str | None:
        """Return why the batching engine cannot serve this model; none where it can."""
        if self.model_type != "gpt2":
            return f"its architecture is {self.model_type}, not gpt2"
        if self.activation_function not in ACTIVATIONS:
            return f"its activation function {self.activation_function} is not known"
        if self.add_cross_attention or self.quantization_config or self.n_embd % self.n_head:
            return "it is no plain GPT-2"
        return None


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of a GPT-2 by their names in it, each read when it is asked for."""

    config: Gpt2Config
    _files: dict[str, Any]
    """The open file that has a tensor, by the tensor's name without prefix."""
    _names: dict[str, str]
    device: torch.device
    """Where the tensors go."""
    dtype: torch.dtype
    """What they become."""

    @classmethod
    @contextmanager
    def open(
        cls,
        checkpoint: Checkpoint,
        config: Gpt2Config,
        device: torch.device = CPU,
        dtype: torch.dtype = torch.float32,
    ) -> Iterator[Self]:
        """Open the weights for as long as the context lasts."""
        files, names = {}, {}
        with ExitStack() as stack:
            for path in weight_files(checkpoint.path):
                file = stack.enter_context(safe_open(path, framework="pt"))
                for full in file.keys():  # noqa: SIM118 - it is no mapping
                    name = full.removeprefix(_PREFIX)
                    files[name], names[name] = file, full
            yield cls(config, files, names, device, dtype)

    def get(self, name: str, *shape: int) -> torch.Tensor:
        """Read a tensor.

        Args:
            name: As in ``GPT2LMHeadModel``, without the leading ``transformer.``.
            shape: What it must have.

        Raises:
            CheckpointError: Where there is no such tensor, or one of another shape.
        """
        if name not in self._names:
            raise CheckpointError(f"The weights lack {_PREFIX}{name}: copy the folder again.")
        try:
            tensor: torch.Tensor = self._files[name].get_tensor(self._names[name])
        except SafetensorError as error:
            raise CheckpointError(f"The weights' {name} does not load ({error}): copy the folder again.") from error
        if tensor.shape != shape:
            raise CheckpointError(
                f"The checkpoint does not load: {name} is {tuple(tensor.shape)} where config.json says {shape}. "
                "Copy the whole folder again, or name another."
            )
        return tensor.to(self.device, self.dtype)

    def head(self) -> torch.Tensor:
        """Read the output head, shape (vocabulary, embedding): its own, or the token embedding where that is tied."""
        shape = (self.config.vocab_size, self.config.n_embd)
        is_own = not self.config.tie_word_embeddings and "lm_head.weight" in self._names
        return self.get("lm_head.weight" if is_own else "wte.weight", *shape)
