"""The engine: the songs of all jobs side by side, each joining and leaving the batch between two tokens."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer
from model.engines.interface import FinishReason, Job
from model.engines.sequence import Draft, Task
from model.errors import SongFailed
from model.network.base import Chunk, Network
from model.sampling.sampler import RowParams, penalize, sample
from model.song import format_prompt, with_opening_tag

log = logging.getLogger(__name__)

CHUNK = 16
"""Tokens of a prompt that are read at once: they take as long as two steps of a single song.

Fixed, since on a GPU where a prompt is cut sways the last bits of its results.
"""

_SPOILT = "The model gave no usable probabilities for the next word: please try again, with other settings."

_RESERVE = 4
"""One slot in so many is kept from jobs that have as many songs running already."""


class BatchingEngine:
    """An ``Engine`` that writes one token for all running songs in each step.

    A song takes the same course alone as in any batch. A slot goes to the job with the fewest songs running, so that
    one that wants ten songs does not keep others from their first.

    Args:
        checkpoint: What is served.
        network: Its model.
        tokenizer: Its tokenizer.
        slots: How many songs run at the same time.
    """

    def __init__(self, checkpoint: Checkpoint, network: Network[Any], tokenizer: SongTokenizer, slots: int) -> None:
        self.checkpoint = checkpoint
        self._network = network
        self._tokenizer = tokenizer
        self._slots = slots
        self._context = network.config.n_positions
        self._cache = network.make_cache(slots)
        # The tokens of each slot, for the repetition penalty; behind the last stands the first again.
        self._seen = torch.zeros(slots, self._context, dtype=torch.int64, device=network.device)
        self.reset()

    def reset(self) -> None:
        """Drop every job."""
        self._tasks: list[Task] = []
        self._drafts: list[Draft] = []  # of slot 0, 1, …
        self._limit = self._slots  # Drafts beyond keep their slot, and wait.
        self._params: RowParams | None = None  # of the drafts in the limit, while they stay the same

    @property
    def has_room(self) -> bool:
        """Whether a slot is left for the first song of another job."""
        spoken_for = sum(bool(task.waiting) and not task.running for task in self._tasks)
        return len(self._drafts) + spoken_for < self._limit

    @property
    def is_busy(self) -> bool:
        """Whether a job has not ended yet."""
        return bool(self._tasks)

    def add(self, job: Job) -> None:
        """Take a job; see ``Engine.add``."""
        request = job.request
        opening = with_opening_tag(self.checkpoint.opening_tag, request.prompt)
        ids = self._tokenizer.encode(format_prompt(request.header, opening), self._context)
        if not ids:
            raise SongFailed("This model cannot begin without opening words: please give the song some.")
        if max(ids) >= self._network.config.vocab_size:
            raise SongFailed(
                "The model's tokenizer is another model's: whoever hosts the bot has to copy its folder again."
            )
        max_length = min(request.sampling.max_length, self._context - len(ids))
        self._tasks.append(Task(job, opening, ids, max_length, self._network.make_prompt(len(ids) - 1)))

    def step(self, on_update: Callable[[Job], None]) -> None:
        """Write a token for every running song; see ``Engine.step``.

        Raises:
            Exception: Where the model itself fails, which no song survives.
        """
        changed: dict[Task, None] = {}
        with torch.inference_mode():
            self._end_stopped(changed)
            try:
                self._read_prompts()
                self._start_songs(changed)
                self._write_tokens(changed)
            except (RuntimeError, MemoryError) as error:
                self._halve(error)
        for task in changed:
            task.publish()
            if task.job.ended:
                self._tasks.remove(task)
            on_update(task.job)
        if not self._tasks:
            self._limit = self._slots

    def _end_stopped(self, changed: dict[Task, None]) -> None:
        stopped = [task for task in self._tasks if task.job.must_stop]
        for task in stopped:
            task.waiting.clear()
            changed[task] = None
        self._leave({slot: "cancelled" for slot, draft in enumerate(self._drafts) if draft.task in stopped}, changed)

    def _read_prompts(self) -> None:
        """Read prompts in the order they came, of long ones only so much that running songs hardly wait."""
        budget = max(CHUNK, len(self._drafts)) if self._drafts else self._context
        chunks: list[Chunk] = []
        read: list[tuple[Task, int]] = []
        for task in self._tasks:
            if task.cache is None:  # All its songs have started.
                continue
            for start in range(task.num_read, len(task.prompt_ids) - 1, CHUNK):
                ids = task.prompt_ids[start : min(start + CHUNK, len(task.prompt_ids) - 1)]
                if len(ids) > budget:
                    break
                budget -= len(ids)
                chunks.append(Chunk(ids, start, task.cache))
                read.append((task, start + len(ids)))
        if chunks:
            self._network.prefill(chunks)
        for task, num_read in read:
            task.num_read = num_read

    def _start_songs(self, changed: dict[Task, None]) -> None:
        """Give slots to songs: the next always to the job that has the fewest running, of these to the first."""
        ready = [task for task in self._tasks if task.waiting and task.is_read]
        while ready and (free := self._limit - len(self._drafts)) > 0:
            task = min(ready, key=lambda task: len(task.running))
            reserve = self._slots // _RESERVE
            if free <= reserve <= len(task.running) and task.running:
                return
            self._start_song(task, changed)
            if not task.waiting:
                task.cache = None
                ready.remove(task)

    def _start_song(self, task: Task, changed: dict[Task, None]) -> None:
        number = task.waiting.popleft()
        try:
            draft = Draft(task, number, self._tokenizer)
        except Exception as error:  # noqa: BLE001 - a filter that cannot be made costs its own song alone
            task.fail(error)
            changed[task] = None
            return
        assert task.cache is not None, "songs wait for it"
        slot = len(self._drafts)
        self._cache.load(slot, task.cache)
        self._seen[slot] = task.prompt_ids[0]
        self._seen[slot, : len(task.prompt_ids)] = torch.tensor(task.prompt_ids, device=self._network.device)
        self._drafts.append(draft)
        task.running[number] = draft
        self._params = None

    def _write_tokens(self, changed: dict[Task, None]) -> None:
        """Draw a token for every draft, and let those go that end with it."""
        drafts = self._drafts[: self._limit]
        if not drafts:
            return
        lengths = [draft.length for draft in drafts]
        logits = self._network.decode([draft.last_token for draft in drafts], lengths, self._cache)
        for row, draft in enumerate(drafts):
            if draft.filter is not None:
                _apply_filter(draft, logits[row])
        tokens = self._draw(drafts, logits, max(lengths) + 1)
        ended: dict[int, FinishReason] = {}
        for slot, (draft, token) in enumerate(zip(drafts, tokens, strict=True)):
            if token < 0:
                draft.error = draft.error or SongFailed(_SPOILT)
                ended[slot] = "cancelled"
            elif reason := draft.push(token):
                ended[slot] = reason
            draft.task.note(draft)
            changed[draft.task] = None
        self._seen[range(len(drafts)), [length + 1 for length in lengths]] = torch.tensor(
            tokens, device=self._network.device
        ).clamp_(min=0)
        self._leave(ended, changed)

    def _draw(self, drafts: Sequence[Draft], logits: torch.Tensor, num_seen: int) -> list[int]:
        """Return a token for each draft, -1 where none can be drawn; ``logits`` is changed."""
        if self._params is None or len(self._params.top_k) != len(drafts):
            self._params = RowParams.of([draft.sampling for draft in drafts], logits.shape[1], self._network.device)
        penalize(logits, self._seen[: len(drafts), :num_seen], self._params.repetition_penalty)
        uniform = torch.tensor([[draft.uniform] for draft in drafts], dtype=torch.float64).to(
            self._network.device, non_blocking=True
        )
        try:
            tokens: list[int] = sample(logits, self._params, uniform).tolist()
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            # One row may be at fault: each is drawn alone, so that it ends without the others.
            log.exception("A token could not be drawn")
            return [self._draw_alone(draft, logits, uniform, row) for row, draft in enumerate(drafts)]
        return tokens

    def _draw_alone(self, draft: Draft, logits: torch.Tensor, uniform: torch.Tensor, row: int) -> int:
        assert self._params is not None, "the batch was tried with them"
        try:
            only = torch.tensor([row])
            return int(sample(logits[only], self._params.select(only), uniform[only]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this song alone
            draft.error = error
            return -1

    def _leave(self, ended: Mapping[int, FinishReason], changed: dict[Task, None]) -> None:
        """Free the slots of drafts that end; the last draft moves into each gap."""
        for slot in sorted(ended, reverse=True):
            draft = self._drafts[slot]
            draft.task.end(draft, ended[slot])
            changed[draft.task] = None
            last = self._drafts.pop()
            if last is not draft:
                self._drafts[slot] = last
                self._cache.move(len(self._drafts), slot, last.length)
                self._seen[slot] = self._seen[len(self._drafts)]
            self._params = None

    def _halve(self, error: Exception) -> None:
        """Where memory ran out, have fewer songs run side by side; any other error goes on."""
        running = min(self._limit, max(1, len(self._drafts)))
        if running == 1 or not _is_out_of_memory(error):
            raise error
        self._limit = running // 2
        self._params = None
        log.warning("Out of memory with %d songs side by side, so %d run from now on", running, self._limit)


def _apply_filter(draft: Draft, logits: torch.Tensor) -> None:
    """Take the tokens out, in place, that the draft's filter does not allow; ``logits`` is (vocabulary,)."""
    assert draft.filter is not None, "only asked of drafts with a filter"
    try:
        allowed = draft.filter(draft.text)
        if allowed is not None:
            logits.masked_fill_(~allowed.to(logits.device), -torch.inf)
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this song alone
        draft.error = error
        logits.fill_(torch.nan)


def _is_out_of_memory(error: Exception) -> bool:
    # The allocator of the CPU raises a plain RuntimeError: the one sentence on Linux, the other on Windows.
    is_allocation = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    return is_allocation or isinstance(error, MemoryError | torch.OutOfMemoryError)
