"""The engine: the songs of all requests side by side, each joining and leaving the batch between two tokens."""

import logging
from collections.abc import Callable, Mapping

import torch

from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer
from model.engines.interface import FinishReason, RequestState
from model.engines.lyric_rules import LyricRules
from model.engines.scheduler import Scheduler
from model.engines.sequence import Sequence, SequenceGroup
from model.errors import SongFailed
from model.network.base import Chunk, Network
from model.sampling.sampler import RowParams, penalize, sample
from model.song import format_prompt, with_opening_tag

log = logging.getLogger(__name__)

_SPOILT = "The model gave no usable probabilities for the next word: please try again, with other settings."

_NOT_COUNTED = -1


class BatchingEngine:
    """An ``Engine`` that writes one token for all running songs in each step.

    A song takes the same course alone as in any batch; ``Scheduler`` decides which songs run.

    Args:
        checkpoint: What is served.
        network: Its model.
        tokenizer: Its tokenizer.
        slots: How many songs run at the same time.
        rules: How its songs are written beside their sampling.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        tokenizer: SongTokenizer,
        slots: int,
        rules: LyricRules | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self._network = network
        self._tokenizer = tokenizer
        self._slots = slots
        self._rules = rules or LyricRules()
        self._context = network.architecture.context
        self._cache = network.make_cache(slots)
        # No token has them, so they are never drawn.
        self._lacking = torch.tensor(tokenizer.lacking, dtype=torch.int64, device=network.device)
        # The tokens of each slot that the repetition penalty counts, each at its place; -1 stands for none.
        self._seen = torch.full((slots, self._context), _NOT_COUNTED, dtype=torch.int64, device=network.device)
        self.reset()

    def reset(self) -> None:
        """Drop every request."""
        self._scheduler = Scheduler(self._slots, self._context)
        self._sequences: list[Sequence] = []  # of slot 0, 1, …; those beyond the scheduler's limit wait
        self._params: RowParams | None = None  # of the sequences in the limit, while they stay the same

    @property
    def has_room(self) -> bool:
        """Whether a slot is left for the first song of another request."""
        return self._scheduler.has_room(len(self._sequences))

    @property
    def is_busy(self) -> bool:
        """Whether a request has not ended yet."""
        return bool(self._scheduler.groups)

    def add(self, state: RequestState) -> None:
        """Take a request; see ``Engine.add``."""
        request = state.request
        opening = with_opening_tag(self.checkpoint.opening_tag, request.prompt)
        ids = self._tokenizer.encode(format_prompt(request.header, opening), self._context)
        max_length = min(request.sampling.max_length, self._context - len(ids))
        counted = self._counted(ids, len(str(request.header)))
        cache = self._network.make_prompt(len(ids) - 1)
        self._scheduler.add(SequenceGroup(state, self._rules, opening, ids, counted, max_length, cache))

    def _counted(self, prompt_ids: list[int], header: int) -> list[int]:
        """Return the tokens of a prompt that the penalty counts, -1 in the place of any other.

        Args:
            prompt_ids: All of them.
            header: How many characters of its text are the header's.
        """
        if not self._rules.penalizes_words:
            return prompt_ids
        text = self._tokenizer.stream()
        counted = []
        for token in prompt_ids:
            before = text.text
            text.push(token)
            counts = len(text.text) > header and self._rules.counts(self._tokenizer.text_of(token), before)
            counted.append(token if counts else _NOT_COUNTED)
        return counted

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
                self._start_songs()
                self._write_tokens(changed)
            except (RuntimeError, MemoryError) as error:
                self._halve(error)
        for group in changed:
            group.publish()
            if group.state.ended:
                self._scheduler.remove(group)
            on_update(group.state)

    def _end_stopped(self, changed: dict[SequenceGroup, None]) -> None:
        stopped = [group for group in self._scheduler.groups if group.state.must_stop]
        for group in stopped:
            group.waiting.clear()
            changed[group] = None
        self._leave(
            {slot: "cancelled" for slot, sequence in enumerate(self._sequences) if sequence.group in stopped}, changed
        )

    def _read_prompts(self) -> None:
        parts = self._scheduler.prompts_to_read(len(self._sequences))
        chunks = [Chunk(ids, start, group.cache) for group, start, ids in parts if group.cache is not None]
        if chunks:
            self._network.prefill(chunks)
        for group, start, ids in parts:
            group.num_read = start + len(ids)

    def _start_songs(self) -> None:
        while group := self._scheduler.next_group(len(self._sequences)):
            self._start_song(group)
            if not group.waiting:
                group.cache = None

    def _start_song(self, group: SequenceGroup) -> None:
        sequence = Sequence(group, group.waiting.popleft(), self._tokenizer)
        assert group.cache is not None, "songs wait for it"
        slot = len(self._sequences)
        self._cache.load(slot, group.cache)
        self._seen[slot] = _NOT_COUNTED
        self._seen[slot, : len(group.prompt_ids)] = torch.tensor(group.counted, device=self._network.device)
        self._sequences.append(sequence)
        group.running[sequence.number] = sequence
        self._params = None

    def _write_tokens(self, changed: dict[SequenceGroup, None]) -> None:
        """Draw a token for every sequence, and let those go that end with it."""
        sequences = self._sequences[: self._scheduler.limit]
        if not sequences:
            return
        lengths = [sequence.length for sequence in sequences]
        logits = self._network.decode([sequence.last_token for sequence in sequences], lengths, self._cache)
        if len(self._lacking):
            logits.index_fill_(1, self._lacking, -torch.inf)
        tokens = self._draw(sequences, logits, max(lengths) + 1)
        ended: dict[int, FinishReason] = {}
        for slot, (sequence, token) in enumerate(zip(sequences, tokens, strict=True)):
            if token < 0:
                sequence.error = sequence.error or SongFailed(_SPOILT)
                ended[slot] = "cancelled"
            elif reason := sequence.push(sequence.returning.popleft() if sequence.returning else token):
                ended[slot] = reason
            sequence.group.note(sequence)
            changed[sequence.group] = None
        counted = [sequence.last_token if sequence.counts else _NOT_COUNTED for sequence in sequences]
        self._seen[range(len(sequences)), [length + 1 for length in lengths]] = torch.tensor(
            counted, device=self._network.device
        )
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
        if not _is_out_of_memory(error) or not self._scheduler.halve(len(self._sequences)):
            raise error
        self._params = None


def _is_out_of_memory(error: Exception) -> bool:
    # The allocator of the CPU raises a plain RuntimeError: the one sentence on Linux, the other on Windows.
    is_allocation = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    return is_allocation or isinstance(error, MemoryError | torch.OutOfMemoryError)
