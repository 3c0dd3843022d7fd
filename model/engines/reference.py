"""The reference engine: transformers' own ``generate``, one request at a time.

It is the plainest correct one, so that a faster engine can be checked against it.
"""

from collections.abc import Callable
from typing import Self

import torch
from transformers import GenerationConfig, PreTrainedModel, StoppingCriteria, StoppingCriteriaList

from model.checkpoint.folder import Checkpoint
from model.checkpoint.pretrained import load_pretrained
from model.checkpoint.tokenizer import SongTokenizer
from model.engines.interface import FinishReason, GeneratedSong, Request, SerialEngine
from model.errors import SongFailed
from model.network.machine import use_threads
from model.sampling.params import SamplingParams
from model.song import cut_at_line_end, format_prompt, with_opening_tag


class ReferenceEngine(SerialEngine):
    """An ``Engine`` over ``PreTrainedModel.generate``."""

    def __init__(self, checkpoint: Checkpoint, model: PreTrainedModel, tokenizer: SongTokenizer) -> None:
        super().__init__(checkpoint)
        self._model = model.eval()
        self.tokenizer = tokenizer
        self._context: int = model.config.max_position_embeddings

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> Self:
        """Load the checkpoint onto the GPU where there is one, else the CPU.

        Raises:
            CheckpointError: Where the checkpoint does not load.
        """
        use_threads()
        model, _ = load_pretrained(checkpoint)
        model.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))  # type: ignore[arg-type]
        return cls(checkpoint, model, SongTokenizer.load(checkpoint))

    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Write the songs of one request; see ``SerialEngine.generate``."""
        opening = with_opening_tag(self.checkpoint.opening_tag, request.prompt)
        prompt_ids = self.tokenizer.encode(format_prompt(request.header, opening), self._context)
        rows = [_Row(self.tokenizer, prompt_ids) for _ in range(request.sampling.num_return_sequences)]
        watch = _Watch(rows, lambda: on_progress(tuple(opening + row.text for row in rows)), should_stop)
        input_ids = torch.tensor([prompt_ids], device=self._model.device)  # (1, prompt)
        # generate draws from the process's default generator; nothing else in the process does.
        torch.manual_seed(request.sampling.seed or 0)
        max_length = min(request.sampling.max_length, self._context - len(prompt_ids))
        self._model.generate(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            generation_config=self._generation_config(request.sampling, max_length),
            stopping_criteria=StoppingCriteriaList([watch]),
        )
        songs = tuple(row.end(opening, max_length) for row in rows if row.error is None)
        if not songs:
            raise rows[0].error or SongFailed("The model wrote nothing.")
        return songs

    def _generation_config(self, sampling: SamplingParams, max_length: int) -> GenerationConfig:
        return GenerationConfig(
            do_sample=True,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            repetition_penalty=sampling.repetition_penalty,
            num_return_sequences=sampling.num_return_sequences,
            max_new_tokens=max_length,
            eos_token_id=list(self.tokenizer.ends) or None,
            pad_token_id=next(iter(self.tokenizer.ends), 0),
            suppress_tokens=list(self.tokenizer.lacking) or None,
        )


class _Row:
    """One of the songs that ``generate`` writes, as text."""

    def __init__(self, tokenizer: SongTokenizer, prompt_ids: list[int]) -> None:
        self.error: SongFailed | None = None
        self._stream = tokenizer.stream(prompt_ids)
        self._ends = tokenizer.ends
        self._num_tokens = 0
        self._has_ended = False

    @property
    def text(self) -> str:
        """What was written after the prompt."""
        return self._stream.text

    def push(self, token: int) -> None:
        """Add a token; behind the end, ``generate`` fills up."""
        if self._has_ended or self.error is not None:
            return
        self._num_tokens += 1
        self._has_ended = token in self._ends
        if self._has_ended:
            return
        try:
            self._stream.push(token)
        except SongFailed as error:
            self.error = error

    def end(self, opening: str, max_length: int) -> GeneratedSong:
        """Return the song as it ends: where the model did not end it, with its last whole line."""
        if self._has_ended:
            return GeneratedSong((opening + self.text).strip(), "stop", self._num_tokens)
        reason: FinishReason = "length" if self._num_tokens >= max_length else "cancelled"
        return GeneratedSong((opening + cut_at_line_end(self.text)).strip(), reason, self._num_tokens)


class _Watch(StoppingCriteria):
    """Sees every step of ``generate``: passes the new tokens on, and ends the songs when asked to."""

    def __init__(self, rows: list[_Row], on_step: Callable[[], None], should_stop: Callable[[], bool]) -> None:
        self._rows = rows
        self._on_step = on_step
        self._should_stop = should_stop

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:  # noqa: ARG002
        """Return whether each row is to end, shape (songs,); ``input_ids`` is (songs, prompt + new)."""
        for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True):
            row.push(token)
        self._on_step()
        must_stop = self._should_stop()
        return torch.tensor([must_stop or row.error is not None for row in self._rows], device=input_ids.device)
