"""An adapter as PEFT saves it: small matrices that are added to a base's weights while those are loaded.

LoRA (`Hu et al. 2021 <https://arxiv.org/abs/2106.09685>`_), with whole tensors and single rows of embeddings that were
learnt beside it. PEFT itself is not needed.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from model.checkpoint.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from model.errors import CheckpointError, describe_violations

_PREFIX = "base_model.model."
_ROWS = ".token_adapter.trainable_tokens_delta"
_FIRST, _SECOND = re.compile(r"\.lora_(embedding_)?A(\.weight)?$"), re.compile(r"\.lora_(embedding_)?B(\.weight)?$")


class _Config(BaseModel):
    """What ``adapter_config.json`` says."""

    model_config = ConfigDict(frozen=True)

    peft_type: Literal["LORA"]
    lora_alpha: float = 8
    use_rslora: bool = False
    use_dora: Literal[False] = False
    fan_in_fan_out: bool = False
    alpha_pattern: dict[str, float] = {}
    trainable_token_indices: list[int] | dict[str, list[int]] | None = None

    def scale(self, module: str, rank: int) -> float:
        """Return what the product of a module's two matrices is multiplied by."""
        patterns = self.alpha_pattern.items()
        alpha = next((a for pattern, a in patterns if re.fullmatch(rf"(.*\.)?({pattern})", module)), self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)

    def rows(self, module: str) -> list[int]:
        """Return the tokens whose rows were learnt in an embedding."""
        indices = self.trainable_token_indices or []
        return indices if isinstance(indices, list) else indices[module.rpartition(".")[2]]


@dataclass(frozen=True, slots=True)
class Adapter:
    """What is to change in a base's tensors, by their names in transformers."""

    products: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    """Two matrices whose product is added, of shapes (rows, rank) and (rank, columns)."""
    wholes: dict[str, torch.Tensor] = field(default_factory=dict)
    """What takes a tensor's place, such as embeddings that have grown."""
    rows: dict[str, tuple[list[int], torch.Tensor]] = field(default_factory=dict)
    """Rows of embeddings, by token, and what takes their place."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read an adapter's folder.

        Raises:
            CheckpointError: Where it is damaged, or no LoRA that is known.
        """
        try:
            config = _Config.model_validate_json((folder / ADAPTER_CONFIG).read_bytes())
            tensors = load_file(folder / ADAPTER_WEIGHTS)
            adapter = cls()
            for name, tensor in tensors.items():
                adapter._add(config, name, tensor.float(), tensors)
        except ValidationError as error:
            raise CheckpointError(
                f"The adapter {folder} is of a kind that is not known: merge it into its base with PEFT "
                f"(merge_and_unload), and name the result.\n{describe_violations(error)}"
            ) from error
        except (OSError, SafetensorError, KeyError) as error:
            raise CheckpointError(f"The adapter {folder} does not load ({error}): copy the folder again.") from error
        return adapter

    def apply(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return what a tensor of the base becomes, in its own precision."""
        changed = self.wholes.get(name, tensor)
        if name in self.products:
            left, right = self.products[name]
            changed = torch.addmm(changed.float(), left, right)
        if name in self.rows:
            tokens, rows = self.rows[name]
            changed = changed.index_copy(0, torch.tensor(tokens), rows.to(changed.dtype))
        return changed.to(tensor.dtype)

    def _add(self, config: _Config, name: str, tensor: torch.Tensor, tensors: dict[str, torch.Tensor]) -> None:
        name = name.removeprefix(_PREFIX).replace(".base_layer.", ".")
        if name.endswith(_ROWS):
            module = name.removesuffix(_ROWS)
            self.rows[f"{module}.weight"] = config.rows(module), tensor
        elif found := _FIRST.search(name):
            module = name[: found.start()]
            second = tensors[_PREFIX + _FIRST.sub(lambda match: match[0].replace("A", "B"), name)].float()
            left, right = second * config.scale(module, len(tensor)), tensor
            # Embeddings are (token, size), and GPT-2's layers (in, out), where others are (out, in).
            is_transposed = bool(found[1]) or config.fan_in_fan_out
            self.products[f"{module}.weight"] = (right.t(), left.t()) if is_transposed else (left, right)
        elif ".lora_" not in name:
            self.wholes[name] = tensor
        elif not _SECOND.search(name):
            raise KeyError(name)
