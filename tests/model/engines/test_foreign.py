"""Checkpoints as people have them write the right text, in both engines, to the last character."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from model import Checkpoint, GeneratedSong, Request
from model.engines.interface import Engine, RequestState
from model.engines.reference import ReferenceEngine
from model.errors import SongFailed
from tests.conftest import make_request
from tests.model.checkpoint.foreign import END, KINDS, START, VERSE, byte_level, id_of, save, unigram, word_level
from tests.model.engines.test_batching import load

OPENING = "two lanterns on the water"

Load = Callable[[Path], Engine]


def load_reference(folder: Path) -> Engine:
    return ReferenceEngine.load(Checkpoint.open(folder))


both_engines = pytest.mark.parametrize("load", [load, load_reference])


def greedy(prompt: str = OPENING, *, songs: int = 1, max_length: int = 100) -> Request:
    return make_request(prompt, top_k=1, repetition_penalty=1.0, max_length=max_length, num_return_sequences=songs)


def follow(engine: Engine, request: Request) -> tuple[list[str], tuple[GeneratedSong, ...]]:
    """Return what was shown of the first song, step by step, and the songs."""
    state = RequestState(request)
    shown: list[str] = []
    engine.add(state)
    while not state.ended:
        engine.step(lambda state: shown.append(state.lyrics[0]))
    if state.error is not None:
        raise state.error
    assert state.songs is not None
    return shown, state.songs


def sing(engine: Engine, request: Request) -> GeneratedSong:
    return follow(engine, request)[1][0]


def transformers_ids(folder: Path, prompt: str) -> tuple[list[int], int]:
    """Return what transformers writes greedily after the prompt, and how many ids the prompt has."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = [tokenizer.convert_tokens_to_ids(START), *tokenizer.encode(prompt, add_special_tokens=False)]
    output: list[int] = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=100)[0].tolist()
    return output, len(ids)


@pytest.mark.parametrize("kind", KINDS)
@both_engines
def test_a_verse_known_by_heart_comes_whole_with_every_space(load: Load, kind: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "verse", KINDS[kind]())
    shown, (song,) = follow(load(folder), greedy())
    expected = VERSE.replace("\n", " ") if kind == "word level" else VERSE
    if kind == "metaspace":  # Its normalizer puts a space before each break, which is its own text.
        expected = VERSE.replace("\n", " \n")
    assert song.lyric == expected
    assert song.finish_reason == "stop"
    assert all(song.lyric.startswith(text) for text in shown)
    assert shown[-1] == song.lyric


def as_object(token: str) -> dict[str, Any]:
    return {"__type": "AddedToken", "content": token, "special": True}


@pytest.mark.parametrize(
    ("config", "model", "generation"),
    [
        ({"bos_token": START, "eos_token": END}, {}, {}),
        ({"bos_token": as_object(START), "eos_token": as_object(END)}, {}, {}),
        ({}, {"bos_token_id": 1, "eos_token_id": 2}, {}),
        ({}, {"bos_token_id": 1}, {"eos_token_id": 2}),
        ({}, {"bos_token_id": 1, "eos_token_id": 0}, {"eos_token_id": [0, 2]}),
        ({"bos_token": START, "eos_token": "<unk>"}, {}, {"eos_token_id": [2]}),
    ],
)
@both_engines
def test_a_song_ends_where_the_checkpoint_says_though_the_usual_end_token_is_there(
    load: Load,
    config: dict[str, Any],
    model: dict[str, Any],
    generation: dict[str, Any],
    tmp_path: Path,
) -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|startoftext|>"])
    folder = save(tmp_path / "ends", tokenizer, config=config, model=model)
    if generation:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    song = sing(load(folder), greedy())
    assert song.lyric == VERSE
    assert song.finish_reason == "stop"
    if not config:  # generate goes by the model's numbers alone.
        output, prompt = transformers_ids(folder, OPENING)
        assert song.num_tokens == len(output) - prompt


@both_engines
def test_tokens_that_only_the_older_map_names_are_found(load: Load, tmp_path: Path) -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    folder = save(tmp_path / "map", tokenizer, config={})
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": START, "eos_token": {"content": END}}))
    assert sing(load(folder), greedy()).lyric == VERSE


