"""Who runs next: which prompts are read in a step, and which request the next free slot goes to."""

import logging
from typing import NamedTuple

from model.engines.sequence import SequenceGroup

log = logging.getLogger(__name__)

CHUNK = 16
"""Tokens of a prompt that are read at once: they take as long as two steps of a single song.

Fixed, since on a GPU where a prompt is cut sways the last bits of its results.
"""

_RESERVE = 4
"""One slot in so many is kept from requests that have as many songs running already."""


class PromptPart(NamedTuple):
    """Tokens of a prompt that are to be read, and where they begin."""

    group: SequenceGroup
    start: int
    ids: list[int]


class Scheduler:
    """Shares the slots of a batch among requests.

    A slot goes to the request that has the fewest songs running, so that one that wants ten songs does not keep others
    from their first.

    Args:
        slots: How many songs run at the same time.
        context: Tokens that the model reads at most.
    """

    def __init__(self, slots: int, context: int) -> None:
        self.slots = slots
        self.context = context
        self.groups: list[SequenceGroup] = []
        self.limit = slots
        """Songs that are written side by side; fewer than the slots where memory ran out."""

    def has_room(self, running: int) -> bool:
        """Whether a slot is left for the first song of another request, while so many songs run."""
        spoken_for = sum(bool(group.waiting) and not group.running for group in self.groups)
        return running + spoken_for < self.limit

    def add(self, group: SequenceGroup) -> None:
        """Take a request."""
        self.groups.append(group)

    def remove(self, group: SequenceGroup) -> None:
        """Let go of a request that has ended; with the last one, all slots may be used again."""
        self.groups.remove(group)
        if not self.groups:
            self.limit = self.slots

    def prompts_to_read(self, running: int) -> list[PromptPart]:
        """Return parts of prompts in the order they came, of long ones so much that running songs hardly wait."""
        budget = max(CHUNK, running) if running else self.context
        parts: list[PromptPart] = []
        for group in self.groups:
            if group.cache is None:  # All its songs have started.
                continue
            for start in range(group.num_read, len(group.prompt_ids) - 1, CHUNK):
                ids = group.prompt_ids[start : min(start + CHUNK, len(group.prompt_ids) - 1)]
                if len(ids) > budget:
                    break
                budget -= len(ids)
                parts.append(PromptPart(group, start, ids))
        return parts

    def next_group(self, running: int) -> SequenceGroup | None:
        """Return the request that the next slot goes to: the first of those that have the fewest songs running."""
        free = self.limit - running
        ready = [group for group in self.groups if group.waiting and group.is_read]
        if free <= 0 or not ready:
            return None
        group = min(ready, key=lambda group: len(group.running))
        is_kept_free = free <= self.slots // _RESERVE <= len(group.running)
        return None if is_kept_free and group.running else group

    def halve(self, running: int) -> bool:
        """Have half as many songs run side by side, since memory ran out; return whether there were several."""
        most = min(self.limit, max(1, running))
        if most == 1:
            return False
        self.limit = most // 2
        log.warning("Out of memory with %d songs side by side, so %d run from now on", most, self.limit)
        return True
