"""Who takes part in a run: one process, or those that ``torchrun`` or ``accelerate launch`` has started."""

from dataclasses import dataclass
from typing import Self

import torch
from accelerate import PartialState
from accelerate.utils import gather_object


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among the others."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls) -> Self:
        """Meet the other processes, over gloo without a GPU; blocks until all are there."""
        state = PartialState(cpu=not torch.cuda.is_available())
        return cls(state.process_index, state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, prints and moves ``current``."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - it is the subject
        """Return whether ``flag`` is true in at least one process; every process must ask."""
        return flag if self.world == 1 else any(gather_object([flag]))

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            PartialState().wait_for_everyone()