@pytest.mark.parametrize("setting", ["truncation", "padding"])
@both_engines
def test_cutting_and_filling_up_in_the_tokenizers_file_is_not_done(load: Load, setting: str, tmp_path: Path) -> None:
    tokenizer = byte_level()
    folder = save(tmp_path / "whole", tokenizer)
    if setting == "truncation":
        tokenizer.enable_truncation(4)
    else:
        tokenizer.enable_padding(length=64, pad_id=2, pad_token=END)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert sing(load(folder), greedy()).lyric == VERSE


def likeliest_are(engine: Engine, monkeypatch: pytest.MonkeyPatch, ids: list[int], *, by: float = 1e4) -> None:
    """Have the model find these ids likelier than all others, the first the likeliest."""

    def spoil(logits: torch.Tensor) -> torch.Tensor:
        for place, number in enumerate(ids):
            logits[..., number] += by - place
        return logits

    if isinstance(engine, ReferenceEngine):
        engine._model.lm_head.register_forward_hook(lambda _, __, logits: spoil(logits))
        return
    decode = engine._network.decode  # type: ignore[attr-defined]
    monkeypatch.setattr(engine._network, "decode", lambda *args: spoil(decode(*args)))  # type: ignore[attr-defined]


@both_engines
def test_an_id_that_is_no_token_is_never_drawn(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = byte_level()
    folder = save(tmp_path / "padded", tokenizer, padding=7)
    engine = load(folder)
    size = tokenizer.get_vocab_size()
    likeliest_are(engine, monkeypatch, [*range(size, size + 7), id_of(tokenizer, "a")])
    song = sing(engine, greedy(max_length=5))
    assert song.lyric == f"{OPENING}aaaaa"


@both_engines
def test_a_control_token_does_not_appear_however_it_was_added(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("<|verse|>", normalized=False), AddedToken("[Chorus]", normalized=False)])
    engine = load(save(tmp_path / "control", tokenizer))
    control, tag = id_of(tokenizer, "<|verse|>"), id_of(tokenizer, "[Chorus]")
    likeliest_are(engine, monkeypatch, [control])
    assert sing(engine, greedy(max_length=5)).lyric == OPENING
    likeliest_are(engine, monkeypatch, [tag], by=1e6)
    assert sing(engine, greedy(max_length=2)).lyric == f"{OPENING}[Chorus][Chorus]"


def test_one_song_without_text_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicError(BaseException):
        """What the tokenizers library raises is no ``Exception`` where its own code panics."""

    engine = load(save(tmp_path / "panic", byte_level()))
    expected = follow(engine, make_request(OPENING, num_return_sequences=4, max_length=20, temperature=2.0))[1]
    streams = 0
    stream = engine._tokenizer.stream

    def second_panics(prompt_ids: list[int]) -> Any:
        nonlocal streams
        made = stream(prompt_ids)
        streams += 1
        if streams == 2:
            monkeypatch.setattr(made, "_decode", _raise(PanicError))
        return made

    monkeypatch.setattr(engine._tokenizer, "stream", second_panics)
    songs = follow(engine, make_request(OPENING, num_return_sequences=4, max_length=20, temperature=2.0))[1]
    assert songs == (expected[0], *expected[2:])


def _raise(error: type[BaseException]) -> Callable[..., str]:
    def fail(*_: object) -> str:
        raise error

    return fail


def test_a_request_none_of_whose_songs_has_text_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load(save(tmp_path / "panic", byte_level()))
    monkeypatch.setattr("model.checkpoint.tokenizer.TextStream._decode", _raise(KeyError))
    with pytest.raises(SongFailed, match="please try again"):
        sing(engine, greedy())


@pytest.mark.parametrize("kind", [unigram, word_level])
def test_an_end_token_that_is_a_word_of_the_vocabulary_cannot_be_typed(
    kind: Callable[[], Tokenizer], tmp_path: Path
) -> None:
    engine = load(save(tmp_path / "typed", kind()))
    ids = engine._tokenizer.encode(f"two {END} lanterns{START}", 100)
    assert ids[0] == 1
    assert not {1, 2} & set(ids[1:])
