"""Between text and tokens: prompts in, songs out a token at a time. Needs neither torch nor transformers."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tokenizers import AddedToken, Tokenizer

from model.checkpoint.folder import Checkpoint
from model.checkpoint.special_tokens import SpecialTokens, looks_like_control
from model.errors import CheckpointError, PromptTooLong, SongFailed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

_UNFINISHED_CHARACTER = "\ufffd"

_CUTTABLE = 2
"""Characters of the shortest text that can be cut in two."""


class SongTokenizer:
    """A checkpoint's tokenizer, as songs need it.

    Control tokens can neither be typed nor appear: what a member types is split like any other text, and what the
    model draws of them is not shown. Cutting and filling up to a length, which a tokenizer's file may ask for, is off.

    Args:
        tokenizer: Splits text; is changed.
        special: The tokens that are no text.
        vocab_size: Ids that the model knows.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialTokens, vocab_size: int) -> None:
        self._tokenizer = tokenizer
        self.start_id = special.start
        self.ends = special.ends
        tokenizer.no_truncation()
        tokenizer.no_padding()
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        self.size = len(vocabulary)
        self.vocab_size = vocab_size
        self.lacking = tuple(sorted(set(range(vocab_size)) - set(vocabulary.values()) - set(special.ends)))
        """Ids of the model that mean nothing: a vocabulary is often padded to a round number."""
        self.beyond = tuple(token for token, number in vocabulary.items() if number >= vocab_size)
        """Tokens that the model does not know."""
        tokenizer.add_special_tokens(self._control_tokens(special, vocabulary))
        tokenizer.encode_special_tokens = True
        self._untypable = self._find_untypable(special)

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> Self:
        """Load a checkpoint's tokenizer.

        Raises:
            CheckpointError: Where its files are damaged, or belong to a model with other tokens.
        """
        try:
            tokenizer = _read_tokenizer(checkpoint.path)
            vocab_size = _vocab_size(checkpoint, tokenizer)
            special = SpecialTokens.declared(checkpoint.path, tokenizer.token_to_id, vocab_size)
        # The library raises nothing narrower.
        except Exception as error:
            raise CheckpointError(
                f"The tokenizer of {checkpoint.path} does not load ({error}): copy the whole folder again."
            ) from error
        refuse_another_models(tokenizer, vocab_size, checkpoint)
        return cls(tokenizer, special, vocab_size)

    @classmethod
    def wrap(cls, tokenizer: "PreTrainedTokenizerBase") -> Self:
        """Return the same of a tokenizer in memory, which stays as it is."""
        end: int | None = tokenizer.eos_token_id
        special = SpecialTokens(
            start=tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end,
            ends=() if end is None else (end,),
            named=frozenset(tokenizer.all_special_tokens),
            unknown=tokenizer.unk_token,
        )
        return cls(Tokenizer.from_str(backend_of(tokenizer).to_str()), special, len(tokenizer))

    def token(self, number: int) -> str:
        """Return a token as it stands in the vocabulary."""
        return self._tokenizer.id_to_token(number) or f"#{number}"

    def encode(self, text: str, context: int) -> list[int]:
        """Return the tokens of a prompt, start token included.

        Args:
            text: Header and opening words.
            context: Tokens that the model reads at most.

        Raises:
            PromptTooLong: Where the prompt leaves no room to write in.
            SongFailed: Where the tokenizer cannot read it, or there is nothing to begin with.
        """
        ids = self.split(text)
        if self.start_id is not None:
            ids = [self.start_id, *ids]
        if not ids:
            raise SongFailed("This model cannot begin without opening words: please give the song some.")
        if len(ids) >= context:
            raise PromptTooLong(f"That prompt takes {len(ids)} tokens of the model's {context}: please shorten it.")
        return ids

    def split(self, text: str) -> list[int]:
        """Return the tokens of a text, without a start token.

        Raises:
            SongFailed: Where the tokenizer cannot read it.
        """
        with _failing_alone("The model's tokenizer cannot read that prompt: please try other words."):
            return self._encode(text)

    def text_of(self, token: int) -> str:
        """Return the text of a token by itself, a part of a character as ``U+FFFD``; none of a control token.

        Raises:
            SongFailed: Where the tokenizer makes no text of it.
        """
        with _failing_alone(_NO_TEXT):
            text: str = self._tokenizer.decode([token], skip_special_tokens=True)
        return text

    def stream(self, prompt_ids: Sequence[int] = ()) -> "TextStream":
        """Return an empty text that grows by tokens, after those of a prompt."""
        return TextStream(self._tokenizer, prompt_ids)

    def _encode(self, text: str) -> list[int]:
        """Split text into tokens, no control token among them.

        A vocabulary may have a control token as a word, which the library then finds in text: that text is cut after
        its first character, and the parts are split on their own.
        """
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        found = [span for number, span in zip(encoding.ids, encoding.offsets, strict=True) if number in self._untypable]
        if not found or len(text) < _CUTTABLE:
            return [number for number in encoding.ids if number not in self._untypable]
        inside = {cut for start, end in found for cut in (start, start + 1, end) if 0 < cut < len(text)}
        cuts = sorted({0, len(text)} | (inside or {len(text) // 2}))
        return [number for start, end in pairwise(cuts) for number in self._encode(text[start:end])]

    def _control_tokens(self, special: SpecialTokens, vocabulary: dict[str, int]) -> list[AddedToken]:
        """Return the tokens that are to be no text: the special ones, those that look so, those beyond the model."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        contents = [
            token.content
            for token in added
            if token.special or looks_like_control(token.content) or vocabulary[token.content] >= self.vocab_size
        ]
        named = [token for token in special.named if token in vocabulary]
        return [AddedToken(token, special=True, normalized=False) for token in dict.fromkeys([*contents, *named])]

    def _find_untypable(self, special: SpecialTokens) -> frozenset[int]:
        added = self._tokenizer.get_added_tokens_decoder().items()
        control = {number for number, token in added if token.special}
        # What stands for unknown text is read where a prompt has such text.
        unknown = {self._tokenizer.token_to_id(token) for token in (special.unknown, "<unk>", "[UNK]") if token}
        return frozenset(control - (unknown - {special.start, *special.ends}))


class TextStream:
    """The text of tokens as they come, whole characters only.

    Each token is read behind those before it, since a decoder may take the space off the first.

    Args:
        tokenizer: Makes text of tokens.
        prompt_ids: The tokens that stand before.
    """

    def __init__(self, tokenizer: Tokenizer, prompt_ids: Iterable[int]) -> None:
        self.text = ""
        self._tokenizer = tokenizer
        self._context = list(prompt_ids)
        self._pending: list[int] = []
        self._before: str | None = None

    def push(self, token: int) -> None:
        """Add a token; its text comes once its last character is whole.

        Raises:
            SongFailed: Where the tokenizer makes no text of it.
        """
        self._pending.append(token)
        with _failing_alone(_NO_TEXT):
            if self._before is None:
                self._before = self._decode(self._context)
            text = self._decode(self._context + self._pending)[len(self._before) :]
            if not text or text.endswith(_UNFINISHED_CHARACTER):
                return
            self._context, self._pending = self._pending, []
            self._before = self._decode(self._context)
        self.text += text

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text


_NO_TEXT = "The model wrote what is no text: please try again, with other settings."


def refuse_another_models(tokenizer: Tokenizer, vocab_size: int, checkpoint: Checkpoint) -> None:
    """Raise ``CheckpointError`` where a vocabulary, without what was added to it, is larger than the model's."""
    size = tokenizer.get_vocab_size(with_added_tokens=False)
    if size > vocab_size:
        raise CheckpointError(
            f"The tokenizer of {checkpoint.path} is another model's: it has {size:,} tokens, and the model knows "
            f"{vocab_size:,}. Copy the tokenizer files of the model that it was trained with."
        )


@contextmanager
def _failing_alone(sentence: str) -> Iterator[None]:
    """Make of whatever the library raises an error of one song: it panics with what is no ``Exception``."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        log.warning("A song ends: %r", error)
        raise SongFailed(sentence) from error


def backend_of(tokenizer: "PreTrainedTokenizerBase") -> Tokenizer:
    """Return what splits text in a tokenizer of transformers.

    Raises:
        ValueError: Where that is Python code of its own, as a few old architectures have.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ValueError(f"a {type(tokenizer).__name__} cannot be written as tokenizer.json")  # noqa: TRY004
    return backend


def _read_tokenizer(folder: Path) -> Tokenizer:
    """Read ``tokenizer.json``, or put a tokenizer together from older files, with what was added to them."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        # transformers puts it together; it takes seconds to import.
        from transformers import AutoTokenizer  # noqa: PLC0415

        backend = backend_of(AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
        return Tokenizer.from_str(backend.to_str())
    return Tokenizer.from_file(str(file))


def _vocab_size(checkpoint: Checkpoint, tokenizer: Tokenizer) -> int:
    """Return how many ids the model has: what ``config.json`` says, or its architecture has by default."""
    config = checkpoint.read_config()
    default = 50_257 if config.get("model_type") == "gpt2" else tokenizer.get_vocab_size(with_added_tokens=True)
    size: int = config.get("vocab_size", default)
    return size
