"""The optimizers: AdamW, and Muon for the layers' matrices with AdamW for the rest."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

_MOMENTUM = 0.95
_ADAMW_BETAS = (0.9, 0.95)


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon (`Jordan et al. 2024 <https://kellerjordan.github.io/posts/muon/>`_) for what it is made for.

    It makes the update of a weight matrix orthogonal, so that every direction of it learns alike. Embeddings, biases
    and layer norms have no such directions and go to AdamW. Both take the same learning rate: Muon's updates are
    scaled to the size of AdamW's (`Liu et al. 2025 <https://arxiv.org/abs/2502.16982>`_).

    Args:
        model: The model; its matrices outside of embeddings and the head go to Muon.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay, of the matrices.
    """

    def __init__(self, model: PreTrainedModel, *, lr: float, weight_decay: float) -> None:
        matrices = [
            module.weight
            for module in model.modules()
            if isinstance(module, Conv1D | nn.Linear) and module is not model.get_output_embeddings()
        ]
        matrices = [weight for weight in matrices if weight.requires_grad]
        taken = set(map(id, matrices))
        others = [each for each in model.parameters() if each.requires_grad and id(each) not in taken]
        muon = torch.optim.Muon(
            matrices, lr=lr, weight_decay=weight_decay, momentum=_MOMENTUM, adjust_lr_fn="match_rms_adamw"
        )
        # Adapters are matrices alone, where the model has no new tokens; and AdamW takes no empty list, but a group.
        adamw = torch.optim.AdamW([{"params": others}], lr=lr, weight_decay=0.0, betas=_ADAMW_BETAS)
        self._parts: tuple[torch.optim.Optimizer, ...] = (muon, adamw)
        super().__init__([*muon.param_groups, *adamw.param_groups], {})

    # A scheduler sets the rate in this object's groups, which are therefore those of the parts.
    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both parts."""
        return [group for part in self._parts for group in part.param_groups]

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        """Ignore the empty list that the base class begins with."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Do nothing: the parts have their groups, and the base class adds them once more."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make a step of both."""
        loss = None if closure is None else closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both parts."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state that ``state_dict`` returned."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
