import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer

from model import Checkpoint, CheckpointError, PromptTooLong, SongFailed
from model.checkpoint.special_tokens import SpecialTokens, looks_like_control
from model.checkpoint.tokenizer import SongTokenizer
from tests.model.checkpoint.foreign import (
    END,
    KINDS,
    START,
    VERSE,
    byte_fallback,
    byte_level,
    id_of,
    unigram,
    word_level,
)


def wrap(tokenizer: Tokenizer, vocab_size: int | None = None) -> SongTokenizer:
    """Return the tokenizer of a model that begins with ``<s>`` and ends with ``</s>``."""
    start, end = id_of(tokenizer, START), id_of(tokenizer, END)
    special = SpecialTokens(start, (end,), frozenset({START, END, "<unk>"}), "<unk>")
    size = max(tokenizer.get_vocab().values()) + 1
    return SongTokenizer(Tokenizer.from_str(tokenizer.to_str()), special, vocab_size or size)


def texts(tokenizer: SongTokenizer, prompt: str, ids: list[int]) -> list[str]:
    """Return the text after each token."""
    stream = tokenizer.stream(tokenizer.encode(prompt, 1000))
    found = []
    for number in ids:
        stream.push(number)
        found.append(stream.text)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_word_keeps_its_space_and_each_later_one(kind: str) -> None:
    tokenizer = KINDS[kind]()
    whole = tokenizer.encode("water line tide", add_special_tokens=False).ids
    prompt = tokenizer.encode("water", add_special_tokens=False).ids
    assert whole[: len(prompt)] == prompt
    found = texts(wrap(tokenizer), "water", whole[len(prompt) :])
    assert found[-1] == " line tide"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("text", ["♪", "🎵 la", "שלום", "👩‍👩‍👧‍👦", "a♪b🎵c"])
@pytest.mark.parametrize("kind", [byte_level, byte_fallback])
def test_a_character_comes_once_all_its_bytes_are_there(kind: Callable[[], Tokenizer], text: str) -> None:
    tokenizer = kind()
    prompt = tokenizer.encode("water 🎵", add_special_tokens=False).ids
    whole = tokenizer.encode(f"water 🎵{text}", add_special_tokens=False).ids
    assert whole[: len(prompt)] == prompt
    found = texts(wrap(tokenizer), "water 🎵", whole[len(prompt) :])
    assert found[-1] == text
    assert not any("\ufffd" in shown for shown in found)


@pytest.mark.parametrize("kind", KINDS)
def test_no_draw_of_tokens_fails_and_what_was_shown_stays(kind: str) -> None:
    tokenizer = KINDS[kind]()
    song = wrap(tokenizer)
    draw = random.Random(3)  # noqa: S311
    size = tokenizer.get_vocab_size()
    for _ in range(100):
        found = texts(song, "water", [draw.randrange(size) for _ in range(100)])
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(found))


def test_bytes_that_are_no_text_hold_up_no_word_after_them() -> None:
    tokenizer = byte_fallback()
    broken = [id_of(tokenizer, "<0xFF>"), id_of(tokenizer, "▁tide")]
    assert texts(wrap(tokenizer), "water", broken) == ["", "\ufffd tide"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "typed", [END, f"{END}{END}", f"two{END}lanterns", f"two {START} {END} on", f"{END} <unk>", "<|verse|>"]
)
def test_control_tokens_cannot_be_typed(kind: str, typed: str) -> None:
    tokenizer = KINDS[kind]()
    tokenizer.add_tokens([AddedToken("<|verse|>", normalized=False)])
    song = wrap(tokenizer)
    ids = song.encode(typed, 1000)
    control = {id_of(tokenizer, token) for token in (START, END, "<|verse|>")}
    assert ids[0] == song.start_id
    assert len(ids) > 1
    assert not control & set(ids[1:])


@pytest.mark.parametrize("kind", [unigram, word_level])
def test_what_stands_around_a_typed_control_token_is_read_as_ever(kind: Callable[[], Tokenizer]) -> None:
    tokenizer = kind()
    ids = wrap(tokenizer).encode(f"two lanterns {END} on the", 1000)
    words = [str(tokenizer.id_to_token(number)).strip("▁") for number in ids]
    assert words[1:3] == ["two", "lanterns"]
    assert words[-2:] == ["on", "the"]


def test_text_that_the_vocabulary_lacks_is_read_as_unknown() -> None:
    tokenizer = word_level()
    assert wrap(tokenizer).encode("two unheard lanterns", 100)[2] == id_of(tokenizer, "<unk>")


@pytest.mark.parametrize(
    ("token", "is_control"),
    [
        ("<|endoftext|>", True),
        ("<|im_start|>", True),
        ("<pad>", True),
        ("</s>", True),
        ("[PAD]", True),
        ("[/INST]", True),
        ("[Chorus]", False),
        ("[Verse 1]", False),
        ("guitarra", False),
        ("<3", False),
        ("\n", False),
    ],
)
def test_a_control_token_is_told_from_text_by_its_looks(token: str, *, is_control: bool) -> None:
    assert looks_like_control(token) == is_control


def test_an_added_word_and_an_added_section_tag_are_text() -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("guitarra", normalized=False), AddedToken("[Chorus]", normalized=False)])
    song = wrap(tokenizer)
    ids = song.encode("[Chorus] guitarra", 100)[1:]
    assert {id_of(tokenizer, "guitarra"), id_of(tokenizer, "[Chorus]")} <= set(ids)
    assert texts(song, "water", ids)[-1] == "[Chorus] guitarra"


def test_ids_that_no_token_has_are_known() -> None:
    tokenizer = byte_level()
    size = tokenizer.get_vocab_size()
    assert wrap(tokenizer).lacking == ()
    assert wrap(tokenizer, size + 3).lacking == (size, size + 1, size + 2)


def test_an_added_token_that_the_model_lacks_is_read_as_text() -> None:
    tokenizer = byte_level()
    size = tokenizer.get_vocab_size()
    tokenizer.add_tokens([AddedToken("guitarra", normalized=False)])
    song = wrap(tokenizer, size)
    assert song.beyond == ("guitarra",)
    ids = song.encode("guitarra", 100)
    assert max(ids) < size
    assert texts(song, "water", ids[1:])[-1] == "guitarra"


def test_a_tokenizer_of_another_model_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for file in tiny_checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "gpt2", "vocab_size": 100}')
    with pytest.raises(CheckpointError, match=r"another model's: it has 320 tokens, and the model knows 100"):
        SongTokenizer.load(Checkpoint.open(tmp_path))


def test_a_prompt_that_fills_the_context_is_refused_with_the_figure() -> None:
    with pytest.raises(PromptTooLong, match=r"of the model's 12: please shorten it"):
        wrap(byte_level()).encode(VERSE, 12)


def test_a_model_without_a_start_token_needs_words_to_begin_with() -> None:
    tokenizer = SongTokenizer(word_level(), SpecialTokens(None, (), frozenset(), None), 30)
    with pytest.raises(SongFailed, match="cannot begin without opening words"):
        tokenizer.encode("", 100)


def test_a_tokenizer_in_memory_stays_as_it_is(tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    before = tokenizer.encode("<|endoftext|> la")
    assert SongTokenizer.wrap(tokenizer).start_id == tokenizer.bos_token_id
    assert tokenizer.encode("<|endoftext|> la") == before
