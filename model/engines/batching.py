"""The engine: the songs of all requests side by side, each joining and leaving the batch between two tokens."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch

from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer
from model.engines.interface import FinishReason, RequestState
from model.engines.sequence import Sequence, SequenceGroup
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
"""One slot in so many is kept from requests that have as many songs running already."""


class BatchingEngine:
    """An ``Engine`` that writes one token for all running songs in each step.

    A song takes the same course alone as in any batch. A slot goes to the request that has the fewest songs running, so
    that one that wants ten songs does not keep others from their first.

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
        self._context = network.architecture.context
        self._cache = network.make_cache(slots)
        # The tokens of each slot, for the repetition penalty; behind the last stands the first again.
        self._seen = torch.zeros(slots, self._context, dtype=torch.int64, device=network.device)
        self.reset()

    def reset(self) -> None:
        """Drop every request."""
        self._groups: list[SequenceGroup] = []
        self._sequences: list[Sequence] = []  # of slot 0, 1, …
        self._limit = self._slots  # Sequences beyond keep their slot, and wait.
        self._params: RowParams | None = None  # of the sequences in the limit, while they stay the same

    @property
    def has_room(self) -> bool:
        """Whether a slot is left for the first song of another request."""
        spoken_for = sum(bool(group.waiting) and not group.running for group in self._groups)
        return len(self._sequences) + spoken_for < self._limit

    @property
    def is_busy(self) -> bool:
        """Whether a request has not ended yet."""
        return bool(self._groups)

    def add(self, state: RequestState) -> None:
        """Take a request; see ``Engine.add``."""
        request = state.request
        opening = with_opening_tag(self.checkpoint.opening_tag, request.prompt)
        ids = self._tokenizer.encode(format_prompt(request.header, opening), self._context)
        if not ids:
            raise SongFailed("This model cannot begin without opening words: please give the song some.")
        if max(ids) >= self._network.architecture.vocabulary:
            raise SongFailed(
                "The model's tokenizer is another model's: whoever hosts the bot has to copy its folder again."
            )
        max_length = min(request.sampling.max_length, self._context - len(ids))
        self._groups.append(SequenceGroup(state, opening, ids, max_length, self._network.make_prompt(len(ids) - 1)))

    def step(self, on_update: Callable[[RequestState], None]) -> None:
        """Write a token for every running song; see ``Engine.step``.

        Raises:
            Exception: Where the model itself fails, which no song survives.
        """
        changed: dict[SequenceGroup, None] = {}
        with torch.inference_mode():
            self._end_stopped(changed)
            try:
                self._read_prompts()
                self._start_songs(changed)
                self._write_tokens(changed)
            except (RuntimeError, MemoryError) as error:
                self._halve(error)
        for group in changed:
            group.publish()
            if group.state.ended:
                self._groups.remove(group)
            on_update(group.state)
        if not self._groups:
            self._limit = self._slots

    def _end_stopped(self, changed: dict[SequenceGroup, None]) -> None:
        stopped = [group for group in self._groups if group.state.must_stop]
        for group in stopped:
            group.waiting.clear()
            changed[group] = None
        self._leave(
            {slot: "cancelled" for slot, sequence in enumerate(self._sequences) if sequence.group in stopped}, changed
        )

    def _read_prompts(self) -> None:
        """Read prompts in the order they came, of long ones only so much that running songs hardly wait."""
        budget = max(CHUNK, len(self._sequences)) if self._sequences else self._context
        chunks: list[Chunk] = []
        read: list[tuple[SequenceGroup, int]] = []
        for group in self._groups:
            if group.cache is None:  # All its songs have started.
                continue
            for start in range(group.num_read, len(group.prompt_ids) - 1, CHUNK):
                ids = group.prompt_ids[start : min(start + CHUNK, len(group.prompt_ids) - 1)]
                if len(ids) > budget:
                    break
                budget -= len(ids)
                chunks.append(Chunk(ids, start, group.cache))
                read.append((group, start + len(ids)))
        if chunks:
            self._network.prefill(chunks)
        for group, num_read in read:
            group.num_read = num_read

    def _start_songs(self, changed: dict[SequenceGroup, None]) -> None:
        """Give slots to songs: the next always to the request that has the fewest running, of these to the first."""
        ready = [group for group in self._groups if group.waiting and group.is_read]
        while ready and (free := self._limit - len(self._sequences)) > 0:
            group = min(ready, key=lambda group: len(group.running))
            reserve = self._slots // _RESERVE
            if free <= reserve <= len(group.running) and group.running:
                return
            self._start_song(group, changed)
            if not group.waiting:
                group.cache = None
                ready.remove(group)

    def _start_song(self, group: SequenceGroup, changed: dict[SequenceGroup, None]) -> None:
        number = group.waiting.popleft()
        try:
            sequence = Sequence(group, number, self._tokenizer)
        except Exception as error:  # noqa: BLE001 - a filter that cannot be made costs its own song alone
            group.fail(error)
            changed[group] = None
            return
        assert group.cache is not None, "songs wait for it"
        slot = len(self._sequences)
        self._cache.load(slot, group.cache)
        self._seen[slot] = group.prompt_ids[0]
        self._seen[slot, : len(group.prompt_ids)] = torch.tensor(group.prompt_ids, device=self._network.device)
        self._sequences.append(sequence)
        group.running[number] = sequence
        self._params = None

    def _write_tokens(self, changed: dict[SequenceGroup, None]) -> None:
        """Draw a token for every sequence, and let those go that end with it."""
        sequences = self._sequences[: self._limit]
        if not sequences:
            return
        lengths = [sequence.length for sequence in sequences]
        logits = self._network.decode([sequence.last_token for sequence in sequences], lengths, self._cache)
        for row, sequence in enumerate(sequences):
            if sequence.filter is not None:
                _apply_filter(sequence, logits[row])
        tokens = self._draw(sequences, logits, max(lengths) + 1)
        ended: dict[int, FinishReason] = {}
        for slot, (sequence, token) in enumerate(zip(sequences, tokens, strict=True)):
            if token < 0:
                sequence.error = sequence.error or SongFailed(_SPOILT)
                ended[slot] = "cancelled"
            elif reason := sequence.push(token):
                ended[slot] = reason
            sequence.group.note(sequence)
            changed[sequence.group] = None
        self._seen[range(len(sequences)), [length + 1 for length in lengths]] = torch.tensor(
            tokens, device=self._network.device
        ).clamp_(min=0)
        self._leave(ended, changed)

    def _draw(self, sequences: list[Sequence], logits: torch.Tensor, num_seen: int) -> list[int]:
        """Return a token for each sequence, -1 where none can be drawn; ``logits`` is changed."""
        if self._params is None or len(self._params.top_k) != len(sequences):
            self._params = RowParams.of(
                [sequence.sampling for sequence in sequences], logits.shape[1], self._network.device
            )
        penalize(logits, self._seen[: len(sequences), :num_seen], self._params.repetition_penalty)
        uniform = torch.tensor([[sequence.uniform] for sequence in sequences], dtype=torch.float64).to(
            self._network.device, non_blocking=True
        )
        try:
            tokens: list[int] = sample(logits, self._params, uniform).tolist()
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            # One row may be at fault: each is drawn alone, so that it ends without the others.
            log.exception("A token could not be drawn")
            return [self._draw_alone(sequence, logits, uniform, row) for row, sequence in enumerate(sequences)]
        return tokens

    def _draw_alone(self, sequence: Sequence, logits: torch.Tensor, uniform: torch.Tensor, row: int) -> int:
        assert self._params is not None, "the batch was tried with them"
        try:
            only = torch.tensor([row])
            return int(sample(logits[only], self._params.select(only), uniform[only]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this song alone
            sequence.error = error
            return -1

    def _leave(self, ended: Mapping[int, FinishReason], changed: dict[SequenceGroup, None]) -> None:
        """Free the slots of sequences that end; the last sequence moves into each gap."""
        for slot in sorted(ended, reverse=True):
            sequence = self._sequences[slot]
            sequence.group.end(sequence, ended[slot])
            changed[sequence.group] = None
            last = self._sequences.pop()
            if last is not sequence:
                self._sequences[slot] = last
                self._cache.move(len(self._sequences), slot, last.length)
                self._seen[slot] = self._seen[len(self._sequences)]
            self._params = None

    def _halve(self, error: Exception) -> None:
        """Where memory ran out, have fewer songs run side by side; any other error goes on."""
        running = min(self._limit, max(1, len(self._sequences)))
        if running == 1 or not _is_out_of_memory(error):
            raise error
        self._limit = running // 2
        self._params = None
        log.warning("Out of memory with %d songs side by side, so %d run from now on", running, self._limit)


def _apply_filter(sequence: Sequence, logits: torch.Tensor) -> None:
    """Take the tokens out, in place, that the sequence's filter does not allow; ``logits`` is (vocabulary,)."""
    assert sequence.filter is not None, "only asked of sequences with a filter"
    try:
        allowed = sequence.filter(sequence.text)
        if allowed is not None:
            logits.masked_fill_(~allowed.to(logits.device), -torch.inf)
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this song alone
        sequence.error = error
        logits.fill_(torch.nan)


def _is_out_of_memory(error: Exception) -> bool:
    # The allocator of the CPU raises a plain RuntimeError: the one sentence on Linux, the other on Windows.
    is_allocation = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    return is_allocation or isinstance(error, MemoryError | torch.OutOfMemoryError)
