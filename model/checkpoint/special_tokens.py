"""Which tokens open a song, close it, and are no text: what a checkpoint declares of them, wherever it does.

The order is that of transformers: the tokenizer's files name tokens, ``generation_config.json`` and, without it,
``config.json`` number them. Where nothing is declared, they are looked for by the names that songs are trained with.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from model.song import BOS_TOKEN, EOS_TOKEN

_ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_MORE = ("additional_special_tokens", "extra_special_tokens")

_CONTROL = re.compile(r"<\|.*\|>|</?[A-Za-z]\w*>|\[/?(?:BOS|EOS|PAD|UNK|CLS|SEP|MASK|INST)\]", re.DOTALL)
"""The looks of a token that was added to steer a model, whether or not it was added as a special one. A section tag
such as ``[Chorus]`` is text."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The tokens of a checkpoint that are no text."""

    start: int | None
    """Opens a song; none where the checkpoint has none."""
    ends: tuple[int, ...]
    """Close it: all that do, the tokenizer's own first."""
    named: frozenset[str]
    """Every token that the tokenizer's files give a part to."""
    unknown: str | None
    """Stands for text that the vocabulary lacks."""

    @classmethod
    def declared(cls, folder: Path, id_of: Callable[[str], int | None], size: int) -> Self:
        """Return what the files of a checkpoint say.

        Args:
            folder: The checkpoint's.
            id_of: Looks a token up in the vocabulary.
            size: Ids of the vocabulary; a number that is none of them says nothing.

        Raises:
            ValueError: Where a file is no JSON.
        """
        config = _read_tokenizer_config(folder)
        roles = {role: content for role in _ROLES if (content := _content(config.get(role)))}
        starts, ends = (_numbers(folder, role, size) for role in ("bos_token_id", "eos_token_id"))

        def known(*tokens: str | None) -> Iterator[int]:
            ids = (id_of(token) for token in tokens if token)
            return (number for number in ids if number is not None and number < size)

        all_starts = [*known(roles.get("bos_token")), *starts] or [*known(BOS_TOKEN, EOS_TOKEN)]
        all_ends = dict.fromkeys([*known(roles.get("eos_token")), *ends]) or dict.fromkeys(known(EOS_TOKEN))
        return cls(
            start=all_starts[0] if all_starts else next(iter(all_ends), None),
            ends=tuple(all_ends),
            named=frozenset([*roles.values(), *_more_tokens(config)]),
            unknown=roles.get("unk_token"),
        )


def looks_like_control(content: str) -> bool:
    """Return whether an added token with this text steers a model, rather than being text itself."""
    return _CONTROL.fullmatch(content) is not None


def _read_json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
    return found


def _read_tokenizer_config(folder: Path) -> dict[str, Any]:
    config = _read_json(folder / "tokenizer_config.json")
    # Folders of older versions of transformers name the tokens in the map, which then goes first.
    return config if "added_tokens_decoder" in config else config | _read_json(folder / "special_tokens_map.json")


def _content(token: object) -> str | None:
    """Return the text of a token, which is a string, or an object with its content."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _more_tokens(config: dict[str, Any]) -> Iterator[str]:
    for name in _MORE:
        tokens = config.get(name) or ()
        for token in tokens.values() if isinstance(tokens, dict) else tokens:
            if content := _content(token):
                yield content


def _numbers(folder: Path, name: str, size: int) -> list[int]:
    """Return the ids that the model's files give for a part: one, several or none."""
    found = _read_json(folder / "generation_config.json").get(name)
    found = _read_json(folder / "config.json").get(name) if found is None else found
    numbers = found if isinstance(found, list) else [found]
    return [number for number in numbers if isinstance(number, int) and 0 <= number < size]
