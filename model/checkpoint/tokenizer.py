"""Between text and tokens: prompts in, songs out a token at a time. Needs neither torch nor transformers."""

import json
from collections.abc import Sequence
from typing import Any, Self

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from model.checkpoint.folder import Checkpoint
from model.errors import CheckpointError, PromptTooLong
from model.song import BOS_TOKEN, EOS_TOKEN

_UNFINISHED_CHARACTER = "\ufffd"


class SongTokenizer:
    """A checkpoint's tokenizer, as songs need it.

    Args:
        tokenizer: Splits text; a special token that a member types is split like any other text.
        start_id: The token that opens a song; none where the vocabulary has none.
        end_id: The token that closes it; none where the vocabulary has none.
    """

    def __init__(self, tokenizer: Tokenizer, start_id: int | None, end_id: int | None) -> None:
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.start_id = start_id
        self.end_id = end_id

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> Self:
        """Load a checkpoint's tokenizer.

        Raises:
            CheckpointError: Where its files are damaged.
        """
        try:
            tokenizer = _read_tokenizer(checkpoint)
            named = _named_tokens(checkpoint)
        # The library raises nothing narrower.
        except Exception as error:
            raise CheckpointError(
                f"The tokenizer of {checkpoint.path} does not load ({error}): copy the whole folder again."
            ) from error

        def first_known(*tokens: str | None) -> int | None:
            ids = (tokenizer.token_to_id(token) for token in tokens if token)
            return next((number for number in ids if number is not None), None)

        # The tokens that the tokenizer names, else our own, else GPT-2's one token for both.
        return cls(
            tokenizer,
            start_id=first_known(named.get("bos_token"), BOS_TOKEN, EOS_TOKEN),
            end_id=first_known(named.get("eos_token"), EOS_TOKEN),
        )

    def encode(self, text: str, context: int) -> list[int]:
        """Return the tokens of a prompt, start token included.

        Args:
            text: Header and opening words.
            context: Tokens that the model reads at most.

        Raises:
            PromptTooLong: Where the prompt leaves no room to write in.
        """
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self.start_id is not None:
            ids = [self.start_id, *ids]
        if len(ids) >= context:
            raise PromptTooLong(f"That prompt takes {len(ids)} tokens of the model's {context}: please shorten it.")
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens without special ones, and without a last character that is not finished."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text.rstrip(_UNFINISHED_CHARACTER)

    def stream(self) -> "TextStream":
        """Return an empty text that grows by tokens."""
        return TextStream(self._tokenizer)


class TextStream:
    """The text of tokens as they come, whole characters only."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.text = ""
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)

    def push(self, token: int) -> None:
        """Add a token; its text comes once its last character is whole."""
        self.text += self._stream.step(self._tokenizer, token) or ""


def _read_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    file = checkpoint.path / "tokenizer.json"
    if file.is_file():
        return Tokenizer.from_file(str(file))
    # Older folders have vocab.json and merges.txt, which transformers puts together; it takes seconds to import.
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer: Tokenizer = AutoTokenizer.from_pretrained(checkpoint.path, trust_remote_code=False).backend_tokenizer
    return tokenizer


def _named_tokens(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the special tokens that ``tokenizer_config.json`` names."""
    file = checkpoint.path / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
    tokens = {name: config.get(name) for name in ("bos_token", "eos_token")}
    # A token is a string, or an object with its content.
    return {
        name: str(token["content"] if isinstance(token, dict) else token) for name, token in tokens.items() if token
    }
