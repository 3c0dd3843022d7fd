"""The reference engine: transformers' own ``generate``, one request at a time.

It is the plainest correct one, so that a faster engine can be checked against it.
"""

from collections.abc import Callable
from typing import Self

import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from model.checkpoint.folder import Checkpoint
from model.checkpoint.pretrained import end_token_id, load_pretrained, start_token_id
from model.engines.interface import FinishReason, GeneratedSong, Request, SerialEngine
from model.errors import PromptTooLong
from model.network.machine import use_threads
from model.sampling.params import SamplingParams
from model.song import cut_at_line_end, format_prompt, with_opening_tag

_UNFINISHED_CHARACTER = "\ufffd"


class ReferenceEngine(SerialEngine):
    """An ``Engine`` over ``PreTrainedModel.generate``."""

    def __init__(self, checkpoint: Checkpoint, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(checkpoint)
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._start_id = start_token_id(tokenizer)
        self._end_id = end_token_id(tokenizer)
        self._context: int = model.config.max_position_embeddings

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> Self:
        """Load the checkpoint onto the GPU where there is one, else the CPU.

        Raises:
            CheckpointError: Where the checkpoint does not load.
        """
        use_threads()
        model, tokenizer = load_pretrained(checkpoint)
        model.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))  # type: ignore[arg-type]
        return cls(checkpoint, model, tokenizer)

    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Write the songs of one request; see ``SerialEngine.generate``."""
        opening = with_opening_tag(self.checkpoint.opening_tag, request.prompt)
        prompt_ids = self._encode(format_prompt(request.header, opening))
        watch = _Watch(
            lambda rows: on_progress(tuple(opening + self._decode(row) for row in rows)),
            should_stop,
            num_prompt_tokens=len(prompt_ids),
        )
        input_ids = torch.tensor([prompt_ids], device=self._model.device)  # (1, prompt)
        # generate draws from the process's default generator; nothing else in the process does.
        torch.manual_seed(request.sampling.seed or 0)
        max_length = min(request.sampling.max_length, self._context - len(prompt_ids))
        output_ids = self._model.generate(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            generation_config=self._generation_config(request.sampling, max_length),
            stopping_criteria=StoppingCriteriaList([watch]),
        )  # (songs, prompt + at most max_length)
        return tuple(self._song(opening, row, max_length) for row in output_ids[:, len(prompt_ids) :].tolist())

    def _encode(self, text: str) -> list[int]:
        # Special tokens that a member types are split into plain text: only ours open a song.
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        if self._start_id is not None:
            ids = [self._start_id, *ids]
        if len(ids) >= self._context:
            raise PromptTooLong(
                f"That prompt takes {len(ids)} tokens of the model's {self._context}: please shorten it."
            )
        return ids

    def _generation_config(self, sampling: SamplingParams, max_length: int) -> GenerationConfig:
        return GenerationConfig(
            do_sample=True,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            repetition_penalty=sampling.repetition_penalty,
            num_return_sequences=sampling.num_return_sequences,
            max_new_tokens=max_length,
            eos_token_id=self._end_id,
            pad_token_id=self._end_id,
        )

    def _song(self, opening: str, row: list[int], max_length: int) -> GeneratedSong:
        written = self._decode(row)
        if self._end_id in row:
            num_tokens = row.index(self._end_id) + 1
            return GeneratedSong((opening + written).strip(), "stop", num_tokens)
        reason: FinishReason = "length" if len(row) >= max_length else "cancelled"
        return GeneratedSong((opening + cut_at_line_end(written)).strip(), reason, len(row))

    def _decode(self, row: list[int]) -> str:
        """Return what was written, up to the end token, without the last character while it is unfinished."""
        if self._end_id in row:
            row = row[: row.index(self._end_id)]
        text = self._tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text).rstrip(_UNFINISHED_CHARACTER)


class _Watch(StoppingCriteria):
    """Sees every step of ``generate``: passes the new tokens on, and ends the songs when asked to."""

    def __init__(
        self,
        on_tokens: Callable[[list[list[int]]], None],
        should_stop: Callable[[], bool],
        *,
        num_prompt_tokens: int,
    ) -> None:
        self._on_tokens = on_tokens
        self._should_stop = should_stop
        self._num_prompt_tokens = num_prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:  # noqa: ARG002
        """Return whether each row is to end, shape (songs,); ``input_ids`` is (songs, prompt + new)."""
        self._on_tokens(input_ids[:, self._num_prompt_tokens :].tolist())
        return torch.full((len(input_ids),), self._should_stop(), device=input_ids.device)
